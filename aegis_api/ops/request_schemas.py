"""Schemas of the requests to the operators' routes."""

from __future__ import annotations

from aegis_api.http.composed import Reason
from aegis_api.http.fields import BodySchema, Flag, OneOf, StrictSchema, Text, Whole
from aegis_api.http.query_fields import Number, page_limit
from aegis_worker.domain.reviews import REVIEW_KINDS
from aegis_worker.queries.stuck import Thresholds
from aegis_worker.review.case import KINDS


class AuditLogQuerySchema(StrictSchema):
    """GET /v1/ops/audit-log."""

    limit = page_limit()
    starting_after = Number(1, 2**62, metadata={"description": "The `next_cursor` of the previous page."})
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")
    actor = Text(
        100,
        metadata={
            "description": "Part of the name of who did it. Looked for in the newest 50,000 entries.",
            "example": "night",
        },
    )
    action = Text(
        64,
        metadata={
            "description": "What was done. Looked for in the newest 50,000 entries.",
            "example": "payment.resolved",
        },
    )


class ReviewsQuerySchema(StrictSchema):
    """GET /v1/ops/reviews."""

    limit = page_limit()
    kind = OneOf(
        frozenset(REVIEW_KINDS),
        "doubt or fraud",
        metadata={
            "description": (
                "doubt: what happened at a gateway has to be found out, or the audit froze the payment. fraud: nothing was "
                "sent yet, and a person says whether it may be."
            )
        },
    )
    starting_after = Text(
        64,
        pattern=r"pay_[0-9a-f]{32}",
        form="the id of a payment",
        metadata={"description": "The `next_cursor` of the previous page."},
    )


_DEFAULTS = Thresholds()
_A_YEAR_S = 366 * 86_400


def _seconds(default: int, description: str) -> Number:
    return Number(
        0,
        _A_YEAR_S,
        load_default=default,
        metadata={"description": f"{description} In seconds.", "default": default},
    )


class StuckQuerySchema(StrictSchema):
    """GET /v1/ops/stuck."""

    limit = page_limit()
    due_after_s = _seconds(_DEFAULTS.due_after_s, "List jobs that have been due for longer than this.")
    lease_after_s = _seconds(_DEFAULTS.lease_after_s, "List jobs whose lease ended longer ago than this.")
    doubt_after_s = _seconds(
        _DEFAULTS.doubt_after_s, "List payments that have been in doubt for longer than this."
    )
    outbox_after_s = _seconds(
        _DEFAULTS.outbox_after_s, "List events that have been in the outbox for longer than this."
    )
    dead_within_s = _seconds(
        _DEFAULTS.dead_within_s, "List dead deliveries of events that are younger than this."
    )


class ErasureRequestSchema(BodySchema):
    """Whose personal data is to be erased."""

    merchant_id = Text(
        255, required=True, metadata={"example": "shop", "description": "Whose customer it is."}
    )
    customer_id = Text(
        255,
        required=True,
        metadata={"example": "cus_117", "description": "The merchant's own id of the customer."},
    )
    reason = Reason("Why; kept in the audit log.", required=True)


class ResolutionSchema(BodySchema):
    """A person's decision about a payment."""

    resolution = OneOf(
        frozenset(KINDS),
        "charged, not_charged, succeeded, failed, ask_again, approve, reject, rebuild or withdraw",
        required=True,
        metadata={"description": "The decision: one of the `resolutions` that the review lists."},
    )
    reason = Reason(
        "Why the decision is made; kept in the audit log, never told to the merchant.", required=True
    )
    gateway = Text(
        64,
        metadata={
            "description": "Only with charged: the gateway that charged. If left out, it is the latest one."
        },
    )
    gateway_ref = Text(
        255,
        metadata={
            "description": (
                "Only with charged and succeeded: the gateway's id of it. AegisPay looks it up and checks whose it is, its "
                "amount, and that no other payment has it."
            )
        },
    )
    attempt = Whole(
        1, 1000, metadata={"description": "Only with charged: the number of the attempt that charged."}
    )
    evidence = Reason(
        "Where others can check the decision, such as a link to the gateway's dashboard or an id from it. Required if no "
        "gateway confirms the decision; kept in the audit log, never told to the merchant."
    )
    force = Flag(
        load_default=False,
        metadata={
            "description": (
                "Let the decision take effect at once if no gateway confirms it. If one contradicts it, it is refused."
            ),
            "default": False,
        },
    )
