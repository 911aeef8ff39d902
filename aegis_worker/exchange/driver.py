"""Makes the calls that an adapter's flow yields, one after the other, without waiting for any of them (design D11).

The rules are written here once for every gateway: the result of a flow when a call gets no answer, how many calls it may
make, how long they may take together, and that an operation is in doubt when its adapter raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from aegis_worker.domain.cards import Card
from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.outcomes import Declined, NotSent, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.gateways.kit.flows import Flow, HttpCall, NoAnswer, OpenCard, Pause, Recall

from .opening import Opener
from .transfers import Done, Result

log = structlog.get_logger(__name__)

# No operation of a gateway that we know takes more than three calls.
MOST_CALLS = 8
_WITHOUT_VAULT = Opener()
_NO_TIME = NotSent("no time was left for the call", kind=NotSentKind.TIMEOUT)
T = TypeVar("T")
# Takes a call, its result, when it began (monotonic) and how long it took in milliseconds.
Notes = Callable[[HttpCall, Result, float, float], None]
# Reads what a gateway's account has told. May raise DatabaseUnavailable.
ReadTold = Callable[[Recall], Sequence[Told]]


def nothing_told(recall: Recall) -> Sequence[Told]:
    """For gateways whose webhooks are not kept."""
    return ()


class Client(Protocol):
    """Makes a call at most once, and says how sure it is: an answer, nothing sent, or unknown (design D4)."""

    def begin(
        self, call: HttpCall, done: Done, *, deadline: float, may_leave: Callable[[], bool] | None
    ) -> None:
        """Have the call made, and `done` called with its result by the `deadline` (monotonic). Network errors are never
        raised. If `may_leave` says no just before the first byte, nothing is sent.
        """

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back later."""


def make(
    flow: Flow[T],
    client: Client,
    done: Callable[[T | NotSent | Unknown], None],
    *,
    within_s: float,
    gateway: str,
    may_leave: Callable[[], bool] | None = None,
    notes: Notes | None = None,
    read_told: ReadTold = nothing_told,
    opener: Opener = _WITHOUT_VAULT,
) -> None:
    """Tell `done` what the flow returns or, if a call without an answer ended it, that call's outcome.

    A flow that needs no call ends before this returns; others end on the engine's thread, or where their card could not be
    had from the vault, on one of the opener's. All calls together take no
    longer than `within_s`; a call for which no time is left is not sent, nor one that changes something where `may_leave`
    says no. The flow is closed in any case. Adapters must not raise. If one does, its calls may have had an effect, so
    the outcome is `Unknown` and the log names the `gateway`. Each call is told to `notes` before the flow goes on with its
    result.
    """
    deadline = time.monotonic() + within_s
    _Operation(flow, client, done, deadline, gateway, may_leave, notes, read_told, opener).go_on(None)


class _Operation(Generic[T]):
    """A flow that is under way."""

    def __init__(
        self,
        flow: Flow[T],
        client: Client,
        done: Callable[[T | NotSent | Unknown], None],
        deadline: float,
        gateway: str,
        may_leave: Callable[[], bool] | None,
        notes: Notes | None,
        read_told: ReadTold,
        opener: Opener,
    ) -> None:
        self._flow, self._client, self._done = flow, client, done
        self._read_told, self._opener = read_told, opener
        self._deadline, self._gateway, self._may_leave = deadline, gateway, may_leave
        self._notes = notes
        self._calls, self._has_written, self._is_over = 0, False, False
        self._has_card = False

    def go_on(self, heard: Result | Sequence[Told] | Card | Declined | None) -> None:
        """Take the flow's next step, and tell how it ended if it has no more."""
        try:
            step = self._next_step(heard)
            while not self._is_begun(step):
                step = self._next_step(_NO_TIME)
            return
        except StopIteration as end:
            outcome: T | NotSent | Unknown = end.value
        except NoAnswer as none:
            outcome = _left_by(none.outcome, self._has_written)
        except _TooManyCalls:
            outcome = Unknown(f"the adapter asked for more than {MOST_CALLS} calls")
        except Exception as error:
            if self._is_over:
                raise  # not the adapter, but what was done with the outcome
            self._log(error, "adapter raised")
            outcome = Unknown(f"the adapter raised {type(error).__name__}")
        except BaseException:
            self._flow.close()
            raise
        self._end(outcome)

    def _next_step(
        self, heard: Result | Sequence[Told] | Card | Declined | None
    ) -> HttpCall | Pause | Recall | OpenCard:
        """Raises StopIteration when the flow returns, and NoAnswer if it does not catch it."""
        if isinstance(heard, NotSent | Unknown):
            return self._flow.throw(NoAnswer(heard))
        # Sending None starts a flow, and resumes it after a pause.
        return self._flow.send(heard)  # type: ignore[arg-type]

    def _is_begun(self, step: HttpCall | Pause | Recall | OpenCard) -> bool:
        """Begin the step. Returns False for a call for which no time is left."""
        if isinstance(step, Recall):
            self.go_on(self._recalled(step))
            return True
        if isinstance(step, OpenCard):
            self._has_card = True
            self._opener.begin(step, self.go_on, deadline=self._deadline)
            return True
        if isinstance(step, Pause):
            self._client.after(step.seconds, lambda: self.go_on(None))
            return True
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise _TooManyCalls
        only_reads, began_s = step.only_reads, time.monotonic()
        if began_s >= self._deadline:
            return False

        def answered(result: Result) -> None:
            self._has_written |= not (only_reads or isinstance(result, NotSent))
            if self._notes is not None:
                self._note(self._notes, step, result, began_s)
            self.go_on(result)

        may_leave = None if only_reads else self._may_leave
        self._client.begin(step, answered, deadline=self._deadline, may_leave=may_leave)
        return True

    def _note(self, notes: Notes, call: HttpCall, result: Result, began_s: float) -> None:
        try:
            notes(call, result, began_s, (time.monotonic() - began_s) * 1000)
        except Exception as error:
            # An outcome must not be lost because its exchange can't be noted. The error's text could quote the exchange.
            log.error("exchange not noted", gateway=self._gateway, error=type(error).__name__)

    def _recalled(self, step: Recall) -> Sequence[Told] | Unknown:
        try:
            return self._read_told(step)
        except DatabaseUnavailable as problem:
            # The payment's merchant reads the reason, and is not to be told where the database is.
            log.warning("what a gateway told can't be read", gateway=self._gateway, because=str(problem))
            return Unknown("what the gateway told can't be read, because the database does not answer")

    def _end(self, outcome: T | NotSent | Unknown) -> None:
        self._is_over = True
        try:
            self._flow.close()
        except Exception as error:
            self._log(error, "adapter raised at its end")
        self._done(outcome)

    def _log(self, error: Exception, message: str) -> None:
        """The error's text could quote what the flow was about to send, so with a card in the flow its type has to do."""
        if self._has_card:
            log.error(message, gateway=self._gateway, error=type(error).__name__)
        else:
            log.error(message, gateway=self._gateway, exc_info=error)


class _TooManyCalls(Exception):
    """The flow asked for more calls than any gateway needs."""


def _left_by(outcome: NotSent | Unknown, has_written: bool) -> NotSent | Unknown:
    """The outcome of an operation that a call without an answer ended.

    `NotSent` would let the payment go to another gateway. If an earlier call of the operation wrote something, only the
    adapter can know that it moved no money. It did not catch the exception, so `NotSent` becomes `Unknown`.
    """
    if has_written and isinstance(outcome, NotSent):
        return Unknown(f"an earlier call was answered, and then: {outcome.reason}")
    return outcome
