"""The rules of a circuit breaker, in Python. lua/breaker.lua is the same in Lua, for the breakers that workers share; a
test runs both through the same calls.

A failed call and one whose outcome is unknown both count as failures. While CLOSED, a breaker opens by any of three rules
of `BreakerLimits`: failures in a row; the share of failures in the window, held against `failure_rate` times
(1 - `tighten` times (1 - health)); the share of unknown outcomes. Health is an average of successes in which each call
weighs 2%, so it looks back over about the last hundred. The window is kept in twelve buckets and starts anew on closing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from aegis_worker.domain.breakers import TRANSITIONS, BreakerLimits, BreakerMove, BreakerState

from .permits import Said

BUCKETS = 12
CALL_WEIGHT = 0.02
# A breaker that was closed for this many times `open_s` next opens for the plain `open_s` again, not for a doubled one.
CALM = 10
# Doubling ends here: 2 ** 30 times `open_s` exceeds `max_open_s` anyway, and is still a finite number.
MOST_DOUBLINGS = 30


# A number drawn from -1 to 1, for the jitter.
Draw = Callable[[], float]


@dataclass(slots=True)
class Bucket:
    """The calls that ended within one twelfth of the window."""

    number: int
    calls: int = 0
    failed: int = 0
    unknown: int = 0


@dataclass(slots=True)
class Breaker:
    """One breaker. Times in milliseconds of the caller's clock."""

    state: BreakerState = BreakerState.CLOSED
    epoch: int = 0
    until_ms: int = 0
    failures: int = 0
    successes: int = 0
    doublings: int = 0
    opened: int = 0
    health: float = 1.0
    closed_ms: int = 0
    window: list[Bucket] = field(default_factory=list)

    def ripen(self, limits: BreakerLimits, now_ms: int) -> bool:
        """OPEN becomes HALF_OPEN once its time is up; returns whether it did."""
        ripe = self.state is BreakerState.OPEN and self.until_ms <= now_ms
        if ripe:
            self._move(BreakerMove.TIME_UP, limits, now_ms, 0.0)
        return ripe

    def record(self, said: Said, limits: BreakerLimits, now_ms: int, draw: float) -> bool:
        """Count a call of this epoch that ended; `draw` from -1 to 1 is the jitter. Returns whether the breaker moved."""
        if self.state is BreakerState.OPEN:
            return False
        succeeded = said is Said.SUCCESS
        self.health += ((1 if succeeded else 0) - self.health) * CALL_WEIGHT
        if self.state is BreakerState.HALF_OPEN:
            move = self._judge_probe(succeeded, limits)
        else:
            self.failures = 0 if succeeded else self.failures + 1
            self._count(said, limits, now_ms)
            move = self._judge_window(limits)
        if move is not None:
            self._move(move, limits, now_ms, draw)
        return move is not None

    def probes_free(self, out: int, limits: BreakerLimits) -> int:
        """How many more probes may go out.

        A probe that succeeded keeps its permit, so one half-open period sends no more probes than there are permits (or
        than it takes to close), except in place of those whose workers died.
        """
        in_all = max(limits.probes, limits.successes_to_close)
        return min(limits.probes, in_all - self.successes) - out

    def totals(self, limits: BreakerLimits, now_ms: int) -> Bucket:
        """The whole window."""
        oldest = _bucket_number(limits, now_ms) - BUCKETS
        kept = [bucket for bucket in self.window if bucket.number > oldest]
        return Bucket(
            oldest,
            sum(bucket.calls for bucket in kept),
            sum(bucket.failed for bucket in kept),
            sum(bucket.unknown for bucket in kept),
        )

    def _count(self, said: Said, limits: BreakerLimits, now_ms: int) -> None:
        number = _bucket_number(limits, now_ms)
        self.window = [bucket for bucket in self.window if bucket.number > number - BUCKETS]
        if not self.window or self.window[-1].number != number:
            self.window.append(Bucket(number))
        bucket = self.window[-1]
        bucket.calls += 1
        bucket.failed += said is not Said.SUCCESS
        bucket.unknown += said is Said.UNKNOWN

    def _judge_probe(self, succeeded: bool, limits: BreakerLimits) -> BreakerMove | None:
        if not succeeded:
            return BreakerMove.PROBE_FAILED
        self.successes += 1
        return BreakerMove.PROVED if self.successes >= limits.successes_to_close else None

    def _judge_window(self, limits: BreakerLimits) -> BreakerMove | None:
        calls = sum(bucket.calls for bucket in self.window)
        failed = sum(bucket.failed for bucket in self.window)
        unknown = sum(bucket.unknown for bucket in self.window)
        rate = limits.failure_rate * (1 - limits.tighten * (1 - self.health))
        trips = (
            self.failures >= limits.consecutive_failures
            or (calls >= limits.failure_min_calls and failed / calls >= rate)
            or (calls >= limits.unknown_min_calls and unknown / calls > limits.unknown_rate)
        )
        return BreakerMove.TRIPPED if trips else None

    def _move(self, move: BreakerMove, limits: BreakerLimits, now_ms: int, draw: float) -> None:
        self.state = TRANSITIONS[self.state, move]
        self.epoch += 1
        self.successes = 0
        if self.state is BreakerState.OPEN:
            self._open(move, limits, now_ms, draw)
        elif self.state is BreakerState.CLOSED:
            self.failures, self.window, self.closed_ms = 0, [], now_ms

    def _open(self, move: BreakerMove, limits: BreakerLimits, now_ms: int, draw: float) -> None:
        if move is BreakerMove.PROBE_FAILED:
            self.doublings = min(self.doublings + 1, MOST_DOUBLINGS)
        elif now_ms - self.closed_ms >= CALM * limits.open_s * 1000:
            self.doublings = 0
        open_s = min(limits.open_s * 2**self.doublings, limits.max_open_s)
        self.until_ms = now_ms + math.floor(open_s * 1000 * (1 + limits.open_jitter * draw))
        self.opened += 1


def _bucket_number(limits: BreakerLimits, now_ms: int) -> int:
    return math.floor(now_ms / (limits.window_s * 1000 / BUCKETS))
