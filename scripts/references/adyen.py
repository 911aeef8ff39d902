"""docs/howto/adyen.md: the stored cards that the emulator of Adyen knows."""

from __future__ import annotations

from aegis_worker.emulator.adyen.cards import as_markdown


def cards() -> str:
    """The table that `python -m aegis_worker.emulator --wire adyen --scripts` prints."""
    return as_markdown()
