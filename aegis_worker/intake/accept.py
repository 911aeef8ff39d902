"""Accepting payments: idempotency key, payment, job, first event and outbox row in one statement, one commit.

The key's row is the lock of a request in flight: a second request with the same key waits for the first one's commit and
then replays its answer; when that takes too long it is told `idempotency_in_progress`. A crash before the commit leaves
nothing behind, so there is no stale "in progress" to clean up.

A list of payments is one statement too. Each payment stands by itself: where one of them waits for another request, or
PostgreSQL refuses its row, the list is divided until that one is alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.accepting import Born, KeptPayment, Key
from aegis_worker.errors import (
    AegisError,
    DatabaseUnavailable,
    DuplicateReference,
    IdempotencyInProgress,
    LockTimeout,
    RowRefused,
)
from aegis_worker.persistence.accepting import carried, insert, kept
from aegis_worker.persistence.database import UNIQUE_VIOLATION, Database, refuses_a_row, sqlstate

from .command import Accepted, PaymentCommand, born, marks, told_before, without_twins

# How long a list of payments waits for other requests that hold its keys: at first; then for each of its parts; and how
# long altogether, after which it waits no more. That is about what a single payment waits (2 s), because a list must not
# wait for each of its keys in turn.
_FIRST_WAIT_MS, _LATER_WAIT_MS, _WAITS_S = 500, 50, 2.0

MOST_AT_ONCE = 1000
"""How many payments callers hand to `accept_all` at most: all of them are locked, written and answered together."""


def accept(command: PaymentCommand, database: Database) -> Accepted:
    """Accept a payment once per key. Durable when this returns.

    Raises IdempotencyKeyReused, IdempotencyInProgress, DuplicateReference or DatabaseUnavailable; then nothing was
    written.
    """
    (told,) = accept_all([command], database)
    if isinstance(told, AegisError):
        raise told
    return told


def accept_all(commands: Sequence[PaymentCommand], database: Database) -> list[Accepted | AegisError]:
    """Accept each payment once per key, as if they came one after the other; what each is told, in their order.

    Durable when this returns. An error stands for one payment, of which nothing was written: IdempotencyKeyReused,
    IdempotencyInProgress, DuplicateReference, RowRefused, or DatabaseUnavailable where others are accepted already.
    Raises DatabaseUnavailable when none is.
    """
    asked = [born(command) for command in commands]
    intake = _Intake(database, alone=len(asked) == 1)
    crash_point("intake.received")
    left: Sequence[Born] = asked
    while left:
        wave, left = without_twins(left)
        intake.accept(wave)
        left = intake.without_decided(left)
    if intake.accepted_any:
        crash_point("intake.committed")
    return [intake.told[one.payment.id] for one in asked]


class _Intake:
    """Accepts the payments of one list. `told`: what each was told, by the payment id that it came with."""

    def __init__(self, database: Database, *, alone: bool) -> None:
        self.told: dict[str, Accepted | AegisError] = {}
        self._busy: set[tuple[str, ...]] = set()
        self._database = database
        self._wait_ms = None if alone else _FIRST_WAIT_MS
        self._last_wait_at = time.monotonic() + _WAITS_S

    @property
    def accepted_any(self) -> bool:
        """Whether something of the list is durable."""
        return any(isinstance(told, Accepted) for told in self.told.values())

    def accept(self, wave: Sequence[Born]) -> None:
        """Accept payments that share no key and no reference. Raises DatabaseUnavailable while nothing is durable."""
        parts: list[Sequence[Born]] = [sorted(wave, key=lambda one: one.key)]
        while parts:
            part = parts.pop()
            try:
                parts += self._accept_part(part)
            except DatabaseUnavailable as error:
                if not self.accepted_any:
                    raise
                self._refuse(part, error)

    def without_decided(self, left: Sequence[Born]) -> Sequence[Born]:
        """Answer the payments whose answer follows from what others were told; return the rest, for the next wave.

        Otherwise a body with the same key, or the same reference, in all of its lines would take a wave for each line.
        """
        if not left:
            return left
        try:
            with self._database.read() as connection:
                found = kept(connection, [one.key for one in left])
                duplicates = {one.payment.id: carrier for one, carrier in carried(connection, left)}
        except DatabaseUnavailable as error:
            if not self.accepted_any:
                raise
            self._refuse(left, error)
            return []
        self._tell_again(left, found)
        open_keys: set[Key] = set()
        for one in left:
            if one.payment.id in self.told:
                continue
            if not self._busy.isdisjoint(marks(one)):
                self._refuse([one], _in_progress())
            elif one.payment.id in duplicates and one.key not in open_keys:
                self._refuse([one], DuplicateReference(duplicates[one.payment.id]))
            else:
                open_keys.add(one.key)
        return [one for one in left if one.payment.id not in self.told]

    def _accept_part(self, part: Sequence[Born]) -> list[Sequence[Born]]:
        """Accept what can be accepted now; return the others, divided into parts that are to be tried again."""
        try:
            written = insert(self._database, part, wait_ms=self._wait_ms)
        except LockTimeout:
            return self._divided(part, _in_progress())
        except DBAPIError as error:
            if sqlstate(error) == UNIQUE_VIOLATION and "payments_live_reference" in str(error.orig):
                return self._without_duplicates(part)
            if not refuses_a_row(error):
                raise
            refused = RowRefused("PostgreSQL refuses the payment's rows")
            refused.__cause__ = error
            return self._divided(part, refused)
        for one in part:
            if one.payment.id in written:
                created_at, metadata = written[one.payment.id]
                # The metadata as PostgreSQL keeps it (1e2 becomes 100), so that a replay says the same to the byte.
                told = replace(one.payment, terms=replace(one.payment.terms, metadata=metadata))
                self.told[told.id] = Accepted(told, one.job_id, created_at, replayed=False)
        return self._replayed([one for one in part if one.payment.id not in written])

    def _replayed(self, known: Sequence[Born]) -> list[Sequence[Born]]:
        if not known:
            return []
        found = self._database.run(lambda connection: kept(connection, [one.key for one in known]))
        self._tell_again(known, found)
        pruned = [one for one in known if one.key not in found]
        return (
            self._divided(pruned, IdempotencyInProgress("this key is just being forgotten")) if pruned else []
        )

    def _without_duplicates(self, part: Sequence[Born]) -> list[Sequence[Born]]:
        with self._database.read() as connection:
            duplicates = carried(connection, part)
        if not duplicates:  # the payment with that reference has failed meanwhile
            return self._divided(part, DuplicateReference(None))
        for one, carrier in duplicates:
            self._refuse([one], DuplicateReference(carrier))
        left = [one for one in part if one.payment.id not in self.told]
        return [left] if left else []

    def _divided(self, part: Sequence[Born], why: AegisError) -> list[Sequence[Born]]:
        """Two parts to try, or none where `why` has found its payment or there is no more time to wait."""
        if len(part) == 1:
            self._refuse(part, why)
            return []
        if isinstance(why, IdempotencyInProgress):
            self._wait_ms = _LATER_WAIT_MS
            if time.monotonic() > self._last_wait_at:
                self._refuse(
                    part, IdempotencyInProgress("this request, or one beside it, is still being accepted")
                )
                return []
        middle = len(part) // 2
        return [part[middle:], part[:middle]]  # the last is tried first, so keys stay in their order

    def _tell_again(self, asked: Sequence[Born], found: Mapping[Key, KeptPayment]) -> None:
        for one in asked:
            if one.key in found:
                self.told[one.payment.id] = told_before(one, found[one.key])

    def _refuse(self, part: Sequence[Born], why: AegisError) -> None:
        if isinstance(why, IdempotencyInProgress):
            self._busy = self._busy.union(*map(marks, part))
        self.told |= {one.payment.id: why for one in part}


def _in_progress() -> IdempotencyInProgress:
    return IdempotencyInProgress("a request with this key is still being accepted")
