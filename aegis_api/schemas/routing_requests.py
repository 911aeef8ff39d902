"""What the routes about routing take."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from aegis_worker.persistence.audit_log import LONGEST_REASON, SHORTEST_REASON

from .fields import Fault, OneOf, StrictSchema, Text, Verbatim
from .queries import Number, page_limit

CONFIG = (
    "As config/routing.toml has it, in JSON: rules, strategy, fallback. What is left out has its default."
)


def _reason() -> Text:
    return Text(
        LONGEST_REASON,
        shortest=SHORTEST_REASON,
        required=True,
        metadata={"description": "Why; kept in the audit log."},
    )


class RoutingPutSchema(StrictSchema):
    """A routing configuration, or back to the file: one of `config` and `source`."""

    config = Verbatim(metadata={"description": CONFIG})
    source = OneOf(
        frozenset({"file"}), "file", metadata={"description": "`file`: config/routing.toml holds again."}
    )
    reason = _reason()

    @validates_schema(skip_on_field_errors=True)
    def _one_of_them(self, data: dict[str, Any], **_: Any) -> None:
        if ("config" in data) == ("source" in data):
            raise ValidationError({"config": [Fault("required", "Give either config or source.")]})


class RoutingVersionsQuerySchema(StrictSchema):
    """GET /v1/routing/versions."""

    limit = page_limit()
    starting_after = Number(1, 2**31 - 1, metadata={"description": "next_cursor of the page before."})


class PauseSchema(StrictSchema):
    """Why a gateway is paused."""

    reason = _reason()
