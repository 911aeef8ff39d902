"""The JSON form of what waits for a second person."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.people.parts import Approval

from .values import rfc3339_or_none


def approval_body(approval: Approval) -> dict[str, Any]:
    """An approval, with all that was asked for."""
    return {
        "id": approval.id,
        "object": "approval",
        "status": approval.status,
        "kind": approval.kind,
        "payment_id": approval.payment_id,
        "payment_version": approval.payment_version,
        "amount": approval.amount_minor,
        "currency": approval.currency,
        "request": dict(approval.request),
        "request_sha256": approval.request_sha256.hex(),
        "asked_by": approval.asked_by,
        "asked_at": rfc3339(approval.asked_at),
        "expires_at": rfc3339(approval.expires_at),
        "decided_by": approval.decided_by,
        "decided_at": rfc3339_or_none(approval.decided_at),
        "decided_because": approval.decided_because,
        "ended_at": rfc3339_or_none(approval.ended_at),
        "ended_because": approval.ended_because,
        "result": None if approval.result is None else dict(approval.result),
        "links": {
            "self": f"/v1/ops/approvals/{approval.id}",
            "payment": f"/v1/payments/{approval.payment_id}",
        },
    }
