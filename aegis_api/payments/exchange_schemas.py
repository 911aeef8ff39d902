"""Schemas of the exchanges with gateways, and of the attempts that show them."""

from __future__ import annotations

from typing import get_args

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_api.http.fields import OneOf, StrictSchema
from aegis_worker.domain.exchanges import Because, CallKind
from aegis_worker.domain.outcomes import Operation

from .answer_schemas import AttemptSchema

_HEADERS = "By name. The values of those that may hold a secret are `[hidden]`."


def _body(of: str) -> fields.Raw:
    documented = (
        f"The {of}'s body. What is not known to be an id, an amount, a code or a status is `[hidden]`; null where there is "
        "none, or where it is `left_out`."
    )
    return fields.Raw(required=True, allow_none=True, metadata={"description": documented})


def _left_out() -> fields.String:
    return text(
        "Why the body is not shown: it could not be read, or it is too large.",
        none=True,
        enum=["unreadable", "too_large", None],
    )


class ExchangeRequestSchema(Answer):
    """The request of an exchange."""

    method = text("The HTTP method.")
    path = text("Below the gateway's address.")
    query = an_object("The fields of the query, as those of the body; null without a query.", none=True)
    headers = an_object(_HEADERS)
    bytes = whole("The length of the body.")
    body = _body("request")
    left_out = _left_out()


class ExchangeAnswerSchema(Answer):
    """The answer of an exchange."""

    status = whole("The HTTP status.")
    headers = an_object(_HEADERS)
    bytes = whole("The length of the body.")
    body = _body("answer")
    left_out = _left_out()


class NoAnswerSchema(Answer):
    """Why an exchange has no answer."""

    outcome = one_of(
        "not_sent",
        "unknown",
        description="not_sent: nothing left this installation. unknown: the request may have arrived.",
    )
    kind = text("Such as `ANSWER_TIMEOUT`.")
    reason = text("In words; null where the gateway's bytes could not be read.", none=True)


class ExchangeSchema(Answer):
    """What went out to a gateway in one request, and what came back; without secrets and personal data."""

    object = one_of("exchange")
    operation = one_of(*(operation.value for operation in Operation), description="That of its attempt.")
    number = whole("That of its attempt.")
    kind = one_of(
        *CallKind,
        description="send: the call itself. send_again: repeated under its key. look_up: what became of it.",
    )
    because = text(
        "Why the gateway was asked where no job asked: a comparison that found a difference, a person who decides or wants "
        "to know, or a dispute.",
        none=True,
        enum=[*get_args(Because), None],
    )
    at = time("When it began.")
    took_ms = fields.Float(
        required=True,
        metadata={"description": "Until the whole answer was there, or it was clear that none comes."},
    )
    request = fields.Nested(
        ExchangeRequestSchema, required=True, metadata={"description": "What went out, or was to."}
    )
    answer = fields.Nested(
        ExchangeAnswerSchema,
        required=True,
        allow_none=True,
        metadata={"description": "What came back; null where nothing did that is an answer."},
    )
    no_answer = fields.Nested(
        NoAnswerSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Why there is no answer; null where there is one."},
    )


class ExpandedAttemptSchema(AttemptSchema):
    """One call to one gateway, with what was exchanged for it."""

    exchanges = fields.List(
        fields.Nested(ExchangeSchema),
        metadata={
            "description": "Present with expand=exchange: what went out and came back, oldest first; empty once it is not "
            "kept any more (AEGIS_EXCHANGE_KEEP_D)."
        },
    )


class ExpandedAttemptListSchema(Answer):
    """A payment's attempts in the order in which they were sent. They always fit on one page."""

    data = fields.List(fields.Nested(ExpandedAttemptSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class AttemptsQuerySchema(StrictSchema):
    """GET /v1/payments/{id}/attempts."""

    expand = OneOf(
        frozenset({"exchange"}),
        "exchange",
        metadata={
            "description": "`exchange`: with what went out to the gateway and came back. Needs an operator's key."
        },
    )
