"""Schemas of the requests about routing."""

from __future__ import annotations

from aegis_api.http.fields import BodySchema, StrictSchema, Verbatim, Whole
from aegis_api.http.simulating import most_payments, since
from aegis_api.http.versions import VersionPutSchema
from aegis_worker.matching.operators import OPERATORS
from aegis_worker.routing.rules import FIELDS
from aegis_worker.routing.strategies import STRATEGIES

CONFIG = (
    "The same settings as in config/routing.toml, in JSON; that file explains each setting. "
    f"`strategy`: {', '.join(STRATEGIES)}. `fallback`: gateways, best first. `exploration`: 0 to 1. "
    "`weights`: {success, latency, cost}. `prior`: {success_rate, strength}. `shares`: a number by gateway. "
    "`countries`: gateways by country. `ab_test`: {experiment, arms: [{gateway, share}]}. "
    "`rules`: [{id, priority, enabled, description, gateway, conditions: [{field, operator, value}]}]; "
    f"field: {FIELDS.known}; operator: {', '.join(OPERATORS)}. "
    "A setting that is left out gets its default."
)


class RoutingPutSchema(VersionPutSchema):
    """A routing configuration in `config`, or `source: file` to go back to config/routing.toml."""

    config = Verbatim(metadata={"description": CONFIG})


class SimulationRequestSchema(BodySchema):
    """The configuration to try, and the payments to try it on."""

    config = Verbatim(metadata={"description": f"{CONFIG} If it is left out, the newest version is tried."})
    since = since()
    limit = most_payments(", beginning with the newest.")
    seed = Whole(
        0,
        2**31 - 1,
        load_default=1,
        metadata={
            "description": "The seed for random choices; the same seed gives the same answer.",
            "default": 1,
        },
    )


class ExperimentQuerySchema(StrictSchema):
    """GET /v1/routing/experiments/{experiment}."""

    since = since()
