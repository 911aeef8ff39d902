"""One payment that may wait for a person: the payment, its open job, its calls, and what may be decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, Select, select

from aegis_worker.clock import clock_s
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.charges import standing_charges
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State
from aegis_worker.persistence import decisions
from aegis_worker.persistence.attempt_rows import ATTEMPT_COLUMNS, attempt_from_row
from aegis_worker.persistence.decisions import Decision
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.persistence.tables import attempts, gateway_references, jobs, payments

Kind = Literal["charged", "not_charged", "ask_again", "rebuild", "withdraw"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# A payment takes at most AEGIS_MAX_ATTEMPTS hops of a few calls each.
_MOST_CALLS = 200


@dataclass(frozen=True, slots=True)
class OpenJob:
    """The payment's one open job. `lease_epoch` is its fence."""

    id: str
    operation: str
    status: str
    lease_epoch: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """What is known when a person decides."""

    payment: Payment
    frozen_at: datetime | None
    job: OpenJob | None
    calls: Sequence[Attempt]
    decision: Decision | None = None

    @property
    def has_ended(self) -> bool:
        """The charge is settled as far as we say: a decision can only close the job, not change the state."""
        return self.payment.is_terminal or self.payment.state is State.AUTHORIZED

    @property
    def charges(self) -> Sequence[Attempt]:
        """The charges that may stand at a gateway, in the order they were sent."""
        return [self.calls[position] for position in standing_charges(self.calls)]

    @property
    def sends(self) -> int:
        """How often a charge was sent for the payment."""
        return sum(call.sends for call in self.charges)

    @property
    def resolutions(self) -> tuple[Kind, ...]:
        """What may be decided now. Empty: the payment does not wait for a person."""
        in_review = self.job is not None and self.job.status == "review"
        return resolutions_of(
            frozen=self.frozen_at is not None,
            in_review=in_review,
            was_charged=bool(self.charges),
            decided=self.decision is not None and self.decision.stands,
        )


def resolutions_of(*, frozen: bool, in_review: bool, was_charged: bool, decided: bool) -> tuple[Kind, ...]:
    """What a person may decide. A frozen payment is rebuilt first; nobody charges without a call on record; only a
    decision that waits for a gateway is withdrawn.
    """
    if frozen:
        return ("rebuild",)
    if not in_review:
        return ()
    charged: tuple[Kind, ...] = ("charged",) if was_charged else ()
    withdraw: tuple[Kind, ...] = ("withdraw",) if decided else ()
    return (*charged, "not_charged", "ask_again", *withdraw)


def load(connection: Connection, payment_id: str, *, lock: bool = False) -> Case | None:
    """The case of any merchant's payment, or None. With `lock` it stays as it is until the transaction ends."""
    if lock:
        # The job before the payment, as `record` does: the other way round the two could deadlock.
        connection.execute(_open_job(payment_id).with_for_update())
    statement = select(payments).where(payments.c.id == payment_id)
    row = connection.execute(statement.with_for_update() if lock else statement).mappings().one_or_none()
    if row is None:
        return None
    job = connection.execute(_open_job(payment_id)).one_or_none()
    return Case(
        payment=payment_from_row({str(name): value for name, value in row.items()}),
        frozen_at=row["frozen_at"],
        job=None if job is None else OpenJob(job.id, job.operation, job.status, job.lease_epoch, job.reason),
        calls=_calls(connection, payment_id),
        decision=decisions.of_payment(connection, payment_id),
    )


def _calls(connection: Connection, payment_id: str) -> list[Attempt]:
    columns = attempts.c
    statement = (
        select(*ATTEMPT_COLUMNS)
        .where(columns.payment_id == payment_id)
        .order_by(columns.sent_at, columns.number)
        .limit(_MOST_CALLS)
    )
    asked_at_s = clock_s()
    rows = connection.execute(statement).mappings().all()
    told_at_s = clock_s()
    return [attempt_from_row(row, asked_at_s, told_at_s) for row in rows]  # type: ignore[arg-type]


def standing_on(connection: Connection, gateway: str, gateway_ref: str, *, besides: str) -> str | None:
    """Another payment whose charge this is, or None."""
    columns = gateway_references.c
    return connection.execute(
        select(columns.payment_id).where(
            columns.gateway == gateway, columns.gateway_ref == gateway_ref, columns.payment_id != besides
        )
    ).scalar_one_or_none()


def _open_job(payment_id: str) -> Select[tuple[str, str, str, int, str | None]]:
    columns = jobs.c
    return select(columns.id, columns.operation, columns.status, columns.lease_epoch, columns.reason).where(
        columns.payment_id == payment_id, columns.status.in_(("queued", "running", "waiting", "review"))
    )
