"""Accepting payments: idempotency key, payment, job, first event and outbox row in one statement, one commit.

The key's row is the lock of a request in flight: a second request with the same key waits for the first one's commit and
then replays its answer; when that takes too long it is told `idempotency_in_progress`. A crash before the commit leaves
nothing behind, so there is no stale "in progress" to clean up.

Requests that come at the same time share a statement (design D12), because a commit costs PostgreSQL as much as the rows
of a payment. Each keeps its own answer. One that would hold up the others is set apart and tried by itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from threading import BoundedSemaphore
from types import MappingProxyType

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.accepting import Born
from aegis_worker.errors import AegisError, DatabaseUnavailable, IdempotencyInProgress
from aegis_worker.persistence.accepting import kept
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.network_ids import agreed_under

from .command import Accepted, PaymentCommand, born, in_time, referring, refers_to, told_before
from .telling import tell_of_accepted
from .together import Together
from .writing import Patience, Writing

MOST_AT_ONCE = 1000
"""How many payments callers hand to `accept_all` at most: all of them are locked, written and answered together."""

# A list of more than `_FEW` is written beside the others, in a line of its own: its statement takes a tenth of a second,
# for which single payments should not wait. `_MOST_TOGETHER` bounds what the others wait for.
_FEW, _MOST_TOGETHER = 50, 200

# What is held up by another request may cost those beside it 50 ms, once: half of them until it shows, half for finding
# which one it is. Nothing is decided by that, so a lock that is busy for other reasons costs nothing but another try.
_BESIDE_OTHERS = Patience(first_ms=25, later_ms=2, tries_s=0.025, puts_off=True)
# By itself, a list waits about as long as a single payment (2 s), because it must not wait for each of its keys in turn.
_A_LIST = Patience(first_ms=500, later_ms=50, tries_s=1.5)
_A_SINGLE = Patience(first_ms=None, later_ms=50, tries_s=0.0)

# Those set apart hold a connection while they wait. So only a few may, or the pool would have none left for the others.
_APART_AT_ONCE, _WAIT_TO_BE_TRIED_S = 2, 3.0

Told = Mapping[str, Accepted | AegisError]

# For a request for which there was no time, because of those beside it. It goes with the next group: by itself it would
# wait behind those that are held up.
_UNDECIDED: Told = MappingProxyType({})
_TRIES_TOGETHER = 3


class Intake:
    """Accepts the payments of one process. Thread-safe; of the pool it takes at most four connections.

    `wait_s`: how long a request follows others at most, however often it has to. That should be as long as a statement may
    take.
    """

    def __init__(self, database: Database, *, wait_s: float) -> None:
        self._database, self._wait_s = database, wait_s
        self._few: Together[Sequence[Born], Told] = Together(
            self._write_together, size=len, most=_MOST_TOGETHER
        )
        self._many: Together[Sequence[Born], Told] = Together(
            self._write_together, size=len, most=MOST_AT_ONCE
        )
        self._apart = BoundedSemaphore(_APART_AT_ONCE)

    def accept(self, command: PaymentCommand) -> Accepted:
        """Accept a payment once per key. Durable when this returns.

        Raises the command's own refusal, IdempotencyKeyReused, IdempotencyInProgress, DuplicateReference, RowRefused or
        DatabaseUnavailable. Then nothing was written; only after DatabaseUnavailable it may be found that it was.
        """
        (told,) = self.accept_all([command])
        if isinstance(told, AegisError):
            raise told
        return told

    def accept_all(self, commands: Sequence[PaymentCommand]) -> list[Accepted | AegisError]:
        """Accept each payment once per key, as if they came one after the other; what each is told, in their order.

        Durable when this returns. An error stands for one payment, of which nothing was written: its command's own refusal,
        IdempotencyKeyReused, IdempotencyInProgress, DuplicateReference, RowRefused, or DatabaseUnavailable where others are
        accepted already.
        Raises DatabaseUnavailable when none is.
        """
        began_s = time.perf_counter()
        commands = self._referring(self._in_time(commands))
        asked = [born(command) for command in commands]
        crash_point("intake.received")
        if not asked:
            return []
        refused = {
            one.payment.id: (one, command.refused)
            for one, command in zip(asked, commands, strict=True)
            if command.refused is not None
        }
        acceptable = [one for one in asked if one.payment.id not in refused] if refused else asked
        by_id = self._told(acceptable) if acceptable else {}
        if refused:
            by_id = {**by_id, **self._told_refused(refused)}
        told = [by_id[one.payment.id] for one in asked]
        tell_of_accepted(asked, told, time.perf_counter() - began_s)
        if not any(isinstance(each, Accepted) for each in told):
            for each in told:
                if isinstance(each, DatabaseUnavailable):
                    # One of its own, because others are told the same one, each in a thread of theirs.
                    raise DatabaseUnavailable(str(each)) from each
        return told

    def _in_time(self, commands: Sequence[PaymentCommand]) -> Sequence[PaymentCommand]:
        """The commands; those for a time that can't be taken are refused. Only where one names a time is a clock read."""
        if all(command.terms.scheduled_at is None for command in commands):
            return commands
        with self._database.read() as connection:
            now = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        return [in_time(command, now) for command in commands]

    def _referring(self, commands: Sequence[PaymentCommand]) -> Sequence[PaymentCommand]:
        """The commands; those that charge without the payer refer to the payment at which the payer agreed. Only where one
        may is that looked up.
        """
        cards = [card for command in commands if (card := refers_to(command)) is not None]
        if not cards:
            return commands
        with self._database.read() as connection:
            agreed = agreed_under(connection, cards)
        return [referring(command, agreed) for command in commands]

    def _told_refused(
        self, refused: Mapping[str, tuple[Born, AegisError]]
    ) -> dict[str, Accepted | AegisError]:
        """What would not be accepted now may have been before: then it is a repetition, and gets that answer."""
        with self._database.read() as connection:
            found = kept(connection, [one.key for one, _ in refused.values()])
        return {
            payment_id: told_before(one, found[one.key]) if one.key in found else why
            for payment_id, (one, why) in refused.items()
        }

    def _told(self, asked: Sequence[Born]) -> Told:
        line = self._few if len(asked) <= _FEW else self._many
        until = time.monotonic() + self._wait_s
        for _ in range(_TRIES_TOGETHER):
            told = line.ask(asked, until=until)
            if told is None:
                break
            if told is not _UNDECIDED:
                return told
        return self._write_by_itself(asked)

    def _write_together(self, requests: Sequence[Sequence[Born]]) -> list[Told | None]:
        """What each request is told; None for one that another request holds up."""
        writing = self._written([one for request in requests for one in request], _BESIDE_OTHERS)
        return [
            None
            if any(one.payment.id in writing.held for one in request)
            else writing.told
            if all(one.payment.id in writing.told for one in request)
            else _UNDECIDED
            for request in requests
        ]

    def _write_by_itself(self, asked: Sequence[Born]) -> Told:
        """What a request is told that was set apart. What was written of it already is found by its ids."""
        if not self._apart.acquire(timeout=_WAIT_TO_BE_TRIED_S):
            busy = IdempotencyInProgress("this request, or one beside it, is still being accepted")
            return {one.payment.id: busy for one in asked}
        try:
            return self._written(asked, _A_SINGLE if len(asked) == 1 else _A_LIST).told
        finally:
            self._apart.release()

    def _written(self, asked: Sequence[Born], patience: Patience) -> Writing:
        writing = Writing(self._database, patience)
        writing.write(asked)
        if writing.accepted_any:
            crash_point("intake.committed")
        return writing
