"""The answers of the routes about routing."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, number, one_of, text, time, whole


class RoutingSchema(Answer):
    """What routing goes by. Version 0: nothing was ever put, and config/routing.toml holds."""

    object = one_of("routing")
    version = whole("One more with each change. 0: it was never changed.")
    source = one_of("file", "put", description="`file`: config/routing.toml holds; `put`: what was put here.")
    config = an_object("The whole configuration, defaults too.")
    unusable = text(
        "Why this process can't use the configuration; the newest one that it can use holds here.", none=True
    )
    actor = text("Who put it. null: nobody, it was never changed.", none=True)
    reason = text("Why.", none=True)
    since = time(none=True)


class RoutingVersionSchema(Answer):
    """One change of the configuration, as it was put."""

    object = one_of("routing_version")
    version = whole()
    source = one_of("file", "put", description="`file`: from here on config/routing.toml held again.")
    config = an_object("As it was put.", none=True)
    actor = text()
    reason = text()
    created_at = time()


class RoutingVersionListSchema(Answer):
    """A page of the changes, newest first."""

    data = fields.List(fields.Nested(RoutingVersionSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("starting_after of the next page.", none=True)


class SimulatedGatewaySchema(Answer):
    """A gateway over the period: payments that went there first, and that would have; what its hops came to."""

    gateway = text()
    was = whole("Payments that went there first.")
    would_be = whole("Payments that would have gone there first.")
    judged = whole("Hops that say something about the gateway: approved, declined, failed.")
    approved = whole("Of these.")
    success_rate = number("Of the judged; null without any.", none=True)
    latency_mean_ms = number(none=True)
    latency_p95_ms = number(none=True)
    expected_success_rate = number(
        "What a payment that moves there is taken to come to; null where the gateway is not configured any more.",
        none=True,
    )


class MoveSchema(Answer):
    """Payments whose first gateway would change."""

    # `from` is a keyword of Python.
    _from = text("null: it was never sent anywhere.", none=True, data_key="from")
    to = text("null: no gateway would have taken it.", none=True)
    payments = whole()


class RuleCountSchema(Answer):
    """How often an enabled rule decided."""

    id = text()
    payments = whole()


class ReasonCountSchema(Answer):
    """Why a gateway would not have taken payments that no gateway would have taken."""

    reason = text()
    payments = whole()


class SuccessComparedSchema(Answer):
    """Over the payments of which it is known on both sides."""

    payments = whole()
    was_rate = number(none=True)
    would_be_rate = number(none=True)


class LatencyComparedSchema(Answer):
    """Over the payments of which it is known on both sides."""

    payments = whole()
    was_mean_ms = number(none=True)
    would_be_mean_ms = number(none=True)


class FeesComparedSchema(Answer):
    """Over the payments of which both gateways' fees are known, in minor units, if all of them were charged."""

    currency = text()
    payments = whole()
    was_minor = whole()
    would_be_minor = whole()


class SimulationSchema(Answer):
    """What would have gone where, and what that would have come to. Read it with its assumptions."""

    object = one_of("routing_simulation")
    since = time()
    payments = whole("How many were replayed, the newest ones.")
    complete = fields.Boolean(
        required=True, metadata={"description": "false: the time was over before all were replayed."}
    )
    seed = whole()
    config = an_object("What was tried, whole.")
    gateways = fields.List(fields.Nested(SimulatedGatewaySchema), required=True)
    moved = whole("Payments that would have gone to another gateway first.")
    never_sent = whole("Payments that went nowhere.")
    no_gateway = whole("Payments that no gateway would have taken.")
    explored = whole("Payments that would have gone first to another than the favourite, to try it.")
    moves = fields.List(fields.Nested(MoveSchema), required=True)
    rules = fields.List(fields.Nested(RuleCountSchema), required=True)
    not_taken = fields.List(fields.Nested(ReasonCountSchema), required=True)
    success = fields.Nested(SuccessComparedSchema, required=True)
    latency = fields.Nested(LatencyComparedSchema, required=True)
    fees = fields.List(fields.Nested(FeesComparedSchema), required=True)
    fees_unknown = whole("Payments of which a gateway's fees are not configured.")
    assumptions = fields.List(fields.String(), required=True)


class IntervalSchema(Answer):
    """Where the true rate is: 95 of 100 such intervals hold it (Wilson)."""

    low = number()
    high = number()


class ArmSchema(Answer):
    """The first hops of an arm's payments."""

    arm = text("The gateway of the arm.")
    share = number("Of the customers, as it is set now; null where the arm is not set any more.", none=True)
    payments = whole()
    approved = whole()
    declined = whole()
    failed = whole("Not sent.")
    undecided = whole("Pending, or nobody knows yet.")
    success_rate = number("Approved of approved, declined and failed.", none=True)
    success_interval = fields.Nested(IntervalSchema, required=True, allow_none=True)
    latency_mean_ms = number("Of the answered.", none=True)


class ExperimentSchema(Answer):
    """What an A/B test has come to, by arm."""

    object = one_of("experiment")
    experiment = text()
    running = fields.Boolean(required=True, metadata={"description": "Payments are divided by it now."})
    since = time()
    looked_at = whole("Payments of this time, part of it or not; the newest 100,000 at most.")
    arms = fields.List(fields.Nested(ArmSchema), required=True)
