"""Schemas of the requests about routing."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from aegis_api.http.composed import Reason
from aegis_api.http.fields import BodySchema, Fault, OneOf, StrictSchema, Verbatim, Whole
from aegis_api.http.query_fields import Number, PastMoment, page_limit
from aegis_worker.matching.operators import OPERATORS
from aegis_worker.routing.rules import FIELDS
from aegis_worker.routing.strategies import STRATEGIES

# A request must not hold a thread for long. `aegis routing simulate` takes more payments.
MOST_SIMULATED = 20_000
CONFIG = (
    "The same settings as in config/routing.toml, in JSON; that file explains each setting. "
    f"`strategy`: {', '.join(STRATEGIES)}. `fallback`: gateways, best first. `exploration`: 0 to 1. "
    "`weights`: {success, latency, cost}. `prior`: {success_rate, strength}. `shares`: a number by gateway. "
    "`countries`: gateways by country. `ab_test`: {experiment, arms: [{gateway, share}]}. "
    "`rules`: [{id, priority, enabled, description, gateway, conditions: [{field, operator, value}]}]; "
    f"field: {FIELDS.known}; operator: {', '.join(OPERATORS)}. "
    "A setting that is left out gets its default."
)


class RoutingPutSchema(BodySchema):
    """A routing configuration in `config`, or `source: file` to go back to config/routing.toml."""

    config = Verbatim(metadata={"description": CONFIG})
    source = OneOf(
        frozenset({"file", "put"}),
        "file or put",
        metadata={
            "description": (
                "`file`: config/routing.toml comes into force again. `put` is the same as leaving it out, so that the "
                "answer of a GET can be put back."
            )
        },
    )
    reason = Reason("Why the configuration is changed; kept in the audit log.", required=True)

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """Load it. Raises ValidationError, also unless it is one of the two."""
        loaded = super().load(data, **options)
        config, source = loaded.get("config"), loaded.get("source")
        if (config is None) is not (source == "file"):
            wrong = "source" if source == "put" else "config"
            raise ValidationError({wrong: [Fault("required", "Give either config, or source: file.")]})
        return loaded


class RoutingVersionsQuerySchema(StrictSchema):
    """GET /v1/routing/versions."""

    limit = page_limit()
    starting_after = Number(1, 2**31 - 1, metadata={"description": "The `next_cursor` of the previous page."})


class SimulationRequestSchema(BodySchema):
    """The configuration to try, and the payments to try it on."""

    config = Verbatim(metadata={"description": f"{CONFIG} If it is left out, the newest version is tried."})
    since = PastMoment(
        metadata={"description": "Take payments accepted since this time. The default is 7 days ago."}
    )
    limit = Whole(
        1,
        MOST_SIMULATED,
        load_default=5000,
        metadata={
            "description": "How many payments to take at most, beginning with the newest.",
            "default": 5000,
        },
    )
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

    since = PastMoment(
        metadata={"description": "Take payments accepted since this time. The default is 7 days ago."}
    )
