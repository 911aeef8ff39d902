"""The gates in front of every call to a gateway: circuit breakers, probe permits, limits of calls at once and a second.

Breakers, permits and places are kept in Redis for all workers. In front of them each process has places of its own, so
that one slow gateway can't take all of its calls and never finds its connections used up. While Redis can't be asked, the
process goes on with breakers of its own, from the states that it saw last; once Redis answers, its states are used again.
Nothing here decides whether money moves: without gates, a payment is charged once all the same.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from redis import Redis, RedisError

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.observability.telling import TELLING

from .breaker import Draw
from .breaker_replies import Seen, refusal
from .gate import Gate, Guarded, gate_of
from .health import gateway_health
from .health_window import HealthWindow, RecentCalls
from .local_breakers import LocalBreakers
from .permits import BreakerView, CallResult, GatewayHealth, Said, Verdict, Wanted
from .places import Places, Taken
from .shared_breakers import SharedBreakers

log = structlog.get_logger(__name__)

# After a failure Redis is left alone for this long, so that a dead Redis costs one short wait and not one per batch.
_PAUSE_AFTER_FAILURE_S = 5.0
_LOOKED_FOR_S = 0.5
_TURNS_KEY, _TURNS_KEPT_MS = "aegis:gate:turns", 86_400_000
_WORST_LAST = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)

T = TypeVar("T")
Views = Mapping[str, Mapping[str, BreakerView]]


def build_gates(redis: Redis, gateways: Mapping[str, Guarded], *, calls_in_flight: int) -> SharedGates:
    """The gates of `gateways`, for a process that can make `calls_in_flight` calls at once."""
    alone = len(gateways) == 1
    gates = {
        name: gate_of(name, gateway, calls_in_flight=calls_in_flight, alone=alone)
        for name, gateway in gateways.items()
    }
    return SharedGates(redis, gates, draw=partial(random.Random().uniform, -1.0, 1.0))


@dataclass(frozen=True, slots=True)
class _Looked:
    at_s: float
    views: Views
    health: Mapping[str, GatewayHealth]


class SharedGates:
    """Implements `permits.Gates`. Threads may share it."""

    def __init__(
        self,
        redis: Redis,
        gates: Mapping[str, Gate],
        *,
        draw: Draw,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis, self._gates, self._draw, self._clock = redis, gates, draw, clock
        self._shared = SharedBreakers(redis, gates, draw)
        self._window = HealthWindow(gates)
        self._places = {name: Places(gate) for name, gate in gates.items()}
        self._local: LocalBreakers | None = None
        self._seen: dict[tuple[str, str], tuple[Seen, int]] = {}
        self._recent: Mapping[str, RecentCalls] = {}
        self._looked: _Looked | None = None
        self._turns = 0
        self._skip_until_s = 0.0
        self._lock = threading.Lock()

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        """One verdict for each, in order; all in one round trip."""
        now_s = self._clock()
        with self._lock:
            taken = [self._places[one.gateway].take(one, now_s) for one in wanted]
        asked = [
            (one, place is Taken.HELD)
            for one, place in zip(wanted, taken, strict=True)
            if place is not Taken.FULL
        ]
        answers = iter(self._asked(asked))
        verdicts = []
        with self._lock:
            for one, place in zip(wanted, taken, strict=True):
                verdict = self._full(one, now_s) if place is Taken.FULL else next(answers)
                if place is Taken.NEW and not verdict.granted:
                    self._places[one.gateway].give_back(one)
                verdicts.append(verdict)
        return verdicts

    def report(self, results: Sequence[CallResult]) -> None:
        """How granted calls ended."""
        if not results:
            return
        with self._lock:
            held = [self._ended(result) for result in results]
        queue = partial(self._window.record, results=results)
        seen = self._redis_or_none(lambda: self._shared.report(results, queue))
        with self._lock:
            if seen is not None:
                self._note(seen)
                return
            now_ms, self._looked = self._now_ms(), None
            for result, counts in zip(results, held, strict=True):
                self._own().report(result, now_ms, counts=counts)

    def forget(self, wanted: Sequence[Wanted]) -> None:
        """Granted calls that were never made: places and permits go back, nothing is counted."""
        self.report([CallResult(one, 0, Said.NOTHING, 0.0) for one in wanted])

    def health(self) -> Mapping[str, GatewayHealth]:
        """By gateway, at most half a second old."""
        return self._look().health

    def views(self) -> Views:
        """By gateway and operation: every breaker, at most half a second old."""
        return self._look().views

    def turns(self, count: int) -> int:
        """The first of `count` consecutive turns of the round robin that all workers share; without Redis, our own."""
        last = self._redis_or_none(partial(self._take_turns, count))
        with self._lock:
            self._turns = self._turns + count if last is None else last
            return self._turns - count

    def _take_turns(self, count: int) -> int:
        pipe = self._redis.pipeline(transaction=False)
        pipe.incrby(_TURNS_KEY, count)
        pipe.pexpire(_TURNS_KEY, _TURNS_KEPT_MS)
        return int(pipe.execute()[0])

    def _asked(self, wanted: Sequence[tuple[Wanted, bool]]) -> list[Verdict]:
        """The verdicts about calls, beside each of which stands whether it was let through before."""
        if not wanted:
            return []
        told = self._redis_or_none(lambda: self._shared.admit([one for one, _ in wanted]))
        with self._lock:
            if told is not None:
                verdicts, seen = told
                self._note(seen)
                return verdicts
            now_ms, self._looked = self._now_ms(), None
            return [self._own().admit(one, now_ms, again=again) for one, again in wanted]

    def _full(self, wanted: Wanted, now_s: float) -> Verdict:
        wait_s = self._places[wanted.gateway].wait_s(wanted, now_s)
        return refusal(self._gates[wanted.gateway], "l", wait_s, self._draw)

    def _ended(self, result: CallResult) -> bool:
        places = self._places[result.wanted.gateway]
        if not places.give_back(result.wanted):
            return False
        if result.said is not Said.NOTHING:
            places.took(result.wanted, result.latency_ms)
        return True

    def _look(self) -> _Looked:
        looked = self._looked
        if looked is None or self._clock() - looked.at_s > _LOOKED_FOR_S:
            looked = self._looked = self._look_again()
        return looked

    def _look_again(self) -> _Looked:
        at_s, read = self._clock(), []
        told = self._redis_or_none(
            lambda: self._shared.look(lambda pipe: read.append(self._window.read(pipe)))
        )
        with self._lock:
            if told is None:
                now_ms = self._now_ms()
                views: Views = {name: self._own().views(name, now_ms) for name in self._gates}
            else:
                breakers, replies = told
                self._note({name: one.seen for name, one in breakers.items()})
                views = {name: one.views for name, one in breakers.items()}
                self._recent = {
                    name: recent.since(
                        max(breakers[name].closed_ms[step] for step in self._gates[name].steps)
                    )
                    for name, recent in read[0](replies).items()
                }
            health = {name: self._health(gate, views[name]) for name, gate in self._gates.items()}
        return _Looked(at_s, views, health)

    def _health(self, gate: Gate, views: Mapping[str, BreakerView]) -> GatewayHealth:
        needed = [views[step] for step in gate.steps]
        return gateway_health(
            self._recent.get(gate.gateway, RecentCalls()),
            latency_target_ms=gate.latency_target_ms,
            timeout_ms=gate.timeout_ms,
            state=max((view.state for view in needed), key=_WORST_LAST.index),
            retry_in_s=max(view.retry_in_s for view in needed),
        )

    def _note(self, seen: Mapping[str, Sequence[Seen]]) -> None:
        at_ms = self._now_ms()
        for gateway, breakers in seen.items():
            for one in breakers:
                before = self._seen.get((gateway, one.operation))
                if before is None or before[0].epoch != one.epoch:
                    self._looked = None
                    if before is not None:
                        _tell_of(gateway, one)
                self._seen[gateway, one.operation] = one, at_ms

    def _own(self) -> LocalBreakers:
        if self._local is None:
            self._local = LocalBreakers(self._gates, self._places, self._seen, self._draw)
        return self._local

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _redis_or_none(self, use: Callable[[], T]) -> T | None:
        """What `use` returns, or None while Redis can't be asked."""
        if self._clock() < self._skip_until_s:
            return None
        try:
            told = use()
        except RedisError as error:
            self._skip_until_s = self._clock() + _PAUSE_AFTER_FAILURE_S
            if self._local is None:
                log.warning(
                    "breakers are this process's own for now", error=f"{type(error).__name__}: {error}"
                )
            return None
        self._local = None
        return told


def _tell_of(gateway: str, seen: Seen) -> None:
    """Each process tells of a change when it sees it."""
    if TELLING.wants("breaker", gateway):
        TELLING.tell(
            "breaker moved",
            gateway=gateway,
            operation=seen.operation,
            state=seen.state.value,
            retry_in_s=seen.retry_in_ms / 1000 if seen.retry_in_ms else None,
        )
