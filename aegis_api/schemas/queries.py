"""Query strings: every parameter is known or refused, so that a misspelt filter never lists everything."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.transitions import State

from .fields import Name, OneOf, StrictField, StrictSchema, Text, refusal

LONGEST_PAGE = 100
_JOB_STATUSES = frozenset({"queued", "running", "waiting", "succeeded", "failed", "review"})
_LONGEST_NUMBER = 19  # digits of 64 bits
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
EXPANDABLE = ("attempts", "events")


def _id(prefix: str, what: str) -> Text:
    return Text(
        64,
        pattern=prefix + r"_[0-9a-f]{32}",
        form=f"the id of {what}",
        metadata={
            "description": f"List what comes after {what} in the order of the list: next_cursor of the page before."
        },
    )


class Number(StrictField):
    """A whole number written in decimal digits."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        documented = {"type": "integer", "minimum": least, "maximum": most}
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)
        self._least = least
        self._most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not (value.isascii() and value.isdecimal()) or len(value) > _LONGEST_NUMBER:
            raise refusal("invalid_type", "Must be a whole number in decimal digits.")
        if not self._least <= int(value) <= self._most:
            raise refusal("out_of_range", f"Must be from {self._least} to {self._most}.")
        return int(value)


class Moment(StrictField):
    """An instant as RFC 3339 writes it, with its offset."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "string",
            "format": "date-time",
            "pattern": f"^{_MOMENT.pattern}$",
            "example": "2026-11-21T09:00:00Z",
        }
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if type(value) is not str:
            raise refusal("invalid_type", "Must be a string.")
        moment = _moment(value)
        if moment is not None:
            return moment
        hint = ""
        if _moment("+".join(value.rsplit(" ", 1))) is not None:
            hint = " A + in a query stands for a space: write it as %2B."
        raise refusal(
            "invalid_format", f"Must be an RFC 3339 time with an offset, such as 2026-11-21T09:00:00Z.{hint}"
        )


def _moment(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class PastMoment(Moment):
    """An instant that is not in the future."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment = super()._deserialize(value, attr, data, **kwargs)
        if moment > datetime.now(UTC):
            raise refusal("out_of_range", "Must not be in the future.")
        return moment


class Expansion(StrictField):
    """A comma-separated list of what to include."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "string",
            "pattern": "^(attempts|events)(,(attempts|events))*$",
            "example": "attempts,events",
            "description": f"Comma-separated: {', '.join(EXPANDABLE)}. At most 100 of each are included.",
        }
        super().__init__(metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> frozenset[str]:
        wanted = value.split(",")
        if not set(wanted) <= set(EXPANDABLE):
            raise refusal("invalid_value", f"Must be a comma-separated list of {', '.join(EXPANDABLE)}.")
        return frozenset(wanted)


def page_limit() -> Number:
    """How many rows a page has at most."""
    return Number(1, LONGEST_PAGE, load_default=20, metadata={"description": "How many to list at most."})


class PaymentQuerySchema(StrictSchema):
    """GET /v1/payments/{id}."""

    expand = Expansion()


class PaymentsQuerySchema(StrictSchema):
    """GET /v1/payments."""

    limit = page_limit()
    starting_after = _id("pay", "a payment")
    state = OneOf(frozenset(State), "a payment state in capitals")
    gateway = Text(64)
    reference = Name(metadata={"description": "In any form that is the same as the payment's."})
    customer_id = Text(255)
    currency = OneOf(EXPONENTS, "an ISO 4217 code in capitals")
    amount_gte = Number(0, MAX_MINOR, data_key="amount[gte]", metadata={"description": "Minor units."})
    amount_lte = Number(0, MAX_MINOR, data_key="amount[lte]", metadata={"description": "Minor units."})
    created_gte = Moment(data_key="created[gte]")
    created_lt = Moment(data_key="created[lt]")
    certainty = OneOf(frozenset({"known", "unknown"}), "known or unknown")
    error_code = Text(64, metadata={"description": "last_error.code", "example": "insufficient_funds"})


class JobsQuerySchema(StrictSchema):
    """GET /v1/jobs."""

    limit = page_limit()
    starting_after = _id("job", "a job")
    status = OneOf(_JOB_STATUSES, "a job status")
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")


class HistoryQuerySchema(StrictSchema):
    """GET /v1/payments/{id}/events."""

    limit = Number(1, LONGEST_PAGE, load_default=LONGEST_PAGE)
    starting_after = Text(
        64,
        pattern=r"evt_[0-9a-f]{32}_[1-9][0-9]{0,5}",
        form="the id of an event",
        metadata={"description": "List what happened after this event."},
    )
    as_of = PastMoment(
        metadata={"description": "Only what had happened by then, and the payment as it stood then."}
    )
