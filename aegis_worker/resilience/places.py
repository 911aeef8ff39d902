"""The places of one process at one gateway: how many of its calls may be out there, calls and look-ups apart."""

from __future__ import annotations

from collections import defaultdict
from enum import Enum, auto

from .gate import Gate
from .permits import STATUS, Wanted

LONGEST_WAIT_S = 30.0
_TYPICAL_S = 0.25
# The mean latency looks back over about ten calls.
_OLD_WEIGHT = 0.9


class Taken(Enum):
    """What came of asking for a place."""

    NEW = auto()
    HELD = auto()
    FULL = auto()


_Held = dict[tuple[str, str], float]


class Places:
    """Those of one gateway. Times in seconds of the caller's clock."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        # By lane: who holds a place, and until when; the ones that end first stand first.
        self._held: tuple[_Held, _Held] = ({}, {})
        self._latency_s: list[float | None] = [None, None]
        # When the last one who waits is to ask again: one queue for places and one for probes, in each lane.
        self._next_s: dict[tuple[str, bool], float] = defaultdict(float)

    def take(self, wanted: Wanted, now_s: float) -> Taken:
        """Hold a place for the call, if it fits in. Asked again, it stays the same place."""
        lane, place = wanted.operations[0] == STATUS, (wanted.operations[0], wanted.operation_id)
        held = self._held[lane]
        is_held = held.pop(place, None) is not None
        if not is_held and not self._fits(lane, now_s):
            return Taken.FULL
        held[place] = now_s + self._gate.place_s
        return Taken.HELD if is_held else Taken.NEW

    def give_back(self, wanted: Wanted) -> bool:
        """Whether the call held a place, which is free now."""
        lane, place = wanted.operations[0] == STATUS, (wanted.operations[0], wanted.operation_id)
        return self._held[lane].pop(place, None) is not None

    def took(self, wanted: Wanted, latency_ms: float) -> None:
        """How long a call took, for `wait_s`."""
        lane = wanted.operations[0] == STATUS
        new_s, old_s = latency_ms / 1000, self._latency_s[lane]
        self._latency_s[lane] = new_s if old_s is None else new_s + (old_s - new_s) * _OLD_WEIGHT

    def wait_s(self, wanted: Wanted, now_s: float) -> float:
        """In how many seconds to ask again for a place; see `_spaced_s`."""
        own = self._held[wanted.operations[0] == STATUS]
        # If its own lane is not full, the call found no room because both lanes together are full.
        full = (own,) if len(own) >= self._gate.lane_share else self._held
        newest_until_s = [next(reversed(held.values())) for held in full if held]
        # Nobody holds a place any more where all came back meanwhile, such as those of calls that a breaker then refused.
        quiet_s = now_s + self._gate.place_s - max(newest_until_s) if newest_until_s else 0.0
        return self._spaced_s("place", wanted, now_s, self._gate.lane_share, quiet_s)

    def probe_wait_s(self, wanted: Wanted, now_s: float, quiet_s: float) -> float:
        """In how many seconds to ask again for a probe, where none was let out for `quiet_s`; see `_spaced_s`."""
        return self._spaced_s("probe", wanted, now_s, self._gate.breaker.probes, quiet_s)

    def out(self, operation: str, now_s: float) -> int:
        """The calls of one operation that are out."""
        held = self._held[operation == STATUS]
        return sum(1 for (own, _), until_s in held.items() if own == operation and until_s > now_s)

    def _fits(self, lane: bool, now_s: float) -> bool:
        if self._has_room(lane):
            return True
        for held in self._held:
            while held and next(iter(held.values())) <= now_s:
                del held[next(iter(held))]
        return self._has_room(lane)

    def _has_room(self, lane: bool) -> bool:
        calls, lookups = self._held
        return len(self._held[lane]) < self._gate.lane_share and len(calls) + len(lookups) < self._gate.share

    def _spaced_s(self, what: str, wanted: Wanted, now_s: float, at_once: int, quiet_s: float) -> float:
        """In how many seconds a call that found no room is to ask again.

        Those who wait stand in a queue, which `at_once` of them leave in the time that one call takes. Where nobody was let
        in for `quiet_s`, calls hang; then it is at least as long again, so that whoever waits asks ever less often.
        """
        lane = wanted.operations[0] == STATUS
        latency_s = self._latency_s[lane]
        step_s = (_TYPICAL_S if latency_s is None else latency_s) / at_once
        next_s = min(max(now_s, self._next_s[what, lane]) + step_s, now_s + LONGEST_WAIT_S)
        self._next_s[what, lane] = next_s
        return min(max(next_s - now_s, quiet_s), LONGEST_WAIT_S)
