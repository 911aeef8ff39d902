"""Rules that screen payments, for operators."""
