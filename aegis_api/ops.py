"""What operators do over HTTP, over all merchants: look at what was decided. Every route needs an operator's key."""

from __future__ import annotations

from typing import Any

from flask import Response

from aegis_worker.persistence import audit_log

from .auth import require_operator
from .openapi import Blueprint, headers, refuses
from .ops_examples import AUDIT_LOG
from .parts import parts
from .representations import answer, audit_entry_body, list_body
from .schemas import ops_answers
from .schemas.ops_requests import AuditLogQuerySchema

blueprint = Blueprint(
    "ops",
    __name__,
    url_prefix="/v1/ops",
    description="Operating, over all merchants. Needs an operator's key (`aegis keys create --operator`).",
)
blueprint.before_request(require_operator)


@blueprint.route("/audit-log")
@refuses("validation_failed")
@blueprint.arguments(AuditLogQuerySchema(), location="query")
@blueprint.response(200, ops_answers.AuditLogSchema(), example=AUDIT_LOG, headers=headers())
def list_audit_log(query: dict[str, Any]) -> Response:
    """Who decided what, newest first

    Append-only; each entry is chained to the one before by its hash. `aegis audit-log --verify` follows the chain.
    """
    limit = query["limit"]
    with parts().web.database.read() as connection:
        found = audit_log.list_entries(
            connection,
            limit=limit + 1,
            before_seq=query.get("starting_after"),
            payment_id=query.get("payment_id"),
        )
    page = found[:limit]
    cursor = str(page[-1].seq) if len(found) > limit else None
    return answer(list_body([audit_entry_body(entry) for entry in page], cursor))
