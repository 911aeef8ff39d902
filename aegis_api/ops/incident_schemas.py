"""Schemas of incidents, for the operators' request and answer."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, one_of, text, time
from aegis_api.http.fields import OneOf, StrictSchema, Text
from aegis_api.http.query_fields import page_limit
from aegis_worker.audit.violations import INVARIANTS

_DEMANDS = "; ".join(f"{name}: {demand}" for name, demand in INVARIANTS.items())


class IncidentsQuerySchema(StrictSchema):
    """GET /v1/ops/incidents."""

    limit = page_limit()
    starting_after = Text(
        64,
        pattern=r"inc_[0-9a-f]{32}",
        form="the id of an incident",
        metadata={"description": "The `next_cursor` of the previous page."},
    )
    invariant = OneOf(INVARIANTS, "one of I1 to I7")
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")
    open = OneOf(frozenset({"true", "false"}), "true or false")


class IncidentSchema(Answer):
    """A violation of an invariant. It is open until a later check of the payment no longer finds it."""

    id = text()
    object = one_of("incident")
    invariant = one_of(*INVARIANTS, description=_DEMANDS)
    payment_id = text()
    looked = one_of(
        "payments",
        "keys",
        "gateways",
        description="Which check found it. The same check closes the incident when it no longer finds the violation.",
    )
    summary = text()
    evidence = an_object("What the latest check saw.")
    found_at = time()
    last_seen_at = time()
    resolved_at = time("When a check found it gone; null while it is open.", none=True)


class IncidentListSchema(Answer):
    """A page of incidents, newest first."""

    data = fields.List(fields.Nested(IncidentSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)
