"""Makes the calls that an adapter's flow yields, one after the other, on the calling thread (design D11).

The rules are written here once for every gateway: the result of a flow when a call gets no answer, how many calls it may
make, how long they may take together, and that an operation is in doubt when its adapter raises.
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

# No operation of a gateway that we know takes more than three calls.
MOST_CALLS = 8
T = TypeVar("T")


class Client(Protocol):
    """Makes a call at most once, and returns how sure it is: an answer, nothing sent, or unknown (design D4)."""

    def send(self, call: HttpCall, *, deadline: float) -> HttpAnswer | NotSent | Unknown:
        """Return the answer, or why there is none, by the `deadline` (monotonic). Network errors are never raised."""


def make(flow: Flow[T], client: Client, *, within_s: float, gateway: str) -> T | NotSent | Unknown:
    """Return what the flow returns or, if a call without an answer ended it, that call's outcome.

    All its calls together take no longer than `within_s`; a call for which no time is left is not sent. The flow is
    closed in any case. Adapters must not raise. If one does, its calls may have had an effect, so the outcome is
    `Unknown` and the log names the `gateway`.
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
    """The flow's next step. Raises StopIteration when it returns, and NoAnswer if the flow does not catch it."""
    if isinstance(heard, NotSent | Unknown):
        return flow.throw(NoAnswer(heard))
    # Sending None starts a flow, and resumes it after a pause.
    return flow.send(heard)  # type: ignore[arg-type]


def _send(call: HttpCall, client: Client, deadline: float) -> HttpAnswer | NotSent | Unknown:
    if time.monotonic() >= deadline:
        return NotSent("no time was left for the call", kind=NotSentKind.TIMEOUT)
    return client.send(call, deadline=deadline)


def _left_by(outcome: NotSent | Unknown, has_written: bool) -> NotSent | Unknown:
    """The outcome of an operation that a call without an answer ended.

    `NotSent` would let the payment go to another gateway. If an earlier call of the operation wrote something, only the
    adapter can know that it moved no money. It did not catch the exception, so `NotSent` becomes `Unknown`.
    """
    if has_written and isinstance(outcome, NotSent):
        return Unknown(f"an earlier call was answered, and then: {outcome.reason}")
    return outcome
