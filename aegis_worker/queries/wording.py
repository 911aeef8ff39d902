"""Amounts and spans of time as people read them."""

from __future__ import annotations

from aegis_worker.domain.money import Money


def money(minor: int, currency: str) -> str:
    """`19.99 USD (1999)`: the amount for people, followed by the minor units that the API takes."""
    return f"{Money(minor, currency)} ({minor})"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `5 h 3 min`, `2 d 4 h`: exact enough to act on."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    for size, unit, smaller, small_unit in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"


def words(name: object) -> str:
    """A name of ours, such as `other_gateway`, in words."""
    return str(name).replace("_", " ")
