"""Schemas of the requests about routing."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from aegis_api.http.composed import Reason
from aegis_api.http.fields import BodySchema, Fault, OneOf, StrictSchema, Verbatim, Whole
from aegis_api.http.query_fields import Number, PastMoment, page_limit
from aegis_worker.routing.rules import FIELDS, METADATA, OPERATORS
from aegis_worker.routing.strategies import STRATEGIES

# A request must not hold a thread for long. `aegis routing simulate` takes more payments.
MOST_SIMULATED = 20_000
CONFIG = (
    "As config/routing.toml has it, in JSON; that file explains each setting. "
    f"`strategy`: {', '.join(STRATEGIES)}. `fallback`: gateways, best first. `exploration`: 0 to 1. "
    "`weights`: {success, latency, cost}. `prior`: {success_rate, strength}. `shares`: a number by gateway. "
    "`countries`: gateways by country. `ab_test`: {experiment, arms: [{gateway, share}]}. "
    "`rules`: [{id, priority, enabled, description, gateway, conditions: [{field, operator, value}]}]; "
    f"field: {', '.join(FIELDS)}, {METADATA}KEY; operator: {', '.join(OPERATORS)}. "
    "What is left out has its default."
)


class RoutingPutSchema(BodySchema):
    """A routing configuration in `config`, or back to the file with `source: file`."""

    config = Verbatim(metadata={"description": CONFIG})
    source = OneOf(
        frozenset({"file", "put"}),
        "file or put",
        metadata={
            "description": "`file`: config/routing.toml holds again. `put`, as GET shows it: the same as leaving it out."
        },
    )
    reason = Reason("Why; kept in the audit log.", required=True)

    @validates_schema(skip_on_field_errors=True)
    def _one_of_them(self, data: dict[str, Any], **_: Any) -> None:
        config, source = data.get("config"), data.get("source")
        if (config is None) is not (source == "file"):
            wrong = "source" if source == "put" else "config"
            raise ValidationError({wrong: [Fault("required", "Give either config, or source: file.")]})


class RoutingVersionsQuerySchema(StrictSchema):
    """GET /v1/routing/versions."""

    limit = page_limit()
    starting_after = Number(1, 2**31 - 1, metadata={"description": "next_cursor of the page before."})


class SimulationRequestSchema(BodySchema):
    """What to try, and on which payments."""

    config = Verbatim(
        metadata={"description": f"{CONFIG} Without it: what holds now, as of the newest version."}
    )
    since = PastMoment(metadata={"description": "Payments accepted since then. Default: 7 days ago."})
    limit = Whole(
        1,
        MOST_SIMULATED,
        load_default=5000,
        metadata={"description": "How many at most, the newest ones.", "default": 5000},
    )
    seed = Whole(
        0,
        2**31 - 1,
        load_default=1,
        metadata={
            "description": "For what is left to chance; the same seed gives the same answer.",
            "default": 1,
        },
    )


class ExperimentQuerySchema(StrictSchema):
    """GET /v1/routing/experiments/{experiment}."""

    since = PastMoment(metadata={"description": "Payments accepted since then. Default: 7 days ago."})
