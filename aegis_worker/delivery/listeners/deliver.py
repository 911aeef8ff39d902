"""Tell hooks what is due: claim, ask side by side, settle in groups as answers come, and claim again meanwhile.

Each hook has rounds of its own, so one that is slow holds up no other. The events of one payment reach a hook one after the
other. What a hook doesn't take is told again after the pauses of webhooks, and given up after as many tries.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from queue import Empty, SimpleQueue

import structlog
from msgspec import Struct

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.delivery.ladder import next_delay_s
from aegis_worker.hooks import Hooks, Point, Said
from aegis_worker.persistence import hook_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.hook_rows import ClaimedForHook, Failure, Listener

from .contexts import context_of, listeners_of

log = structlog.get_logger(__name__)

# How long one telling may take at most, whatever the hook's own limit is. A lease is longer.
LONGEST_S = 30.0
# Deliveries of one hook that a run takes at once: many, which costs least for each, once hooks have shown that they are
# quick. What a slow hook has not heard in time is put back, which costs a write.
_OF_EACH, _OF_EACH_QUICK = 64, 256
# How many of them are on their way to the hook's processes: more where it is quick, so that these needn't wait, and no more
# than it can have heard long before LONGEST_S.
_FEWEST_AT_ONCE, _MOST_AT_ONCE, _HEARD_WITHIN_MS = 2, 128, LONGEST_S * 500
_LOOK_AGAIN_S, _GATHER_S = 0.2, 0.01


@dataclass(frozen=True, slots=True)
class ListenReport:
    """What one run did, in deliveries. `failed`: will be told again; `dead`: given up; `more`: something may be left."""

    claimed: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    more: bool = False


class Told(Struct, frozen=True):
    """What came of telling a hook; `error` is None where it took the event, in `took_ms`. `crowded_out`: it was not told,
    because its processes were busy with others.
    """

    delivery: ClaimedForHook
    error: str | None = None
    took_ms: float = 0.0
    crowded_out: bool = False


@dataclass(slots=True)
class _Round:
    """What a run has in hand for one hook: `waiting` is not told yet, and not told any more after `tell_before_s`."""

    waiting: list[ClaimedForHook] = field(default_factory=list)
    telling: int = 0
    at_once: int = _FEWEST_AT_ONCE
    tell_before_s: float = 0.0

    @property
    def is_over(self) -> bool:
        return not self.waiting and not self.telling

    def over(self, told: Told) -> None:
        """One telling has ended; how long it took says how many may be on their way at once."""
        self.telling -= 1
        quick = 0 if told.error is not None else int(_HEARD_WITHIN_MS / max(told.took_ms, 1.0))
        self.at_once = max(_FEWEST_AT_ONCE, min(_MOST_AT_ONCE, quick))


class HookDelivery:
    """Tells the hooks of this process. `lease_s` must be longer than LONGEST_S; a delivery is dead after `max_tries`."""

    def __init__(self, database: Database, hooks: Hooks, *, lease_s: float, max_tries: int) -> None:
        self._database, self._hooks = database, hooks
        self._lease_s, self._max_tries = lease_s, max_tries

    @cached_property
    def listeners(self) -> tuple[Listener, ...]:
        """The hooks that it tells. Known once hooks are loaded."""
        return listeners_of(self._hooks)

    def run(self, *, budget_s: float, stopped: Callable[[], bool] = lambda: False) -> ListenReport:
        """Tell until nothing is due; begin nothing more after `budget_s` or once `stopped`. Raises DatabaseUnavailable."""
        stop_at = time.monotonic() + budget_s
        run = _Run(self._database, self._hooks, self.listeners, self._lease_s, self._max_tries)
        return run.until_nothing_is_due(lambda: stopped() or time.monotonic() >= stop_at)


class _Run:
    def __init__(
        self,
        database: Database,
        hooks: Hooks,
        listeners: Sequence[Listener],
        lease_s: float,
        max_tries: int,
    ) -> None:
        self._database, self._hooks = database, hooks
        self._lease_s, self._max_tries = lease_s, max_tries
        self._rounds: Mapping[Listener, _Round] = {listener: _Round() for listener in listeners}
        self._done: SimpleQueue[Told] = SimpleQueue()
        self._rng = random.Random()
        self._found = set(listeners)
        self._claimed = self._delivered = self._failed = self._dead = 0

    def until_nothing_is_due(self, ends: Callable[[], bool]) -> ListenReport:
        is_over = ends()
        while True:
            if not is_over:
                self._claim()
            put_back = self._begin(is_over)
            told = self._finished()
            self._settle(told, put_back)
            if all(one.is_over for one in self._rounds.values()) and (is_over or not self._found):
                break
            is_over = is_over or ends()
        return ListenReport(self._claimed, self._delivered, self._failed, self._dead, bool(self._found))

    def _claim(self) -> None:
        """Take up what is due for hooks that have nothing in hand, unless their last claim found nothing."""
        free = [listener for listener in self._found if self._rounds[listener].is_over]
        if not free:
            return
        tell_before_s = clock_s() + self._lease_s - LONGEST_S
        are_quick = all(self._rounds[listener].at_once == _MOST_AT_ONCE for listener in free)
        of_each = _OF_EACH_QUICK if are_quick else _OF_EACH
        claim = partial(hook_rows.claim, listeners=free, of_each=of_each, lease_s=self._lease_s)
        claimed = self._database.run(claim)
        self._found.difference_update(free)
        self._claimed += len(claimed)
        for delivery in claimed:
            one = self._rounds[delivery.listener]
            one.waiting.append(delivery)
            one.tell_before_s = tell_before_s
            self._found.add(delivery.listener)
        if claimed:
            crash_point("hook.claimed")

    def _begin(self, is_over: bool) -> list[ClaimedForHook]:
        """Tell hooks as much as they may be told at once. Returns what is not told any more in this run."""
        put_back: list[ClaimedForHook] = []
        for one in self._rounds.values():
            if one.waiting and (is_over or clock_s() >= one.tell_before_s):
                put_back += one.waiting
                one.waiting = []
            while one.waiting and one.telling < one.at_once:
                one.telling += 1
                self._tell(one.waiting.pop(0))
        return put_back

    def _tell(self, delivery: ClaimedForHook) -> None:
        point, context = Point(delivery.listener.point), context_of(delivery.listener.point, delivery.event)

        def done(said: Sequence[Said]) -> None:
            self._done.put(_told(delivery, said[0]) if said else Told(delivery))

        if context is None:  # another version of the code made this delivery
            done(())
            return
        self._hooks.begin(point, context, done, within_s=LONGEST_S, only=delivery.listener.hook)

    def _finished(self) -> list[Told]:
        """What hooks said since the last call. Waits a little for the first, and for others to join it."""
        if not any(one.telling for one in self._rounds.values()):
            return []
        told: list[Told] = []
        try:
            told.append(self._done.get(timeout=_LOOK_AGAIN_S))
            time.sleep(_GATHER_S)
            while True:
                told.append(self._done.get_nowait())
        except Empty:
            return told

    def _settle(self, told: Sequence[Told], put_back: Sequence[ClaimedForHook]) -> None:
        if not told and not put_back:
            return
        taken = [one.delivery for one in told if one.error is None]
        put_back = [*put_back, *(one.delivery for one in told if one.crowded_out)]
        failures = [
            self._failure(one.delivery, one.error)
            for one in told
            if one.error is not None and not one.crowded_out
        ]
        crash_point("hook.told")
        settle = partial(hook_rows.settle, taken=taken, failures=failures, put_back=put_back)
        self._database.run(settle)
        for one in told:
            self._rounds[one.delivery.listener].over(one)
        self._delivered += len(taken)
        for failure in failures:
            self._count(failure)

    def _failure(self, delivery: ClaimedForHook, error: str) -> Failure:
        tries = delivery.tries + 1
        return Failure(delivery, error, None if tries >= self._max_tries else next_delay_s(tries, self._rng))

    def _count(self, failure: Failure) -> None:
        if failure.delay_s is not None:
            self._failed += 1
            return
        self._dead += 1
        listener = failure.delivery.listener
        log.warning(
            "hook given up on an event",
            hook=listener.hook,
            point=listener.point,
            event_id=failure.delivery.event.id,
            error=failure.error,
        )


def _told(delivery: ClaimedForHook, said: Said) -> Told:
    return Told(delivery, said.failed, said.took_ms, said.crowded_out)
