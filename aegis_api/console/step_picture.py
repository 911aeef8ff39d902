"""The picture of payments over time: a bar for each hour or day, with a part for each way they ended. Pure geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aegis_worker.queries.analytics import Summary

WIDTH, HEIGHT = 1000.0, 150.0
_GAP_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bar. `kind`: a (charged), d (not charged), o (open still)."""

    kind: str
    x: float
    y: float
    wide: float
    high: float


@dataclass(frozen=True, slots=True)
class Steps:
    """What is drawn, how many payments the highest bar stands for, and what it shows in words."""

    parts: Sequence[Part]
    most: int
    label: str


def picture(rows: Sequence[Summary], since: datetime, until: datetime, step: timedelta) -> Steps | None:
    """All steps from `since` to the one of `until`, also those without a payment. None where there is nothing to draw.

    `rows` are of one step and currency each: their payments are counted together, for payments may be added up where
    amounts of several currencies may not.
    """
    counted: dict[int, list[int]] = {}
    for row in rows:
        if row.at is not None:
            three = counted.setdefault(int((row.at - since) / step), [0, 0, 0])
            for place, number in enumerate((row.charged, row.failed + row.cancelled, row.open)):
                three[place] += number
    if not counted:
        return None
    most = max(sum(three) for three in counted.values())
    one = WIDTH / (int((until - since) / step) + 1)
    parts = []
    for place, three in sorted(counted.items()):
        below = HEIGHT
        for kind, number in zip("ado", three, strict=True):
            high = HEIGHT * number / most
            below -= high
            if number:
                x, wide = one * (place + _GAP_SHARE / 2), one * (1 - _GAP_SHARE)
                parts.append(Part(kind, round(x, 2), round(below, 2), round(wide, 2), round(high, 2)))
    charged, lost, still = (sum(three[place] for three in counted.values()) for place in range(3))
    label = (
        f"{charged:,} payments charged, {lost:,} not charged, {still:,} open; {most:,} in the fullest step"
    )
    return Steps(parts, most, label)
