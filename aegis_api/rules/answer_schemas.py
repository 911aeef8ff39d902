"""The answers of the routes about rules."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_api.http.versions import HeldSchema, VersionListSchema, VersionSchema
from aegis_worker.domain.screening import Action

_ACTIONS = tuple(action.value for action in Action)


class RulesSchema(HeldSchema):
    """The rules in force. In version 0 nobody has changed them, and config/rules.toml is in force."""

    object = one_of("rules")


class RulesVersionSchema(VersionSchema):
    """One change of the rules."""

    object = one_of("rules_version")


class RulesVersionListSchema(VersionListSchema):
    """A page of the changes, newest first."""

    data = fields.List(fields.Nested(RulesVersionSchema), required=True)


class SumSchema(Answer):
    """The sum of some payments in one currency."""

    currency = text()
    minor = whole("In minor units.")


class _TallySchema(Answer):
    payments = whole()
    succeeded = whole("Those of them that were charged, or hold funds.")
    failed = whole("Those of them that failed or were cancelled.")
    disputed = whole("Those of them that were disputed at any time since.")
    amounts = fields.List(
        fields.Nested(SumSchema), required=True, metadata={"description": "Their sums, by currency."}
    )


class ActionTallySchema(_TallySchema):
    """The payments for which an action would have held, and what became of them without it."""

    action = one_of(*_ACTIONS)


class RuleTallySchema(_TallySchema):
    """The payments in which a rule would have found something, and what became of them without it."""

    rule = text("The rule's id; `rules score` stands for the sum of the scores.")
    examples = fields.List(
        fields.String(), required=True, metadata={"description": "The ids of a few of them."}
    )


class ScreeningChangeSchema(Answer):
    """Payments for which another action would have held than the one that held at the time."""

    # `from` is a keyword of Python.
    _from = text("The action then; null if nothing screened them.", none=True, data_key="from")
    to = one_of(*_ACTIONS, description="The action that would have held.")
    payments = whole()


class RulesSimulationSchema(Answer):
    """What the rules would have done with past payments, under the listed assumptions."""

    object = one_of("rules_simulation")
    since = time()
    payments = whole("How many payments were replayed, beginning with the oldest.")
    complete = fields.Boolean(
        required=True,
        metadata={"description": "false if the time limit ended before all payments were replayed."},
    )
    config = an_object("The rules that were tried.")
    actions = fields.List(
        fields.Nested(ActionTallySchema),
        required=True,
        metadata={"description": "The payments by the action that would have held."},
    )
    rules = fields.List(
        fields.Nested(RuleTallySchema),
        required=True,
        metadata={"description": "The payments by the rule that would have found something."},
    )
    changed = fields.List(
        fields.Nested(ScreeningChangeSchema),
        required=True,
        metadata={"description": "Those that would have ended otherwise than they did then."},
    )
    assumptions = fields.List(fields.String(), required=True)
