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
        metadata={"description": "next_cursor of the page before."},
    )
    invariant = OneOf(INVARIANTS, "one of I1 to I7")
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")
    open = OneOf(frozenset({"true", "false"}), "true or false")


class IncidentSchema(Answer):
    """A violation of an invariant, from when it was first seen until a look at the payment found it gone."""

    id = text()
    object = one_of("incident")
    invariant = one_of(*INVARIANTS, description=_DEMANDS)
    payment_id = text()
    looked = one_of(
        "payments", "keys", "gateways", description="What was gone through; the same look ends it."
    )
    summary = text()
    evidence = an_object("What was seen, as of the last time.")
    found_at = time()
    last_seen_at = time()
    resolved_at = time("Null while it is open.", none=True)


class IncidentListSchema(Answer):
    """A page of incidents, newest first."""

    data = fields.List(fields.Nested(IncidentSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("starting_after of the next page.", none=True)
