"""Crash points: every place between two effects has a name, and a process can be told to die there.

`AEGIS_CRASH_AT=<point>[:n]` makes each process SIGKILL itself the n-th time that it gets to the point (default: the
first). SIGKILL and not an exception: nothing is cleaned up, as when the machine loses power. Refused in production.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from aegis_worker.domain.changes import Change
from aegis_worker.domain.outcomes import Operation
from aegis_worker.errors import ConfigurationError

# Which effects each point stands between: what has just happened, and what would be next.
POINTS: dict[str, tuple[str, str]] = {
    "intake.received": ("the request was validated", "the accepting statement, which is its own commit"),
    "intake.committed": ("the payment is accepted", "the hint"),
    "intake.hinted": ("the hint was handed over", "the answer to the merchant"),
    "card.sealed": ("a card is sealed in the vault's memory", "the payment's or the token's commit"),
    "card.kept": ("a token is committed in the vault's database", "the answer to the merchant"),
    "card.opened": ("a card is open for a call", "the call"),
    "capture.written": ("a capture is written, with its event and job", "their commit"),
    "capture.committed": ("a capture is accepted", "the hint"),
    "void.written": ("a cancel is written, with the payment's end or a job", "their commit"),
    "void.committed": ("a cancel is accepted", "the hint"),
    "refund.written": ("a refund is written, with its event and job", "their commit"),
    "refund.committed": ("a refund is accepted", "the hint"),
    "confirm.written": ("what a payer brought back is kept, its job woken", "their commit"),
    "confirm.committed": ("a confirm is committed", "the hint"),
    "gateway_event.written": ("a gateway's event is kept", "its commit"),
    "gateway_event.committed": ("a gateway's event is committed", "the hint"),
    "event_inbox.claimed": ("gateways' events are leased", "what they lead to"),
    "event_inbox.followed": ("a gateway's event has its payment asked about", "the next event"),
    "dispute.answered": ("gateways have said how disputes stand", "the record of it"),
    "dispute.written": ("a dispute, its payment and its events are written", "their commit"),
    "dispute.recorded": ("a dispute is committed", "the next one"),
    "job.claimed": ("jobs are claimed", "their locks"),
    "job.locked": ("jobs are claimed and locked", "the plan"),
    "screening.asked": ("payments count as begun", "asking hooks and rules about them"),
    "screening.answered": ("hooks and rules have answered", "anything done with what they said"),
    "gates.admitted": ("the gates have given their permits", "writing that the calls go out"),
    "attempt.written": ("attempts are written", "their commit"),
    "attempt.opened": ("attempts are committed as SENT", "the gateway calls"),
    "gateway.sending": ("a call is about to be made", "its first byte"),
    "gateway.answered": ("a gateway has answered a call", "anything done with the answer"),
    "replay.sending": ("a repeat with the same key is committed", "its first byte"),
    "replay.answered": ("a gateway has answered a repeat", "anything done with the answer"),
    "lookup.asking": ("a look-up is about to be made", "its first byte"),
    "lookup.answered": ("a gateway has answered a look-up", "anything done with the answer"),
    "closing.opened": ("attempts to close the door are committed as SENT", "their calls"),
    "closing.recorded": ("what became of closing the door is committed", "what follows from it"),
    "gates.reported": ("the gates know how calls ended", "what the answers mean"),
    "outcome.settled": ("what answers mean is decided", "the statement that records it"),
    "outcome.written": ("outcomes, events and outbox rows are written", "their commit"),
    "outcome.recorded": ("outcomes are committed", "the outbox hint and the next calls"),
    "job.released": ("locks are released", "the next claim"),
    "outbox.claimed": ("outbox rows are leased, deliveries made", "the stream"),
    "outbox.published": ("the stream has the events", "taking their rows out"),
    "outbox.removed": ("told rows are gone", "the next batch"),
    "webhook.claimed": ("deliveries are leased", "the first post"),
    "webhook.posted": ("an endpoint has answered", "the record of it"),
    "webhook.settled": ("deliveries are recorded", "the next claim"),
    "hook.claimed": ("deliveries to hooks are leased", "telling the first"),
    "hook.told": ("a hook has heard of an event", "the record of it"),
    "recheck.claimed": ("charges to ask about again are put off", "their look-ups"),
    "recheck.answered": ("gateways have answered rechecks", "the record of it"),
    "sweep.found": ("due jobs are counted", "their hints"),
    "reconcile.looked": ("what is stuck is known", "its repair"),
    "reconcile.repaired": ("what is stuck is repaired", "the row of the run"),
    "reconcile.written": ("the run is written down", "its report"),
    "audit.looked": ("a batch is checked, what is broken is frozen", "its incidents"),
    "audit.written": ("the incidents of a batch are written", "its place in the round"),
    "expiry.written": ("jobs are made that look after holds", "their commit"),
    "expiry.opened": ("jobs that look after holds are committed", "their hints"),
    "purge.deleted": ("a batch of what is old is gone", "the next batch"),
}

# Passed only where the card vault is on.
VAULT_POINTS = frozenset({"card.sealed", "card.kept", "card.opened"})

# Passed only where a hook of the worker's or a rule is configured.
SCREENING_POINTS = frozenset({"screening.asked", "screening.answered"})

# Passed only where a hook listens.
LISTENING_POINTS = frozenset({"hook.claimed", "hook.told"})

VARIABLE = "AEGIS_CRASH_AT"
# What a dying process writes to its standard error, so that whoever watches can count.
LAST_WORDS = "aegis: told to die at"


class _Armed:
    """The point of this process, and how many times it is still passed before."""

    def __init__(self, point: str, passes: int) -> None:
        self.point = point
        self._left = passes
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        if name != self.point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.write(2, f"{LAST_WORDS} {self.point}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)


# Told of each point that is reached, on the thread that reaches it.
_armed: Callable[[str], None] | None = None


def arm(environment: str) -> None:
    """Read AEGIS_CRASH_AT and go by it. Raises ConfigurationError as `check` does."""
    global _armed
    _armed = check(environment)


def check(environment: str) -> _Armed | None:
    """What AEGIS_CRASH_AT asks for. Raises ConfigurationError for an unknown point, and for any in production."""
    wanted = os.environ.get(VARIABLE, "")
    if not wanted:
        return None
    if environment == "production":
        raise ConfigurationError(f"{VARIABLE} is refused in production: it kills processes")
    point, colon, number = wanted.partition(":")
    if point not in POINTS or (colon and not (number.isdecimal() and int(number) > 0)):
        raise ConfigurationError(
            f"{VARIABLE}={wanted}: must be POINT or POINT:N; see `aegis crashtest --list`"
        )
    return _Armed(point, int(number or 1))


@contextmanager
def told_of_each_point(listener: Callable[[str], None]) -> Iterator[None]:
    """Within it this process dies nowhere, and `listener` is told of each point; it may hold up the thread that is there.

    For the lab, which steps workers from one effect to the next.
    """
    global _armed
    before, _armed = _armed, listener
    try:
        yield
    finally:
        _armed = before


def crash_point(name: str) -> None:
    """Die here if told to. Costs one comparison otherwise."""
    if _armed is not None:
        _armed(name)


def reached(changes: Sequence[Change], if_opened: str, if_answered: str) -> None:
    """The crash points of what was written."""
    if _armed is None:
        return
    if any(change.opened for change in changes):
        crash_point(if_opened)
    if any(change.answered for change in changes):
        crash_point(if_answered)


def reached_closing(changes: Sequence[Change], if_opened: str, if_answered: str) -> None:
    """The crash points of what was written about closing the door (design D16)."""
    if _armed is None:
        return
    if any(change.opened and change.opened.operation is Operation.CLOSE for change in changes):
        crash_point(if_opened)
    ended = [one for change in changes for one in (change.answered, change.beside) if one is not None]
    if any(one.operation is Operation.CLOSE for one in ended):
        crash_point(if_answered)
