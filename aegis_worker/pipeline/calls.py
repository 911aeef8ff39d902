"""One call to one gateway, made by the engine. Holds no thread, and no connection to the database."""

from __future__ import annotations

import time
from collections.abc import Callable

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.marks import Marks
from aegis_worker.domain.outcomes import Lookup, NotSent, Outcome, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.exchange.engine import ENGINE
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.discretion import discreet

from .work import Answer, Ask, Send, SendAgain

_POINTS = {
    Send: ("gateway.sending", "gateway.answered"),
    SendAgain: ("replay.sending", "replay.answered"),
    Ask: ("lookup.asking", "lookup.answered"),
}
# Repeat a call that failed at once, at most twice: a gateway that restarts or closes a kept connection is back in a moment.
# Slow failures are not repeated here, because they would hold a place in the window.
_PAUSES_S = (0.05, 0.2)


# An exception is what should not have happened; whoever takes up the answer raises it.
Done = Callable[[Answer | BaseException | None], None]


def begin_call(
    gateway: PaymentGateway,
    step: Send | SendAgain | Ask,
    send_until_s: float,
    done: Done,
    note: Note | None = None,
    marks: Marks | None = None,
) -> None:
    """Ask, or send unless `clock_s()` is past `send_until_s`: then `done` is told None, and nothing has left.

    A worker that was frozen between its commit and its call wakes up here. Whoever took over has asked the gateway, found
    nothing, and may have decided by it; a call that leaves now could be a charge that nobody waits for. And a repeat could
    find its key forgotten. The engine looks at the clock once more just before the first byte leaves; a freeze between that
    look and the byte is what no client can rule out. `note` is told of each exchange with the gateway.
    `marks`: what is done to the call on purpose.
    """
    before, _ = _POINTS[type(step)]
    crash_point(before)
    call = _Call(gateway, step, send_until_s, done, note, marks)
    if call.may_leave():
        call.begin()
    else:
        done(None)


def longest_s(gateway: PaymentGateway) -> float:
    """The longest that `begin_call` takes: a repeat begins only where the calls before it failed quickly."""
    return gateway.config.connect_timeout_s + sum(_PAUSES_S) + gateway.config.slowest_call_s


class _Call:
    """A call that is under way, and its repeats."""

    def __init__(
        self,
        gateway: PaymentGateway,
        step: Send | SendAgain | Ask,
        send_until_s: float,
        done: Done,
        note: Note | None,
        marks: Marks | None,
    ) -> None:
        self._gateway, self._step, self._send_until_s, self._done = gateway, step, send_until_s, done
        self._note, self._marks = note, marks
        self._started, self._asked_at_s = time.monotonic(), clock_s()
        self._pauses = list(_PAUSES_S)
        self._earlier: Outcome | Lookup | None = None
        self._is_late = False

    def may_leave(self) -> bool:
        """Whether it is not too late to send what changes something at the gateway."""
        if not isinstance(self._step, Ask) and clock_s() > self._send_until_s:
            self._is_late = True
        return not self._is_late

    def begin(self) -> None:
        """Make the call, for the first time or again."""
        step = self._step
        if isinstance(step, Ask):
            self._gateway.ask(step.query, self._answered, self._note)
        else:
            self._gateway.send(step.request, self._answered, self.may_leave, self._note)

    def _answered(self, outcome: Outcome | Lookup) -> None:
        try:
            if self._is_late and isinstance(outcome, NotSent):
                self._end(self._earlier)
            elif self._is_worth_a_repeat(outcome):
                self._earlier = outcome
                ENGINE.after(self._pauses.pop(0), self._repeat)
            else:
                self._end(outcome)
        except BaseException as error:
            self._done(error)

    def _repeat(self) -> None:
        if self.may_leave():
            self.begin()
        else:
            self._answered(NotSent("it was too late to send it"))

    def _is_worth_a_repeat(self, outcome: Outcome | Lookup) -> bool:
        elapsed_s = time.monotonic() - self._started
        is_quick = elapsed_s <= self._gateway.config.connect_timeout_s
        return bool(self._pauses) and is_quick and _may_repeat(self._step, outcome)

    def _end(self, outcome: Outcome | Lookup | None) -> None:
        if outcome is None:
            self._done(None)
            return
        _, after = _POINTS[type(self._step)]
        crash_point(after)
        latency_ms = (time.monotonic() - self._started) * 1000
        injected = None if self._marks is None else self._marks.text
        looked_up = isinstance(self._step, Ask)
        self._done(Answer(discreet(outcome), latency_ms, looked_up, self._asked_at_s, injected))


def _may_repeat(step: Send | SendAgain | Ask, outcome: Outcome | Lookup) -> bool:
    """Whether the same call may be made again at once: what never left, and what only reads."""
    if isinstance(step, Ask):
        return isinstance(outcome, Unknown) and outcome.kind is UnknownKind.NO_ANSWER
    return isinstance(outcome, NotSent) and outcome.kind is NotSentKind.NETWORK_ERROR
