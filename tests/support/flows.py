"""An operation of an adapter, answered call by call."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall, NoAnswer


def run(flow: Flow[Any], *answers: HttpAnswer | NotSent | Unknown) -> tuple[Any, list[HttpCall]]:
    """What the flow returns when its calls are answered so, one after the other, and the calls."""
    calls: list[HttpCall] = []
    try:
        step = next(flow)
        for given in answers:
            assert isinstance(step, HttpCall)
            calls.append(step)
            step = flow.send(given) if isinstance(given, HttpAnswer) else flow.throw(NoAnswer(given))
    except StopIteration as end:
        return end.value, calls
    raise AssertionError(f"it wants one more call: {step}")
