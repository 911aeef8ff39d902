"""Schemas of the requests to the operators' routes."""

from __future__ import annotations

from aegis_api.http.composed import Reason
from aegis_api.http.fields import BodySchema, Flag, OneOf, StrictSchema, Text, Whole
from aegis_api.http.query_fields import Number, page_limit
from aegis_worker.queries.stuck import Thresholds
from aegis_worker.review.case import KINDS


class AuditLogQuerySchema(StrictSchema):
    """GET /v1/ops/audit-log."""

    limit = page_limit()
    starting_after = Number(1, 2**62, metadata={"description": "next_cursor of the page before."})
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")


class ReviewsQuerySchema(StrictSchema):
    """GET /v1/ops/reviews."""

    limit = page_limit()
    starting_after = Text(
        64,
        pattern=r"pay_[0-9a-f]{32}",
        form="the id of a payment",
        metadata={"description": "next_cursor of the page before."},
    )


_DEFAULTS = Thresholds()
_A_YEAR_S = 366 * 86_400


def _seconds(default: int, description: str) -> Number:
    return Number(
        0,
        _A_YEAR_S,
        load_default=default,
        metadata={"description": f"Seconds. {description}", "default": default},
    )


class StuckQuerySchema(StrictSchema):
    """GET /v1/ops/stuck."""

    limit = page_limit()
    due_after_s = _seconds(_DEFAULTS.due_after_s, "A job is due for longer than this.")
    lease_after_s = _seconds(_DEFAULTS.lease_after_s, "A job runs for longer than this past its lease.")
    doubt_after_s = _seconds(_DEFAULTS.doubt_after_s, "A payment is in doubt for longer than this.")
    outbox_after_s = _seconds(_DEFAULTS.outbox_after_s, "An event is in the outbox for longer than this.")
    dead_within_s = _seconds(_DEFAULTS.dead_within_s, "Dead deliveries of events younger than this.")


class ResolutionSchema(BodySchema):
    """A person's decision about a payment."""

    resolution = OneOf(
        frozenset(KINDS),
        "charged, not_charged, ask_again, rebuild or withdraw",
        required=True,
        metadata={"description": "One of the `resolutions` of the review."},
    )
    reason = Reason("Why; kept in the audit log, never told to the merchant.", required=True)
    gateway = Text(64, metadata={"description": "charged: the gateway that charged. Left out: the latest."})
    gateway_ref = Text(
        255,
        metadata={
            "description": (
                "charged: the gateway's id of the charge. It is looked up: whose it is, its amount, and that no other"
                " payment stands on it."
            )
        },
    )
    attempt = Whole(1, 1000, metadata={"description": "charged: the number of the attempt that charged."})
    evidence = Reason(
        "Where it can be seen, such as a link to or an id from the gateway's dashboard. Needed where no gateway"
        " confirms the decision; kept in the audit log, never told to the merchant."
    )
    force = Flag(
        load_default=False,
        metadata={
            "description": (
                "Take effect at once where no gateway confirms it. What one contradicts is refused all the same."
            ),
            "default": False,
        },
    )
