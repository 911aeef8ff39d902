"""Ordering captures, voids and refunds: once per key, for as long as the payment is kept.

The order is accepted in one transaction: the entity, its event, and its job, or no job where it waits behind another one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.entities import EntityKind, EntityStatus, Order, requested
from aegis_worker.domain.gateway_keys import MOST_ORDERED
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.ordering import MOST_WAITING, Able, allowed_now, capture_to_order, refund_to_order
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.trails import NO_TRAIL, Trail
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.errors import (
    IdempotencyKeyReused,
    InvalidState,
    JobBusy,
    JobOpen,
    NotFound,
    PaymentFrozen,
    TooManyWaiting,
    VersionConflict,
)
from aegis_worker.ids import PREFIX_OF, new_id
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import IDEMPOTENCY_REPLAYS, PAYMENTS
from aegis_worker.observability.telling import TELLING
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.ordering_rows import (
    LockedPayment,
    OpenJob,
    give_request,
    has_attempts,
    locked_payment,
    open_job,
    standing,
    stored_order,
    write_cancelled,
    write_cancelling,
    write_entity,
    write_order,
)

_WRITTEN = {
    EntityKind.CAPTURE: "capture.written",
    EntityKind.VOID: "void.written",
    EntityKind.REFUND: "refund.written",
}
_COMMITTED = {
    EntityKind.CAPTURE: "capture.committed",
    EntityKind.VOID: "void.committed",
    EntityKind.REFUND: "refund.committed",
}


@dataclass(frozen=True, slots=True)
class OrderCommand:
    """One validated request. `amount_minor` None: all that is left. `final` None: as the gateway and the amount have it.
    `forced`, of a refund: although the payment is disputed. `expected_version`: only if the payment is at it.
    """

    kind: EntityKind
    owner: Owner
    payment_id: str
    idempotency_key: str
    request_hmac: bytes
    amount_minor: int | None = None
    final: bool | None = None
    forced: bool = False
    trail: Trail = NO_TRAIL
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """The entity's id, and the id of its job: None where it waits behind another one, or is an earlier order replayed.
    `cancelled`: the payment, where the order has ended it at once.
    """

    id: str
    job_id: str | None
    replayed: bool
    cancelled: Payment | None = None


Commit = Callable[[Callable[[Connection], Ordered]], Ordered]
"""Runs what writes an order in one transaction, as `Database.run` does."""


def order(
    database: Database,
    command: OrderCommand,
    able: Callable[[str], Able | None],
    commit: Commit | None = None,
) -> Ordered:
    """Accept the order once per key; durable when this returns. `able`: what the gateway of a name can do. `commit` runs
    the transaction that writes it, and may write more beside it.

    Raises NotFound, IdempotencyKeyReused, PaymentFrozen, JobBusy, TooManyWaiting, VersionConflict, DatabaseUnavailable, and
    what `domain.ordering` raises. Then nothing was written; only after DatabaseUnavailable it may be found that it was.
    """
    new = new_id(PREFIX_OF[command.kind])
    ordered = (commit or database.run)(partial(_order, command=command, able=able, new=new))
    if not ordered.replayed:
        crash_point(_COMMITTED[command.kind])
    _tell_of(command, ordered)
    return ordered


def _order(
    connection: Connection, command: OrderCommand, able: Callable[[str], Able | None], new: str
) -> Ordered:
    if (before := _before(connection, command, new)) is not None:
        return before
    job = open_job(connection, command.kind, command.payment_id, command.trail)
    locked = locked_payment(connection, command.owner, command.payment_id)
    if locked is None:
        raise NotFound(f"no payment {command.payment_id}")
    # Another request with this key may have been accepted while this one waited for its locks.
    if (before := _before(connection, command, new)) is not None:
        return before
    if job is None:
        raise JobBusy(f"the job of {command.payment_id} is changing hands; ask again")
    _check(locked, job, command)
    if command.kind is EntityKind.VOID:
        return _cancel(connection, command, locked.payment, job, new)
    made = _new_order(connection, command, locked.payment, able, new)
    payment, (event,) = locked.payment.record([requested(made)])
    by = (command.idempotency_key, command.request_hmac, command.trail)
    write_order(connection, made, payment, event, *by)
    if job.is_ours:
        give_request(connection, job, made)
    crash_point(_WRITTEN[command.kind])
    return Ordered(made.id, job.id if job.is_ours else None, replayed=False)


def _cancel(
    connection: Connection, command: OrderCommand, payment: Payment, job: OpenJob, new: str
) -> Ordered:
    """Cancel at once where nothing was sent, void what is held, or record it for when it is known what is held."""
    so_far = standing(connection, EntityKind.VOID, payment.id)
    if payment.is_terminal:
        raise InvalidState(f"a payment that is {payment.state} can't be cancelled", allowed_now(payment))
    is_under_way = job.operation in [*EntityKind] and not job.is_ours
    if is_under_way or so_far.unsettled or so_far.ordered >= MOST_ORDERED:
        raise JobOpen(f"a capture, refund or cancel of {payment.id} is under way")
    made = Order(EntityKind.VOID, new, so_far.ordered + 1, payment.amount.minor)
    by = (command.idempotency_key, command.request_hmac, command.trail)
    if payment.state is State.INITIATED and not has_attempts(connection, payment.id):
        ended, (event,) = payment.record([Fact(EventType.CANCELLED, {"reason": "cancelled by the merchant"})])
        write_entity(connection, made, payment, *by, status=EntityStatus.SUCCEEDED)
        write_cancelled(connection, ended, event, job)
        crash_point(_WRITTEN[EntityKind.VOID])
        return Ordered(made.id, None, replayed=False, cancelled=ended)
    if job.is_ours and payment.state is not State.AUTHORIZED:
        raise JobBusy(f"the job of {payment.id} is changing hands; ask again")
    write_entity(connection, made, payment, *by)
    if job.is_ours:
        give_request(connection, job, made)
    elif payment.state is not State.AUTHORIZED:
        cancelling, (event,) = payment.record([Fact(EventType.CANCEL_REQUESTED)])
        write_cancelling(connection, cancelling, event, job)
    crash_point(_WRITTEN[EntityKind.VOID])
    return Ordered(made.id, job.id if job.is_ours else None, replayed=False)


def _before(connection: Connection, command: OrderCommand, new: str) -> Ordered | None:
    """The order that was accepted under this key. It may be this very one, whose COMMIT happened without an answer."""
    row = stored_order(connection, command.kind, command.owner, command.payment_id, command.idempotency_key)
    if row is None:
        return None
    if not hmac.compare_digest(bytes(row["request_hmac"]), command.request_hmac):
        raise IdempotencyKeyReused("this key was used with a different request")
    return Ordered(row["id"], None, replayed=row["id"] != new)


def _check(locked: LockedPayment, job: OpenJob, command: OrderCommand) -> None:
    payment = locked.payment
    if command.expected_version is not None and payment.version != command.expected_version:
        raise VersionConflict([payment.id])
    if locked.frozen:
        raise PaymentFrozen(f"{payment.id} is frozen: its history and its row disagree; a person decides")
    # What waits to be approved was not sent, so its merchant may take it back.
    is_held_back = job.review_kind == "fraud" and command.kind is EntityKind.VOID
    if job.status == "review" and not is_held_back:
        raise InvalidState(f"{payment.id} is in review: a person has to decide about it first", [])


def _new_order(
    connection: Connection,
    command: OrderCommand,
    payment: Payment,
    able: Callable[[str], Able | None],
    new: str,
) -> Order:
    gateway = able(payment.gateway or "")
    if gateway is None:
        raise InvalidState(
            f"{payment.id} has no charge at a gateway that is configured", allowed_now(payment)
        )
    if command.kind is EntityKind.CAPTURE:
        minor, final = capture_to_order(payment, gateway, command.amount_minor, command.final)
    else:
        minor = refund_to_order(payment, gateway, command.amount_minor, forced=command.forced)
        final = False
    so_far = standing(connection, command.kind, payment.id)
    if command.kind is EntityKind.CAPTURE and EntityKind.VOID in so_far.unsettled:
        raise InvalidState(f"{payment.id} is being cancelled", [])
    if so_far.waiting >= MOST_WAITING or so_far.ordered >= MOST_ORDERED:
        raise TooManyWaiting(
            f"at most {MOST_WAITING} captures and refunds of a payment wait, and {MOST_ORDERED} are made in all"
        )
    return Order(command.kind, new, so_far.ordered + 1, minor, final, command.forced)


def _tell_of(command: OrderCommand, ordered: Ordered) -> None:
    if ordered.replayed:
        METER.increment(IDEMPOTENCY_REPLAYS)
    if (ended := ordered.cancelled) is not None:
        METER.increment(PAYMENTS, ended.state.value, "none", str(ended.payment_method["type"]))
    if TELLING.wants("replay" if ordered.replayed else "transition", command.payment_id):
        TELLING.tell(
            "request replayed" if ordered.replayed else "order accepted",
            command.trail,
            payment_id=command.payment_id,
            job_id=ordered.job_id,
            operation=command.kind.value,
        )
