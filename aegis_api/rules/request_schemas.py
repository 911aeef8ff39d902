"""Schemas of the requests about rules."""

from __future__ import annotations

from aegis_api.http.fields import BodySchema, Verbatim
from aegis_api.http.simulating import most_payments, since
from aegis_api.http.versions import VersionPutSchema
from aegis_worker.matching.operators import OPERATORS
from aegis_worker.rules import velocity
from aegis_worker.rules.built_in import BUILT_IN
from aegis_worker.rules.fields import FIELDS
from aegis_worker.rules.rule import ACTIONS, ON_REDIS_LOSS

_BUILT_IN = ", ".join(f"`{name}`: {{{', '.join(settings)}}}" for name, (settings, _, _) in BUILT_IN.items())
CONFIG = (
    "The same settings as in config/rules.toml, in JSON; that file explains each setting. "
    f"`on_redis_loss`: {', '.join(ON_REDIS_LOSS)}. `most_entries`. `thresholds`: a sum of scores by action. "
    f"Built-in rules: {_BUILT_IN}; each with `enabled`, and `action` or `score`. "
    "`rules`: [{id, enabled, description, action or score, on_redis_loss, conditions: [{field, operator, value}]}]; "
    f"action: {', '.join(action.value for action in ACTIONS)}; field: {FIELDS.known}; operator: {', '.join(OPERATORS)}; "
    f"with a `window`, and gt or gte: {', '.join(velocity.FIELDS)}. A setting that is left out gets its default."
)


class RulesPutSchema(VersionPutSchema):
    """Rules in `config`, or `source: file` to go back to config/rules.toml."""

    config = Verbatim(metadata={"description": CONFIG})


class RulesSimulationRequestSchema(BodySchema):
    """The rules to try, and the payments to try them on."""

    config = Verbatim(metadata={"description": f"{CONFIG} If it is left out, the newest version is tried."})
    since = since()
    limit = most_payments(": the newest of them, replayed from the oldest on.")
