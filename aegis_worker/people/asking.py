"""Asking for what a second person has to approve, and reading what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.approvals import ApprovalKind, request_digest
from aegis_worker.domain.payment import Payment
from aegis_worker.errors import NotFound, TooManyWaiting
from aegis_worker.ids import APPROVAL, new_id
from aegis_worker.persistence import approval_rows, audit_log
from aegis_worker.persistence.approval_rows import Approval
from aegis_worker.persistence.database import Database

from .parts import TwoPersonParts

_MOST_OPEN = 20


def ask(
    parts: TwoPersonParts,
    kind: ApprovalKind,
    payment: Payment,
    request: Mapping[str, Any],
    minor: int,
    *,
    actor: str,
    key: str | None = None,
) -> Approval:
    """Ask for a second person: what now waits, or what waits already where the same is asked for.

    What was asked of the payment at another version is over with this. Raises TooManyWaiting, DatabaseUnavailable.
    """
    digest, id_ = request_digest(kind, payment.id, payment.version, request), new_id(APPROVAL)
    row = {
        "id": id_,
        "kind": kind,
        "payment_id": payment.id,
        "payment_version": payment.version,
        "amount_minor": minor,
        "currency": payment.amount.currency,
        "request": dict(request),
        "request_sha256": digest,
        "key": key,
        "asked_by": actor,
    }

    def work(connection: Connection) -> Approval:
        moved = approval_rows.expire_moved(connection, payment.id, payment.version)
        same = approval_rows.of_request(connection, payment.id, digest)
        if same is not None:
            return same
        if approval_rows.open_of_payment(connection, payment.id, most=_MOST_OPEN) >= _MOST_OPEN:
            raise TooManyWaiting(f"at most {_MOST_OPEN} requests about a payment wait for a second person")
        is_new = approval_rows.ask(connection, row, parts.wait_s)
        asked = approval_rows.of_id(connection, id_) or approval_rows.of_request(
            connection, payment.id, digest
        )
        if asked is None:
            raise TooManyWaiting("the same is being asked for just now; ask again")
        for one in moved:
            tell(connection, "approval.expired", one, actor=actor, because=one.ended_because)
        if is_new:
            tell(
                connection,
                "approval.asked",
                asked,
                actor=actor,
                reason=request.get("reason"),
                request=asked.request,
            )
        return asked

    return parts.database.run(work)


def get_approval(database: Database, approval_id: str) -> Approval:
    """One approval. Raises NotFound."""
    with database.read() as connection:
        found = approval_rows.of_id(connection, approval_id)
    if found is None:
        raise NotFound(f"there is no approval {approval_id}")
    return found


def list_approvals(
    database: Database,
    *,
    limit: int,
    before: str | None = None,
    status: str | None = None,
    payment_id: str | None = None,
) -> Sequence[Approval]:
    """Approvals, the newest first."""
    with database.read() as connection:
        return approval_rows.listed(
            connection, limit=limit, before=before, status=status, payment_id=payment_id
        )


def tell(connection: Connection, action: str, approval: Approval, *, actor: str, **more: Any) -> None:
    """Note a move of an approval in the audit log, as the last of its transaction."""
    details = {
        "approval_id": approval.id,
        "kind": approval.kind,
        "amount_minor": approval.amount_minor,
        "currency": approval.currency,
        "request_sha256": approval.request_sha256.hex(),
        "asked_by": approval.asked_by,
        **more,
    }
    audit_log.append(connection, actor=actor, action=action, payment_id=approval.payment_id, details=details)
