"""Examples of the operators' routes, rendered by the same functions as real answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from aegis_api.jobs.examples import A_JOB
from aegis_api.payments.examples import A_STORED_ATTEMPT, AN_ATTEMPT, AN_INITIATED_PAYMENT
from aegis_worker.audit.incidents import Incident
from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.outcomes import NotFound
from aegis_worker.domain.transitions import State
from aegis_worker.erasing import Erased
from aegis_worker.persistence.audit_log import Entry
from aegis_worker.persistence.delivery_lag import WebhookLag
from aegis_worker.persistence.erasing import KINDS
from aegis_worker.persistence.outbox_rows import Lag
from aegis_worker.queries.payments import StoredPayment
from aegis_worker.queries.reviews import Waiting
from aegis_worker.queries.stuck import Stuck, StuckReport
from aegis_worker.review.answers import Said
from aegis_worker.review.parts import Resolved
from aegis_worker.views.audit_log import audit_entry_body
from aegis_worker.views.decisions import resolved_body
from aegis_worker.views.erasures import erasure_body
from aegis_worker.views.incidents import incident_body
from aegis_worker.views.outbox import outbox_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.reviews import review_body
from aegis_worker.views.stuck import stuck_body

_AT = datetime(2026, 11, 21, 9, 30, 0, 654321, tzinfo=UTC)
_GATEWAY = "sandbox_a"
_REASON = "not in the gateway's settlement report of 20 November"
_in_doubt = replace(
    AN_INITIATED_PAYMENT, state=State.PROCESSING, version=4, certainty="unknown", gateway=_GATEWAY
)
_attempt = replace(
    AN_ATTEMPT,
    status=AttemptStatus.UNKNOWN,
    gateway_ref=None,
    outcome=StoredOutcome(reason="not found yet"),
    checks=17,
    not_found_count=17,
)
_job = replace(
    A_JOB,
    queue="verify",
    status="review",
    reason="17 look-ups did not settle it: not found yet",
    result=None,
    finished_at=None,
    updated_at=_AT,
)

OUTBOX = outbox_body(
    Lag(pending=12, failed=0, leased=12, oldest_age_s=0.25),
    WebhookLag(pending=40, failed=36, leased=4, oldest_age_s=5410.5, dead=3, cancelled=12),
)
AUDIT_LOG = list_body(
    [
        audit_entry_body(
            Entry(
                seq=2,
                at=_AT,
                actor="key_0199a7c5a0f47d5a8f0e6b1c2d3e4f54 (night)",
                action="payment.resolved",
                payment_id=_in_doubt.id,
                details={"resolution": "not_charged", "reason": _REASON, "checked": "not_found"},
                previous_hash=bytes(range(32)),
                hash=bytes(range(32, 64)),
            )
        )
    ],
    None,
)
REVIEWS = list_body(
    [
        review_body(
            Waiting(
                stored=StoredPayment(_in_doubt, _AT, _AT),
                frozen_at=None,
                job=_job,
                attempts=[replace(A_STORED_ATTEMPT, attempt=_attempt, last_checked_at=_AT)],
                incidents=[],
            )
        )
    ],
    None,
)
RESOLUTION = {"resolution": "not_charged", "reason": _REASON}
RESOLVED = resolved_body(
    "not_charged",
    Resolved(
        payment=replace(_in_doubt, state=State.FAILURE, version=6, certainty="known"),
        job_id=_job.id,
        checked="not_found",
        says=[Said(_attempt, NotFound())],
        state_changed=True,
        note="recorded as not charged: the payment has failed",
        took_effect="confirmed",
    ),
)
STUCK = stuck_body(
    StuckReport(
        as_of=_AT,
        found=[
            Stuck(
                kind="job_not_claimed",
                id=_job.id,
                payment_id=_in_doubt.id,
                merchant_id=_in_doubt.merchant_id,
                since=_AT - timedelta(minutes=12),
                overdue_s=720.0,
                why="due, and no worker has taken it up (verify: not found yet)",
                what_to_do="see that workers and beat run (`aegis doctor`); without Redis, start `aegis relay`",
            )
        ],
        more=[],
    )
)
INCIDENTS = list_body(
    [
        incident_body(
            Incident(
                id="inc_0199a7c5a0f47d5a8f0e6b1c2d3e4f55",
                invariant="I4",
                payment_id="pay_0199a7c5a0f47d5a8f0e6b1c2d3e4f50",
                looked="payments",
                summary="row and events differ in captured_minor",
                evidence={"differences": {"captured_minor": {"row": 999, "events": 1999}}},
                found_at=_AT,
                last_seen_at=_AT,
                resolved_at=None,
            )
        )
    ],
    None,
)

ERASURE_REQUEST = {
    "merchant_id": "shop",
    "customer_id": "cus_117",
    "reason": "asked for it by letter of 20 November",
}
ERASURE = erasure_body(
    Erased({"cards": 1, **dict.fromkeys(KINDS, 0), "payments": 3, "payer_details": 3, "exchanges": 7}, True),
    has_vault=True,
)
