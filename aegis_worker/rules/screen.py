"""Screens the payments that a worker has claimed: asks the counters for all of them in one round trip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import structlog
from redis import RedisError

from aegis_worker.domain.screening import Finding

from .counters import Counting, SharedCounters
from .fields import Asked
from .judge import NOT_COUNTED, Counted, asks_of, asks_of_decline, findings_of, met_so_far
from .rule import RulesConfig
from .velocity import Disguise

log = structlog.get_logger(__name__)

# After Redis failed it is left alone for so long: a batch every 0.3 s would wait for it otherwise.
_REST_S = 1.0


class DeclinedCall(NamedTuple):
    """A call of a charge that was declined. `call` is the same whoever hears of it, and no other call's of the payment."""

    asked: Asked
    call: str


class Rules(Protocol):
    """The rules as the pipeline sees them. None of it raises, but DatabaseUnavailable where no rules were ever read."""

    def applies(self) -> bool:
        """Whether any rule is on; otherwise nobody need be asked."""

    def screen(self, asked: Sequence[Asked]) -> list[tuple[Finding, ...]]:
        """What the rules find in each of the payments."""

    def declined(self, calls: Sequence[DeclinedCall]) -> None:
        """Have declines counted, where any rule asks for them. A call may come again: it is counted once."""


class NoRules:
    """Where there are none."""

    def applies(self) -> bool:
        """Never."""
        return False

    def screen(self, asked: Sequence[Asked]) -> list[tuple[Finding, ...]]:
        """Nothing."""
        return [() for _ in asked]

    def declined(self, calls: Sequence[DeclinedCall]) -> None:
        """Nobody asks for them."""


NO_RULES = NoRules()


class Screener:
    """The rules that hold now, with counters in Redis. A payment may be asked about again: it is counted once."""

    def __init__(
        self,
        rules: Callable[[], RulesConfig],
        counters: SharedCounters,
        disguise: Disguise,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules, self._counters, self._disguise, self._clock = rules, counters, disguise, clock
        self._rests_until = 0.0
        self._failed: str | None = None

    def applies(self) -> bool:
        """Whether any rule is on."""
        return bool(self._rules().on)

    def screen(self, asked: Sequence[Asked]) -> list[tuple[Finding, ...]]:
        """What the rules find in each of the payments; where Redis can't be asked, what each rule says for that."""
        config = self._rules()
        met = [met_so_far(config, one, self._disguise.asking(one)) for one in asked]
        counting = [
            Counting(one.payment.id, asks)
            for one, rules in zip(asked, met, strict=True)
            if (asks := asks_of(rules))
        ]
        counted = self._counted(counting, config.most_entries) if counting else {}
        return [
            findings_of(config, rules, counted.get(one.payment.id, NOT_COUNTED))
            for one, rules in zip(asked, met, strict=True)
        ]

    def declined(self, calls: Sequence[DeclinedCall]) -> None:
        """Have declines counted, where any rule asks for them. What Redis does not take is not counted."""
        config = self._rules()
        if not config.counting_declines:
            return
        counting = [
            Counting(one.asked.payment.id, asks, one.call)
            for one in calls
            if (asks := asks_of_decline(config, one.asked, self._disguise.asking(one.asked, declines=1)))
        ]
        if counting:
            self._counted(counting, config.most_entries)

    def _counted(self, counting: Sequence[Counting], most_entries: int) -> dict[str, Counted]:
        failed = self._failed
        if failed is None or self._clock() >= self._rests_until:
            try:
                answers = self._counters.count(counting, most_entries)
            except RedisError as error:
                failed = f"Redis gave no answer ({type(error).__name__})"
                self._failed, self._rests_until = failed, self._clock() + _REST_S
                log.warning("rules can't ask their counters", why=type(error).__name__)
            else:
                self._failed = None
                return {
                    one.payment_id: Counted(
                        {ask.counter.id: value for ask, value in zip(one.asks, values, strict=True)}
                    )
                    for one, values in zip(counting, answers, strict=True)
                }
        return {one.payment_id: Counted({}, failed) for one in counting}
