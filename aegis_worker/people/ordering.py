"""An operator's capture, cancel or refund of any merchant's payment; refunds under the rule of two people."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from aegis_worker.domain.approvals import takes_two
from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.ordering import refund_to_order
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.trails import NO_TRAIL, Trail
from aegis_worker.errors import IdempotencyKeyReused, InvalidState, NotFound, VersionConflict
from aegis_worker.intake import OrderCommand, Ordered, order
from aegis_worker.persistence import approval_rows, audit_log
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.persistence.ordering_rows import stored_order
from aegis_worker.persistence.tables.payments import payments
from aegis_worker.strict_json import request_hmac

from .asking import ask
from .parts import Approval, TwoPersonParts

# Operators' keys are apart from merchants', and one of a merchant's never stands for an operator's order.
_KEYS = "operator: "


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator wants of a payment. `key`: the same key never orders twice. `minor` None: all that is left.

    `final` is of captures, `forced` of refunds. `expected_version`: only if the payment is at it.
    """

    kind: EntityKind
    payment_id: str
    key: str
    reason: str
    minor: int | None = None
    final: bool | None = None
    forced: bool = False
    expected_version: int | None = None
    trail: Trail = NO_TRAIL


@dataclass(frozen=True, slots=True)
class OrderedFor:
    """What was ordered, and whose payment it is."""

    owner: Owner
    ordered: Ordered


class _TakesTwo(Exception):
    """The refund needs a second person: nothing is committed."""


def order_for_operator(parts: TwoPersonParts, wanted: Wanted, *, actor: str) -> OrderedFor | Approval:
    """Order it, once per key, or have a refund wait for a second person: where it and what was given back of the payment
    before are together above the limit, so that no refund is split to stay below.

    Raises as `intake.order` does, InvalidReason and TooManyWaiting.
    """
    wanted = replace(wanted, reason=audit_log.checked_reason(wanted.reason))
    owner, payment = _payment(parts, wanted.payment_id)
    command = command_of(parts, owner, wanted)
    if (asked := _asked_before(parts, wanted, command)) is not None:
        return asked
    try:
        ordered = order(parts.database, command, parts.able, _committing(parts, wanted, command, actor))
    except _TakesTwo:
        return _ask(parts, wanted, payment, actor)
    if ordered.job_id is not None:
        parts.review.hint("payments")
    return OrderedFor(owner, ordered)


def command_of(parts: TwoPersonParts, owner: Owner, wanted: Wanted) -> OrderCommand:
    """The order as intake takes it."""
    body = {
        "amount": wanted.minor,
        "final": wanted.final,
        "force": wanted.forced,
        "reason": wanted.reason,
    }
    return OrderCommand(
        wanted.kind,
        owner,
        wanted.payment_id,
        _KEYS + wanted.key,
        request_hmac(parts.secret, f"operator {wanted.kind} {wanted.payment_id}", body),
        wanted.minor,
        wanted.final,
        wanted.forced,
        wanted.trail,
        wanted.expected_version,
    )


def tell_ordered(connection: Connection, wanted: Wanted, ordered: Ordered, *, actor: str) -> None:
    """Note the order in the audit log, as the last of its transaction."""
    details: dict[str, Any] = {
        "id": ordered.id,
        "amount_minor": wanted.minor,
        "final": wanted.final,
        "forced": wanted.forced,
        "reason": wanted.reason,
    }
    audit_log.append(
        connection,
        actor=actor,
        action=f"{wanted.kind}.ordered",
        payment_id=wanted.payment_id,
        details=details,
    )


def owner_of(parts: TwoPersonParts, payment_id: str) -> Owner:
    """Whose payment it is. Raises NotFound."""
    return _payment(parts, payment_id)[0]


def _committing(
    parts: TwoPersonParts, wanted: Wanted, command: OrderCommand, actor: str
) -> Callable[[Callable[[Connection], Ordered]], Ordered]:
    def commit(work: Callable[[Connection], Ordered]) -> Ordered:
        def both(connection: Connection) -> Ordered:
            by = (command.owner, command.payment_id, command.idempotency_key)
            is_there = stored_order(connection, command.kind, *by) is not None
            ordered = work(connection)
            if is_there:
                return ordered  # repeated, or committed before with an answer that got lost
            if wanted.kind is EntityKind.REFUND and _is_above(parts, connection, wanted.payment_id):
                raise _TakesTwo
            tell_ordered(connection, wanted, ordered, actor=actor)
            return ordered

        return parts.database.run(both)

    return commit


def _is_above(parts: TwoPersonParts, connection: Connection, payment_id: str) -> bool:
    """Whether what is given back of the payment, the refund that was just written too, needs a second person."""
    columns = payments.c
    row = connection.execute(
        select(columns.currency, columns.refunded_minor, columns.refunding_minor).where(
            columns.id == payment_id
        )
    ).one()
    return takes_two(parts.above, row.currency, row.refunded_minor + row.refunding_minor)


def _ask(parts: TwoPersonParts, wanted: Wanted, payment: Payment, actor: str) -> Approval:
    able = parts.able(payment.gateway or "")
    if able is None:
        raise InvalidState(f"{payment.id} has no charge at a gateway that is configured", [])
    if wanted.expected_version is not None and wanted.expected_version != payment.version:
        raise VersionConflict([payment.id])
    minor = refund_to_order(payment, able, wanted.minor, forced=wanted.forced)
    request = {
        "amount": minor,
        "force": wanted.forced,
        "reason": wanted.reason,
        # By these a repeat of the request is told from another one under its key.
        "all_that_was_left": wanted.minor is None,
        "key": wanted.key,
    }
    return ask(parts, "refund", payment, request, minor, actor=actor, key=wanted.key)


def _asked_before(parts: TwoPersonParts, wanted: Wanted, command: OrderCommand) -> Approval | None:
    if wanted.kind is not EntityKind.REFUND:
        return None
    with parts.database.read() as connection:
        asked = approval_rows.of_key(connection, wanted.payment_id, wanted.key)
    if asked is None:
        return None
    before = command_of(parts, command.owner, wanted_again(asked, as_it_came=True))
    if not hmac.compare_digest(before.request_hmac, command.request_hmac):
        raise IdempotencyKeyReused("this key was used with a different request")
    return asked


def wanted_again(approval: Approval, *, as_it_came: bool = False) -> Wanted:
    """The refund that was asked for, with its amount, or, `as_it_came`, without one where none was given."""
    request = approval.request
    left_open = as_it_came and request["all_that_was_left"]
    return Wanted(
        EntityKind.REFUND,
        approval.payment_id,
        request["key"],
        request["reason"],
        None if left_open else request["amount"],
        forced=request["force"],
        expected_version=approval.payment_version,
    )


def _payment(parts: TwoPersonParts, payment_id: str) -> tuple[Owner, Payment]:
    with parts.database.read() as connection:
        row = connection.execute(select(payments).where(payments.c.id == payment_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no payment {payment_id}")
    named = {str(name): value for name, value in row.items()}
    return Owner(named["merchant_id"], named["mode"]), payment_from_row(named)
