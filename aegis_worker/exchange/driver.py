"""Makes the calls that a flow of an adapter asks for, one after the other, on the calling thread (design D11).

Written here once, for every gateway: what a flow comes to when a call has no answer, how many calls it may make and how
long they may take together, and that an adapter which fails leaves its operation in doubt.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Protocol, TypeVar

import structlog

from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall, NoAnswer, Pause

log = structlog.get_logger(__name__)

# No operation of a gateway that we know takes more than three.
MOST_CALLS = 8
T = TypeVar("T")


class Client(Protocol):
    """What makes a call, at most once, and says how sure it is: an answer, nothing sent, or unknown (design D4)."""

    def send(self, call: HttpCall, *, deadline: float) -> HttpAnswer | NotSent | Unknown:
        """The answer, or why there is none, by the `deadline` (monotonic). Raises nothing for what a network does."""


def make(flow: Flow[T], client: Client, *, within_s: float, gateway: str) -> T | NotSent | Unknown:
    """What the flow returns; where a call without an answer ended it, what that call says.

    All its calls together take no longer than `within_s`; one for which no time is left is not sent. The flow is closed
    in any case. An adapter promises not to raise; when one does all the same, its calls may have done something: the log
    says at which `gateway`.
    """
    deadline = time.monotonic() + within_s
    heard: HttpAnswer | NotSent | Unknown | None = None
    calls, has_written = 0, False
    try:
        with closing(flow):
            while True:
                step = _go_on(flow, heard)
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    heard = None
                    continue
                calls += 1
                if calls > MOST_CALLS:
                    return Unknown(f"the adapter asked for more than {MOST_CALLS} calls")
                heard = _send(step, client, deadline)
                has_written |= not (step.only_reads or isinstance(heard, NotSent))
    except StopIteration as end:
        result: T = end.value
        return result
    except NoAnswer as none:
        return _left_by(none.outcome, has_written)
    except Exception as error:
        log.exception("adapter raised", gateway=gateway)
        return Unknown(f"the adapter raised {type(error).__name__}")


def _go_on(flow: Flow[T], heard: HttpAnswer | NotSent | Unknown | None) -> HttpCall | Pause:
    """What the flow asks for next. Raises StopIteration at its end, and NoAnswer where it lets that pass."""
    if isinstance(heard, NotSent | Unknown):
        return flow.throw(NoAnswer(heard))
    # None begins a flow, and goes on after a pause.
    return flow.send(heard)  # type: ignore[arg-type]


def _send(call: HttpCall, client: Client, deadline: float) -> HttpAnswer | NotSent | Unknown:
    if time.monotonic() >= deadline:
        return NotSent("no time was left for the call", kind=NotSentKind.TIMEOUT)
    return client.send(call, deadline=deadline)


def _left_by(outcome: NotSent | Unknown, has_written: bool) -> NotSent | Unknown:
    """What an operation came to that a call without an answer ended.

    `NotSent` would let the payment go to another gateway. Where an earlier call of the operation wrote something, only
    the adapter can know that it moved no money, and it would have caught this.
    """
    if has_written and isinstance(outcome, NotSent):
        return Unknown(f"an earlier call was answered, and then: {outcome.reason}")
    return outcome
