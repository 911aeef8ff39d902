"""What a period is added up of: whole days where there are any, and the hours before and after them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class Stretch:
    """The steps of this length that begin at `since` or later, and before `until`; None: however late."""

    step: Literal["hour", "day"]
    since: datetime
    until: datetime | None


def stretches_of(since: datetime, until: datetime | None, *, by_hour: bool) -> list[Stretch]:
    """Each hour that begins at `since` or later and before `until` (in UTC), once. `by_hour`: as hours, never as days.

    A day that is not over is a whole day where there is no `until`: it has all that there is of it.
    """
    begins = _midnight(since)
    if by_hour or (until is not None and _midnight(until) <= begins):
        return [Stretch("hour", since, until)]
    first = begins if begins == since else begins + timedelta(days=1)
    last = None if until is None else _midnight(until)
    stretches = [Stretch("hour", since, first), Stretch("day", first, last)]
    if last is not None:
        stretches.append(Stretch("hour", last, until))
    return [stretch for stretch in stretches if stretch.until is None or stretch.since < stretch.until]


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
