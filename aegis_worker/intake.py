"""Accepting payments: idempotency key, payment, job, first event and outbox row in one statement, one commit.

The key's row is the lock of a request in flight: a second request with the same key waits for the first one's commit and
then replays its answer; when that takes too long it is told `idempotency_in_progress`. A crash before the commit leaves
nothing behind, so there is no stale "in progress" to clean up.

A list of payments is one statement too. Each payment stands by itself: where one of them waits for another request, or
PostgreSQL refuses its row, the list is divided until that one is alone.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.chaos.points import crash_point
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.domain.replay import unborn
from aegis_worker.errors import (
    AegisError,
    DatabaseUnavailable,
    DuplicateReference,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    JobBusy,
    LockTimeout,
    NotFound,
    PaymentFrozen,
    RowRefused,
)
from aegis_worker.ids import JOB, PAYMENT, new_id
from aegis_worker.persistence.accepting import Born, KeptPayment, Key, carried, insert, kept
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.database import UNIQUE_VIOLATION, Database, refuses_a_row, sqlstate

# How long a list waits for other requests: at first, then for each of its parts, then no more. Together less than a
# single payment's wait (2 s) and a bit, because a list must not wait for each of its keys in turn.
_FIRST_WAIT_MS, _LATER_WAIT_MS, _WAITS_S = 500, 50, 2.0


@dataclass(frozen=True, slots=True)
class PaymentCommand:
    """One validated request to pay. `request_hmac` covers the whole canonical request."""

    merchant_id: str
    route: str
    idempotency_key: str
    request_hmac: bytes
    amount: Money
    capture_method: Literal["automatic", "manual"]
    payment_method: Mapping[str, Any]
    reference: str | None
    customer: Mapping[str, Any]
    description: str | None
    return_url: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the caller is told: the payment as of its first event, which never changes, so a replay says the same."""

    payment: Payment
    job_id: str
    created_at: datetime
    replayed: bool


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
    born = [_born(command) for command in commands]
    intake = _Intake(database, alone=len(born) == 1)
    crash_point("intake.received")
    left: Sequence[Born] = born
    while left:
        wave, left = _without_twins(left)
        intake.accept(wave)
    if intake.accepted_any:
        crash_point("intake.committed")
    return [intake.told[one.payment.id] for one in born]


class _Intake:
    """Accepts the payments of one list. `told`: what each was told, by the payment id that it came with."""

    def __init__(self, database: Database, *, alone: bool) -> None:
        self.told: dict[str, Accepted | AegisError] = {}
        self._database = database
        self._wait_ms = None if alone else _FIRST_WAIT_MS
        self._last_wait_at = time.monotonic() + _WAITS_S

    @property
    def accepted_any(self) -> bool:
        """Whether something of the list is durable."""
        return any(isinstance(told, Accepted) for told in self.told.values())

    def accept(self, wave: Sequence[Born]) -> None:
        """Tell each of a wave, which share no key and no reference. Raises DatabaseUnavailable while nothing is durable."""
        parts: list[Sequence[Born]] = [sorted(wave, key=lambda one: one.key)]
        while parts:
            part = parts.pop()
            try:
                parts += self._accept_part(part)
            except DatabaseUnavailable as error:
                if not self.accepted_any:
                    raise
                self._refuse(part, error)

    def _accept_part(self, part: Sequence[Born]) -> list[Sequence[Born]]:
        """Tell those of the part that can be told; the others in parts to be tried again."""
        try:
            written = insert(self._database, part, wait_ms=self._wait_ms)
        except LockTimeout:
            return self._divided(
                part, IdempotencyInProgress("a request with this key is still being accepted")
            )
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
                told = replace(one.payment, metadata=metadata)
                self.told[told.id] = Accepted(told, one.job_id, created_at, replayed=False)
        return self._replayed([one for one in part if one.payment.id not in written])

    def _replayed(self, known: Sequence[Born]) -> list[Sequence[Born]]:
        if not known:
            return []
        found = self._database.run(lambda connection: kept(connection, [one.key for one in known]))
        for one in known:
            if one.key in found:
                self.told[one.payment.id] = _told_before(one, found[one.key])
        pruned = [one for one in known if one.key not in found]
        return (
            self._divided(pruned, IdempotencyInProgress("this key is just being forgotten")) if pruned else []
        )

    def _without_duplicates(self, part: Sequence[Born]) -> list[Sequence[Born]]:
        refusal = DuplicateReference("another payment that has not failed carries this reference")
        with self._database.read() as connection:
            duplicates = carried(connection, part)
        if not duplicates:  # the other payment has just failed
            return self._divided(part, refusal)
        self._refuse(duplicates, refusal)
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

    def _refuse(self, part: Sequence[Born], why: AegisError) -> None:
        self.told |= {one.payment.id: why for one in part}


def _born(command: PaymentCommand) -> Born:
    unborn_payment = Payment(
        id=new_id(PAYMENT),
        merchant_id=command.merchant_id,
        amount=command.amount,
        capture_method=command.capture_method,
        payment_method=command.payment_method,
        reference=command.reference,
        customer=command.customer,
        description=command.description,
        return_url=command.return_url,
        metadata=command.metadata,
    )
    payment, (first,) = unborn_payment.record([initiated(unborn_payment)])
    key = Key(command.merchant_id, command.route, command.idempotency_key)
    return Born(key, command.request_hmac, payment, first, new_id(JOB))


def _without_twins(born: Sequence[Born]) -> tuple[list[Born], list[Born]]:
    """The first of each key and each reference, and the rest, whose answer depends on what these are told."""
    seen: set[tuple[str, ...]] = set()
    first: list[Born] = []
    later: list[Born] = []
    for one in born:
        marks: set[tuple[str, ...]] = {one.key}
        if one.payment.reference is not None:
            marks.add((one.key.merchant_id, one.payment.reference))
        (first if seen.isdisjoint(marks) else later).append(one)
        seen |= marks
    return first, later


def _told_before(born: Born, kept_payment: KeptPayment) -> Accepted | AegisError:
    """What the key's payment was told at first. It is ours where only the answer to our own COMMIT was lost."""
    if not hmac.compare_digest(kept_payment.request_hmac, born.request_hmac):
        return IdempotencyKeyReused("this key was used with a different request")
    now = kept_payment.payment
    original, _ = unborn(now).record([initiated(now)])
    return Accepted(
        original, kept_payment.job_id, kept_payment.created_at, replayed=now.id != born.payment.id
    )


_IS_MERCHANTS = "SELECT frozen_at FROM payments WHERE id = %(payment_id)s AND merchant_id = %(merchant_id)s"


def request_sync(database: Database, merchant_id: str, payment_id: str) -> str:
    """Have the gateway asked about a payment now: the open job becomes due, or a `sync` job is made. Returns its id.

    Raises NotFound for another merchant's payment, PaymentFrozen, or JobBusy when jobs open and close faster than this
    can look.
    """

    def work(connection: Connection) -> str:
        names = {"payment_id": payment_id, "merchant_id": merchant_id}
        payment = connection.exec_driver_sql(_IS_MERCHANTS, names).one_or_none()
        if payment is None:
            raise NotFound(f"no payment {payment_id}")
        if payment.frozen_at is not None:
            raise PaymentFrozen(f"{payment_id} is frozen: its history and its row disagree; a person decides")
        job_id = ask_now(connection, payment_id)
        if job_id is None:
            raise JobBusy(f"the job of {payment_id} is changing hands; ask again")
        return job_id

    return database.run(work)
