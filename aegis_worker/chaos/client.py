"""Stands between an adapter's flow and the engine, for one call of the pipeline, and does to it what the plan says.

What is struck still keeps the engine's word (design D4): what never left is NotSent, and what may have left is an answer
or Unknown. `may_leave` is asked where a call is only said to have left, as the engine asks it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from aegis_worker.domain.marks import Marks
from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.exchange.driver import Client
from aegis_worker.exchange.transfers import Done, Result
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall

from .answers import error_answer, invalid_answer, other_payments_answer
from .plan import Injection, Kind, Occasion, Plan, call_delay_s

_TOO_LATE = NotSent("it was too late to send it", kind=NotSentKind.TIMEOUT)
_STATUS = {Kind.HTTP_429: 429, Kind.HTTP_500: 500, Kind.HTTP_503: 503}


class Strikes(Protocol):
    """Says what strikes, and is told of it."""

    plan: Plan

    def strikes(self, occasion: Occasion, call: int) -> list[Injection]:
        """What strikes this HTTP call of the occasion."""

    def tell(self, one: Injection, occasion: Occasion, marks: Marks) -> None:
        """It has struck."""


class StruckClient:
    """A `driver.Client`. `names`: the gateway's own ids of the payment, as far as we know them."""

    def __init__(
        self,
        client: Client,
        chaos: Strikes,
        occasion: Occasion,
        marks: Marks,
        config: GatewayConfig,
        names: Sequence[str],
    ) -> None:
        self._client, self._chaos, self._occasion, self._marks = client, chaos, occasion, marks
        self._config, self._names = config, names
        self._calls = 0

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """As the engine does."""
        self._client.after(seconds, callback)

    def begin(
        self, call: HttpCall, done: Done, *, deadline: float, may_leave: Callable[[], bool] | None
    ) -> None:
        """Have the call made, unless something strikes it."""
        number, self._calls = self._calls, self._calls + 1
        late_s, ending = 0.0, None
        for one in self._chaos.strikes(self._occasion, number):
            if one.kind is Kind.LATENCY:
                late_s += call_delay_s(self._chaos.plan.seed, one, self._occasion, number)
                self._tell(one)
            else:
                ending = one
        ends_at_s = min(deadline, time.monotonic() + self._config.timeout_s)
        if late_s:
            done = self._later(done, late_s, ends_at_s)
        if ending is None:
            self._client.begin(call, done, deadline=deadline, may_leave=may_leave)
        elif ending.kind is Kind.NETWORK_ERROR:
            self._tell(ending)
            self._end(done, NotSent("injected: the connection was refused"))
        elif ending.kind is Kind.NO_SOCKETS:
            self._tell(ending)
            none = NotSent("injected: no socket is free", kind=NotSentKind.TIMEOUT)
            wait_s = min(self._config.connect_timeout_s, max(deadline - time.monotonic(), 0.0))
            self._client.after(wait_s, lambda: done(none))
        elif ending.kind is Kind.TIMEOUT:
            self._time_out(ending, call, done, deadline, may_leave, ends_at_s)
        elif ending.kind in _STATUS and not ending.reaches:
            if may_leave is not None and not may_leave():
                self._end(done, _TOO_LATE)
            else:
                self._tell(ending)
                self._end(done, error_answer(_STATUS[ending.kind], ending.retry_after_s))
        else:
            answered = self._replacing(ending, done)
            self._client.begin(call, answered, deadline=deadline, may_leave=may_leave)

    def _time_out(
        self,
        ending: Injection,
        call: HttpCall,
        done: Done,
        deadline: float,
        may_leave: Callable[[], bool] | None,
        ends_at_s: float,
    ) -> None:
        """Wait as long as the engine would for an answer that does not come."""
        if not ending.reaches and may_leave is not None and not may_leave():
            self._end(done, _TOO_LATE)
            return
        silence = Unknown("injected: no answer came in time", kind=UnknownKind.ANSWER_TIMEOUT)

        def silent(result: Result) -> None:
            if isinstance(result, NotSent):
                done(result)
                return
            self._tell(ending)
            self._client.after(max(ends_at_s - time.monotonic(), 0.0), lambda: done(silence))

        if ending.reaches:
            self._client.begin(call, silent, deadline=deadline, may_leave=may_leave)
        else:
            silent(silence)

    def _replacing(self, ending: Injection, done: Done) -> Done:
        """Tells `done` of something else than what the gateway answered. What was not sent stays what it is."""

        def answered(result: Result) -> None:
            other = None if isinstance(result, NotSent) else self._other(ending, result)
            if other is None:
                done(result)
            else:
                self._tell(ending)
                done(other)

        return answered

    def _other(self, ending: Injection, result: HttpAnswer | Unknown) -> Result | None:
        if ending.kind is Kind.CHARGE_THEN_DROP:
            return Unknown("injected: the connection was lost before the answer came")
        if ending.kind in _STATUS:
            return error_answer(_STATUS[ending.kind], ending.retry_after_s)
        if isinstance(result, Unknown):
            return None
        if ending.kind is Kind.INVALID_ANSWER:
            return invalid_answer(result)
        return other_payments_answer(result, self._names)

    def _later(self, done: Done, late_s: float, ends_at_s: float) -> Done:
        """Tells `done` later, at the latest when the engine would have given up."""

        def answered(result: Result) -> None:
            left_s = max(ends_at_s - time.monotonic(), 0.0)
            if isinstance(result, NotSent) or late_s <= left_s:
                self._client.after(0.0 if isinstance(result, NotSent) else late_s, lambda: done(result))
                return
            silence = Unknown("injected: the answer came too late", kind=UnknownKind.ANSWER_TIMEOUT)
            self._client.after(left_s, lambda: done(silence))

        return answered

    def _end(self, done: Done, result: Result) -> None:
        # On the engine's thread, as every result: the flow is in the midst of asking for the call.
        self._client.after(0.0, lambda: done(result))

    def _tell(self, one: Injection) -> None:
        self._chaos.tell(one, self._occasion, self._marks)
