"""How a time is written, everywhere: in UTC and to the millisecond, in one form for programs and one for people."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    """For programs: `2026-11-21T11:48:12.950Z`. `at` carries its offset."""
    return readable(at).replace(" ", "T") + "Z"


def readable(at: datetime) -> str:
    """For people, under a heading that says UTC: `2026-11-21 11:48:12.950`. `at` carries its offset.

    Cut off and not rounded, so that nothing is told as later than it was. Raises ValueError for a time without an offset:
    whose it would be, nobody knows.
    """
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")
