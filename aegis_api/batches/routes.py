"""Many payments in one request: newline-delimited JSON in, one result for each line out."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.problems import RequestRefused, body_of
from aegis_api.http.requests import whole_body
from aegis_worker.crash_points import crash_point
from aegis_worker.errors import AegisError
from aegis_worker.intake import Accepted, PaymentCommand

from . import examples
from .lines import Line, read_lines
from .schemas import MEDIA_TYPE, BatchSchema, documented_body

blueprint = Blueprint("batches", __name__, url_prefix="/v1", description="Many payments at once.")
blueprint.before_request(require_merchant)

# A batch may have 64 times the 64 KiB of a single body: 4 MiB, four times what 1,000 lines of usual length need.
_BODIES_IN_A_BATCH = 64


@blueprint.before_request
def _longer_body() -> None:
    request.max_content_length = _BODIES_IN_A_BATCH * parts().web.settings.max_body_bytes


@blueprint.route("/payments/batches", methods=["POST"])
@refuses(
    "malformed_json",
    "idempotency_key_invalid",
    "payload_too_large",
    "unsupported_media_type",
    "hook_failed",
    "vault_unavailable",
)
@blueprint.doc(requestBody=documented_body(examples.BATCH_REQUEST))
@blueprint.response(
    200,
    BatchSchema(),
    description="The result of each line. Accepted payments are durable; workers carry them out.",
    example=examples.BATCH,
    headers=headers(),
)
def create_payments() -> Response:
    """Accept up to 1,000 payments

    Each line is the body of one payment, as for `POST /v1/payments`, with an `idempotency_key` in it. You may also post
    the same payment by itself under that key. Each line gets the result that a single POST would get; a refused line does
    not affect the others. All lines that can be accepted are accepted in one transaction. To resume after a lost answer,
    send the same body again: lines accepted before are replayed, the others are tried. An `Idempotency-Key` header is
    refused, because each line has its own key.

    Blank lines count towards the 1,000. The body may be 64 times as long as the body of one payment, and each line as long
    as one such body. The answer is one JSON object, so that a client notices when the answer was cut off.
    """
    if "Idempotency-Key" in request.headers:
        raise RequestRefused(
            "idempotency_key_invalid",
            "A batch takes no Idempotency-Key; give each line an idempotency_key.",
            [{"header": "Idempotency-Key", "code": "not_taken", "detail": "Belongs into each line."}],
        )
    web = parts().web
    longest_line = web.settings.max_body_bytes
    lines = read_lines(
        whole_body(MEDIA_TYPE),
        g.owner,
        longest_line=longest_line,
        secret=web.settings.secret,
        gateways=web.gateways().values(),
        vault=web.vault,
        validation=parts().validation,
        trail=g.trail,
    )
    told = iter(parts().intake.accept_all(_commands(lines)))
    data = [
        _told(line, next(told) if isinstance(line.content, PaymentCommand) else line.content)
        for line in lines
    ]
    counts = {outcome: sum(each["outcome"] == outcome for each in data) for outcome in _OUTCOMES}
    if counts["accepted"]:
        web.hints.notify("payments")
    crash_point("intake.hinted")
    return answer({"object": "batch", **counts, "data": data})


_OUTCOMES = ("accepted", "replayed", "refused")


def _commands(lines: list[Line]) -> list[PaymentCommand]:
    return [line.content for line in lines if isinstance(line.content, PaymentCommand)]


def _told(line: Line, told: Accepted | AegisError) -> dict[str, Any]:
    about = {"line": line.number, "idempotency_key": line.key}
    if isinstance(told, AegisError):
        return {**about, "outcome": "refused", "problem": body_of(told)}
    outcome = "replayed" if told.replayed else "accepted"
    return {**about, "outcome": outcome, "payment_id": told.payment.id, "job_id": told.job_id}
