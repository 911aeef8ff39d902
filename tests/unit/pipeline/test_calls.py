"""Which calls are made again at once: what never left, and what only reads; at most twice, and not past the lease."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
from support.scripted_gateway import ScriptedGateway

from aegis_worker.clock import clock_s
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, NotFound, NotSent, Operation, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.pipeline import calls
from aegis_worker.pipeline.work import Ask, SendAgain

REQUEST = GatewayRequest(
    Operation.PROCESS, "pay_1", "pay_1-p1", PaymentTerms(Money(1999, "USD"), {"type": "card"})
)
SEND = SendAgain(REQUEST, until_s=math.inf)
ASK = Ask(StatusQuery(Operation.PROCESS, "pay_1-p1"))
REFUSED, NO_ANSWER = NotSent("refused"), Unknown("reset")


def call(gateway, step, send_until_s):
    """Make the call and wait for its answer."""
    answer = wait_for(partial(calls.begin_call, gateway, step, send_until_s), calls.longest_s(gateway), STUCK)
    assert not isinstance(answer, BaseException)
    return answer


def made(step, *outcomes):
    """The answer, and how many calls it took; the last outcome stands for every further call."""
    left = list(outcomes)

    def next_outcome(_):
        return left.pop(0) if len(left) > 1 else left[0]

    gateway: Any = ScriptedGateway("a", next_outcome)
    gateway.look_up = next_outcome
    answer = call(gateway, step, clock_s() + 60)
    assert answer is not None
    return answer.outcome, len(gateway.calls) + len(gateway.look_ups)


@pytest.mark.parametrize(
    ("step", "outcomes", "ends", "calls_made"),
    [
        (SEND, [REFUSED], REFUSED, 3),
        (SEND, [REFUSED, Approved("ch_1")], Approved("ch_1"), 2),
        (SEND, [NotSent("slow", kind=NotSentKind.TIMEOUT)], NotSent("slow", kind=NotSentKind.TIMEOUT), 1),
        (SEND, [NotSent("429", kind=NotSentKind.RATE_LIMIT)], NotSent("429", kind=NotSentKind.RATE_LIMIT), 1),
        (SEND, [NO_ANSWER], NO_ANSWER, 1),
        (ASK, [NO_ANSWER], NO_ANSWER, 3),
        (ASK, [NO_ANSWER, NotFound()], NotFound(), 2),
        (ASK, [Unknown("503", kind=UnknownKind.HTTP_5XX)], Unknown("503", kind=UnknownKind.HTTP_5XX), 1),
        (ASK, [NotFound()], NotFound(), 1),
    ],
)
def test_only_what_never_left_or_only_reads_is_repeated(step, outcomes, ends, calls_made):
    assert made(step, *outcomes) == (ends, calls_made)


def test_a_call_is_not_repeated_once_the_lease_may_have_ended(monkeypatch):
    times = iter([0.0, 0.0, 0.0, 100.0])
    monkeypatch.setattr(calls, "clock_s", lambda: next(times))
    gateway: Any = ScriptedGateway("a", lambda request: REFUSED)
    answer = call(gateway, SEND, 50.0)
    assert answer is not None
    assert answer.outcome == REFUSED
    assert len(gateway.calls) == 1


def test_a_call_is_not_made_once_the_lease_may_have_ended_but_a_look_up_is():
    gateway: Any = ScriptedGateway("a", lambda request: REFUSED)
    gateway.look_up = lambda query: NotFound()
    over = clock_s() - 1.0
    assert call(gateway, SEND, over) is None
    assert gateway.calls == []
    asked = call(gateway, ASK, over)
    assert asked is not None
    assert asked.outcome == NotFound()
