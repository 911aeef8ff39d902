"""What is counted of a hook: how often it was asked, what came of it, and how long it took."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from enum import StrEnum

# Upper bounds, in milliseconds; what takes longer than the last is counted beside them.
BUCKETS_MS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000)


class End(StrEnum):
    """How asking a hook ended.

    FAILED: it raised, or answered what is no answer. CRASHED: its process ended. REFUSED: its breaker was open. UNASKED:
    the payment's time was up before its turn came.
    """

    ANSWERED = "answered"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    REFUSED = "refused"
    UNASKED = "unasked"


# Those in which the hook ran.
RAN = (End.ANSWERED, End.FAILED, End.TIMED_OUT, End.CRASHED)
SUM_US = "sum_us"
FIELDS = (*(end.value for end in End), SUM_US, *(f"b{place}" for place in range(len(BUCKETS_MS) + 1)))


class HookCounts:
    """The counts of one hook in one process, since it started. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(FIELDS, 0)

    def count(self, end: End, took_us: int) -> None:
        """Asking the hook has ended."""
        counts = self._counts
        counts[end.value] += 1
        if end in RAN:
            counts[SUM_US] += took_us
            counts[f"b{bisect_left(BUCKETS_MS, took_us / 1000)}"] += 1

    def so_far(self) -> dict[str, int]:
        """The counts by the names of FIELDS."""
        return dict(self._counts)


def percentile_ms(counts: Mapping[str, int], percent: int) -> float | None:
    """Below which time so many percent of the calls stayed: the upper bound of their bucket. None without a call."""
    buckets: Sequence[int] = [counts.get(f"b{place}", 0) for place in range(len(BUCKETS_MS) + 1)]
    left = sum(buckets) * percent / 100
    if not sum(buckets):
        return None
    for bound, count in zip((*BUCKETS_MS, BUCKETS_MS[-1]), buckets, strict=True):
        left -= count
        if left <= 0:
            return float(bound)
    return float(BUCKETS_MS[-1])
