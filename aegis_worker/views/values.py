"""Values that several views write in the same way."""

from __future__ import annotations

from datetime import datetime

from aegis_worker.domain.moments import rfc3339


def rfc3339_or_none(at: datetime | None) -> str | None:
    """A time for programs, as RFC 3339 writes it. None if there is no such time."""
    return None if at is None else rfc3339(at)


def rounded(value: float | None, digits: int) -> float | None:
    """A figure with only as many digits after the point as are meaningful. None if there is no figure."""
    return None if value is None else round(value, digits)
