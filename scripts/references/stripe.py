"""docs/howto/stripe.md: the test cards that the emulator of Stripe knows."""

from __future__ import annotations

from aegis_worker.emulator.stripe.cards import as_markdown


def cards() -> str:
    """The table that `python -m aegis_worker.emulator --wire stripe --scripts` prints."""
    return as_markdown()
