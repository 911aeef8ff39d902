"""What waits for a second person, over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import A_BODY, Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import id_parameter, known_form
from aegis_worker.ids import APPROVAL
from aegis_worker.people import approving, asking
from aegis_worker.people.parts import TwoPersonParts
from aegis_worker.views.approvals import approval_body
from aegis_worker.views.pages import list_body
from aegis_worker.wiring.review import review_parts, two_person_parts

from . import approval_schemas as schemas

_ID = id_parameter("approval_id", APPROVAL, "What was asked for.")
_BODY = (
    *A_BODY,
    "not_found",
    "invalid_state",
)

blueprint = Blueprint(
    "approvals",
    __name__,
    url_prefix="/v1/ops",
    description="For operators: what one of them asked for and a second one has to approve (AEGIS_TWO_PERSON_ABOVE).",
)
blueprint.before_request(require_operator)


def two_person() -> TwoPersonParts:
    """The parts of the rule of two people, in this process."""
    web = parts().web
    return two_person_parts(
        web.settings, review_parts(web.settings, web.database, web.gateways, web.hints.notify)
    )


@blueprint.route("/approvals")
@refuses("validation_failed")
@blueprint.arguments(schemas.ApprovalsQuerySchema(), location="query")
@blueprint.response(200, schemas.ApprovalListSchema(), example=schemas.APPROVALS, headers=headers())
def list_approvals(query: dict[str, Any]) -> Response:
    """What was asked for and needs or needed a second person, newest first

    Those that wait have the status `asked`. What one holds stays as it was asked for, for good.
    """
    limit = query["limit"]
    found = asking.list_approvals(
        parts().web.database,
        limit=limit + 1,
        before=query.get("starting_after"),
        status=query.get("status"),
        payment_id=query.get("payment_id"),
    )
    page = found[:limit]
    cursor = page[-1].id if len(found) > limit else None
    return answer(list_body([approval_body(one) for one in page], cursor))


@blueprint.route("/approvals/<approval_id>", parameters=[_ID])
@refuses("not_found")
@blueprint.response(200, schemas.ApprovalSchema(), example=schemas.APPROVAL, headers=headers())
def get_approval(approval_id: str) -> Response:
    """One approval, with all that was asked for

    `request` is what is carried out, and `request_sha256` is what approving it takes.
    """
    return answer(approval_body(asking.get_approval(parts().web.database, known_form(approval_id, APPROVAL))))


@blueprint.route("/approvals/<approval_id>/approve", methods=["POST"], parameters=[_ID])
@refuses(*_BODY, "own_approval", "version_conflict")
@blueprint.arguments(schemas.ApproveSchema(), example=schemas.APPROVE)
@blueprint.response(200, schemas.ApprovalSchema(), example=schemas.CARRIED_OUT, headers=headers())
def approve_request(body: dict[str, Any], approval_id: str) -> Response:
    """Approve what another person asked for, and carry it out

    Who asked can't approve. It is carried out exactly as it was asked: `request_sha256` says what you have seen, and the
    payment is still at its version, or it has to be asked for again (`version_conflict`). Where it can't be done as it was
    asked, such as because a gateway contradicts the decision, it ends `failed`, and `ended_because` says why. Where a store
    can't be reached just now it stays `approved` and is carried out within a minute. Approving again changes nothing.
    """
    approved = approving.approve(
        two_person(),
        known_form(approval_id, APPROVAL),
        actor=g.operator.actor,
        reason=body["reason"],
        seen=body["request_sha256"],
    )
    return answer(approval_body(approved))


@blueprint.route("/approvals/<approval_id>/refuse", methods=["POST"], parameters=[_ID])
@refuses(*_BODY)
@blueprint.arguments(schemas.RefuseSchema(), example=schemas.REFUSE)
@blueprint.response(200, schemas.ApprovalSchema(), example=schemas.REFUSED, headers=headers())
def refuse_request(body: dict[str, Any], approval_id: str) -> Response:
    """Refuse what was asked for, or take back what you asked for yourself

    Nothing of it is carried out any more. It can be asked for again.
    """
    refused = approving.refuse(
        two_person(), known_form(approval_id, APPROVAL), actor=g.operator.actor, reason=body["reason"]
    )
    return answer(approval_body(refused))
