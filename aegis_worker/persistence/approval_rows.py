"""The rows of approvals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aegis_worker.domain.approvals import OPEN, ApprovalKind, ApprovalStatus

from .tables.payments import payments
from .tables.people import approvals

_TIMES_UP = case(
    (approvals.c.status == "approved", "approved, and not carried out in time"),
    else_="nobody decided in time",
)
# An approval that somebody is just carrying out is left to them for so long.
_LEFT_ALONE_S = 15.0


@dataclass(frozen=True, slots=True)
class Approval:
    """What one person asked for and a second one has to approve. `request` is all of it, `request_sha256` its digest.

    `payment_version`: the payment's when it was asked. `key`: the idempotency key under which it was asked, of a refund.
    `decided_because`: the second person's reason. `ended_because`: why it was not carried out. `result`: what came of it.
    """

    id: str
    kind: ApprovalKind
    payment_id: str
    payment_version: int
    amount_minor: int
    currency: str
    request: Mapping[str, Any]
    request_sha256: bytes
    key: str | None
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    status: ApprovalStatus
    decided_by: str | None
    decided_at: datetime | None
    decided_because: str | None
    ended_at: datetime | None
    ended_because: str | None
    result: Mapping[str, Any] | None


_C = approvals.c
_COLUMNS = [_C[field.name] for field in fields(Approval)]
_IS_OPEN = _C.status.in_(OPEN)


def ask(connection: Connection, row: Mapping[str, Any], wait_s: float) -> bool:
    """Insert an approval; False where the same is asked for already, or its id is there after a lost commit."""
    until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, wait_s)
    statement = insert(approvals).values(**row, expires_at=until).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1


def of_id(connection: Connection, id_: str, *, lock: bool = False) -> Approval | None:
    """One approval, or None."""
    statement = select(*_COLUMNS).where(_C.id == id_)
    return _one(connection, statement.with_for_update() if lock else statement)


def of_key(connection: Connection, payment_id: str, key: str) -> Approval | None:
    """What was asked for of this payment under this key."""
    return _one(connection, select(*_COLUMNS).where(_C.payment_id == payment_id, _C.key == key))


def of_request(connection: Connection, payment_id: str, digest: bytes) -> Approval | None:
    """The same request where it is open."""
    return _one(
        connection,
        select(*_COLUMNS).where(_C.payment_id == payment_id, _C.request_sha256 == digest, _IS_OPEN),
    )


def listed(
    connection: Connection,
    *,
    limit: int,
    before: str | None = None,
    status: str | None = None,
    payment_id: str | None = None,
) -> Sequence[Approval]:
    """Approvals, the newest first."""
    statement = select(*_COLUMNS).order_by(_C.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(_C.id < before)
    if status is not None:
        statement = statement.where(_C.status == status)
    if payment_id is not None:
        statement = statement.where(_C.payment_id == payment_id)
    return [_approval(row) for row in connection.execute(statement).mappings()]


def open_of_payment(connection: Connection, payment_id: str, *, most: int) -> int:
    """How many approvals of a payment are open, counted up to `most`."""
    statement = select(_C.id).where(_C.payment_id == payment_id, _IS_OPEN).limit(most)
    return len(connection.execute(statement).all())


def decide(connection: Connection, id_: str, status: ApprovalStatus, *, by: str, because: str) -> None:
    """Approve or refuse what is locked and asked."""
    ended = {} if status == "approved" else {"ended_at": func.clock_timestamp()}
    values = {
        "status": status,
        "decided_by": by,
        "decided_at": func.clock_timestamp(),
        "decided_because": because,
    }
    connection.execute(update(approvals).where(_C.id == id_).values(**values, **ended))


def end(
    connection: Connection,
    id_: str,
    status: ApprovalStatus,
    *,
    because: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> bool:
    """End an approval that is open; False where it has ended."""
    values = {
        "status": status,
        "ended_at": func.clock_timestamp(),
        "ended_because": because,
        "result": result,
    }
    statement = update(approvals).where(_C.id == id_, _IS_OPEN).values(**values)
    return connection.execute(statement).rowcount == 1


def is_over(connection: Connection, id_: str) -> bool:
    """Whether the time of an approval is up."""
    statement = select(_C.expires_at <= func.clock_timestamp()).where(_C.id == id_)
    return bool(connection.execute(statement).scalar_one())


def expire(connection: Connection, *, limit: int) -> Sequence[Approval]:
    """End approvals whose time is up; returns them."""
    due = (
        select(_C.id)
        .where(_IS_OPEN, _C.expires_at <= func.clock_timestamp())
        .order_by(_C.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    values = {"status": "expired", "ended_at": func.clock_timestamp(), "ended_because": _TIMES_UP}
    statement = update(approvals).where(_C.id.in_(due)).values(**values).returning(*_COLUMNS)
    return [_approval(row) for row in connection.execute(statement).mappings()]


def expire_moved(connection: Connection, payment_id: str, version: int) -> Sequence[Approval]:
    """End what is asked of a payment at another version than this one: nobody can approve it any more."""
    because = f"the payment has moved on to version {version}"
    values = {"status": "expired", "ended_at": func.clock_timestamp(), "ended_because": because}
    statement = (
        update(approvals)
        .where(_C.payment_id == payment_id, _C.status == "asked", _C.payment_version != version)
        .values(**values)
        .returning(*_COLUMNS)
    )
    return [_approval(row) for row in connection.execute(statement).mappings()]


def left_approved(connection: Connection, *, limit: int) -> Sequence[Approval]:
    """What was approved a while ago and is not carried out yet: whoever was about to has died, or was refused a store."""
    long_ago = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, _LEFT_ALONE_S)
    statement = (
        select(*_COLUMNS)
        .where(_C.status == "approved", _C.decided_at < long_ago)
        .order_by(_C.expires_at)
        .limit(limit)
    )
    return [_approval(row) for row in connection.execute(statement).mappings()]


def payment_version(connection: Connection, payment_id: str) -> int:
    """At which version a payment is now."""
    return int(connection.execute(select(payments.c.version).where(payments.c.id == payment_id)).scalar_one())


def _one(connection: Connection, statement: Any) -> Approval | None:
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _approval(row)


def _approval(row: Mapping[Any, Any]) -> Approval:
    return Approval(**{**row, "request_sha256": bytes(row["request_sha256"])})
