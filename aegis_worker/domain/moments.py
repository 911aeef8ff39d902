"""How a time is written, everywhere: in UTC and to the millisecond, in one form for programs and one for people."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import to_builtins

_TO_SECONDS = len("2026-11-21T11:48:12")


def rfc3339(at: datetime) -> str:
    """For programs: `2026-11-21T11:48:12.950Z`. `at` carries its offset. Cut off and refused as in `readable`."""
    written: str = to_builtins(
        _in_utc(at)
    )  # a twelfth of the time of isoformat, and events are written by thousands
    return f"{written[:_TO_SECONDS]}.{at.microsecond // 1000:03d}Z"


def readable(at: datetime) -> str:
    """For people, under a heading that says UTC: `2026-11-21 11:48:12.950`. `at` carries its offset.

    Cut off and not rounded, so that nothing is told as later than it was. Raises ValueError for a time without an offset:
    whose it would be, nobody knows.
    """
    return _in_utc(at).replace(tzinfo=None).isoformat(" ", "milliseconds")


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(UTC)
