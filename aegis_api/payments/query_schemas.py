"""Query strings of the routes about payments.

Unknown parameters are refused, so that a misspelt filter never lists everything.
"""

from __future__ import annotations

from typing import Any

from aegis_api.http.fields import Name, OneOf, StrictField, StrictSchema, Text, refusal
from aegis_api.http.query_fields import LONGEST_PAGE, Moment, Number, PastMoment, page_limit, page_start
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.transitions import State

EXPANDABLE = ("attempts", "events", "captures", "refunds", "disputes")
_ONE = f"({'|'.join(EXPANDABLE)})"


class Expansion(StrictField):
    """A comma-separated list of the things to include."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "string",
            "pattern": f"^{_ONE}(,{_ONE})*$",
            "example": "attempts,captures",
            "description": f"What to include, comma-separated: {', '.join(EXPANDABLE)}. At most 100 of each are included.",
        }
        super().__init__(metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> frozenset[str]:
        wanted = value.split(",")
        if not set(wanted) <= set(EXPANDABLE):
            raise refusal("invalid_value", f"Must be a comma-separated list of {', '.join(EXPANDABLE)}.")
        return frozenset(wanted)


class PaymentQuerySchema(StrictSchema):
    """GET /v1/payments/{id}."""

    expand = Expansion()


class PaymentsQuerySchema(StrictSchema):
    """GET /v1/payments."""

    limit = page_limit()
    starting_after = page_start("pay", "a payment")
    state = OneOf(frozenset(State), "a payment state in capitals")
    gateway = Text(64)
    reference = Name(
        metadata={"description": "The payment's reference, in any spelling that counts as the same."}
    )
    customer_id = Text(255)
    currency = OneOf(EXPONENTS, "an ISO 4217 code in capitals")
    amount_gte = Number(
        0,
        MAX_MINOR,
        data_key="amount[gte]",
        metadata={"description": "The smallest amount to list, in minor units."},
    )
    amount_lte = Number(
        0,
        MAX_MINOR,
        data_key="amount[lte]",
        metadata={"description": "The largest amount to list, in minor units."},
    )
    created_gte = Moment(data_key="created[gte]")
    created_lt = Moment(data_key="created[lt]")
    certainty = OneOf(frozenset({"known", "unknown"}), "known or unknown")
    error_code = Text(
        64, metadata={"description": "The payment's `last_error.code`.", "example": "insufficient_funds"}
    )


class HistoryQuerySchema(StrictSchema):
    """GET /v1/payments/{id}/events."""

    limit = Number(1, LONGEST_PAGE, load_default=LONGEST_PAGE)
    starting_after = Text(
        64,
        pattern=r"evt_[0-9a-f]{32}_[1-9][0-9]{0,5}",
        form="the id of an event",
        metadata={"description": "List the events after this one."},
    )
    as_of = PastMoment(
        metadata={"description": "List only events up to this time, and show the payment as it was then."}
    )
