"""The audit: checks invariants I1 to I7 on a live database, freezes what can't be trusted, and keeps incidents."""
