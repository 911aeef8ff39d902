"""The answers of the routes about routing."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, number, one_of, text, time, whole
from aegis_api.http.versions import HeldSchema, VersionListSchema, VersionSchema


class RoutingSchema(HeldSchema):
    """The routing configuration in force. In version 0 nobody has changed it, and config/routing.toml is in force."""

    object = one_of("routing")


class RoutingVersionSchema(VersionSchema):
    """One change of the routing configuration."""

    object = one_of("routing_version")


class RoutingVersionListSchema(VersionListSchema):
    """A page of the changes, newest first."""

    data = fields.List(fields.Nested(RoutingVersionSchema), required=True)


class SimulatedGatewaySchema(Answer):
    """A gateway over the period: payments that went to it first or would have, and how its hops ended."""

    gateway = text()
    was = whole("Payments that went to this gateway first.")
    would_be = whole("Payments that would have gone to this gateway first.")
    judged = whole("Hops that ended approved, declined or failed, and so say something about the gateway.")
    approved = whole("How many of the judged hops were approved.")
    success_rate = number("approved / judged; null if none is judged.", none=True)
    latency_mean_ms = number(none=True)
    latency_p95_ms = number(none=True)
    expected_success_rate = number(
        "The success rate that is assumed for a payment that moves to this gateway; null if it is no longer configured.",
        none=True,
    )


class MoveSchema(Answer):
    """Payments whose first gateway would change."""

    # `from` is a keyword of Python.
    _from = text(
        "The gateway that was tried first. null if the payment was never sent.", none=True, data_key="from"
    )
    to = text(
        "The gateway that would be tried first. null if no gateway would have taken the payment.", none=True
    )
    payments = whole()


class RuleCountSchema(Answer):
    """How often an enabled rule decided about a payment."""

    id = text()
    payments = whole()


class ReasonCountSchema(Answer):
    """One reason why gateways would not have taken a payment, among payments that no gateway would have taken."""

    reason = text()
    payments = whole()


class LeftOutCountSchema(Answer):
    """How many payments a gateway was no candidate for, and why, in the words of a payment's own decision."""

    gateway = text()
    reason = text()
    payments = whole()


class SuccessComparedSchema(Answer):
    """A comparison over the payments for which the value is known on both sides."""

    payments = whole()
    was_rate = number(none=True)
    would_be_rate = number(none=True)


class LatencyComparedSchema(Answer):
    """A comparison over the payments for which the value is known on both sides."""

    payments = whole()
    was_mean_ms = number(none=True)
    would_be_mean_ms = number(none=True)


class FeesComparedSchema(Answer):
    """Fees, in minor units, if all payments were charged. Counts payments for which both gateways' fees are known."""

    currency = text()
    payments = whole()
    was_minor = whole()
    would_be_minor = whole()


class SimulationSchema(Answer):
    """Which payments would have gone where, and with what result, under the listed assumptions."""

    object = one_of("routing_simulation")
    since = time()
    payments = whole("How many payments were replayed, beginning with the newest.")
    complete = fields.Boolean(
        required=True,
        metadata={"description": "false if the time limit ended before all payments were replayed."},
    )
    seed = whole()
    config = an_object("The whole configuration that was tried.")
    gateways = fields.List(fields.Nested(SimulatedGatewaySchema), required=True)
    moved = whole("Payments that would have gone to another gateway first.")
    never_sent = whole("Payments that were never sent to a gateway.")
    no_gateway = whole("Payments that no gateway would have taken.")
    explored = whole(
        "Payments that would have gone first to a gateway other than the best one, in order to try it."
    )
    moves = fields.List(fields.Nested(MoveSchema), required=True)
    rules = fields.List(fields.Nested(RuleCountSchema), required=True)
    left_out = fields.List(fields.Nested(LeftOutCountSchema), required=True)
    not_taken = fields.List(fields.Nested(ReasonCountSchema), required=True)
    success = fields.Nested(SuccessComparedSchema, required=True)
    latency = fields.Nested(LatencyComparedSchema, required=True)
    fees = fields.List(fields.Nested(FeesComparedSchema), required=True)
    fees_unknown = whole("Payments for which a gateway's fees are not configured.")
    assumptions = fields.List(fields.String(), required=True)


class IntervalSchema(Answer):
    """An interval in which the true rate lies with a confidence of 95 % (Wilson)."""

    low = number()
    high = number()


class ArmSchema(Answer):
    """The results of one arm: of its payments, only the first hop counts."""

    arm = text("The gateway of the arm.")
    share = number(
        "The share of customers that the arm gets now; null if the arm is no longer configured.", none=True
    )
    payments = whole()
    approved = whole()
    declined = whole()
    failed = whole("Payments that failed without a decision of the gateway, such as when nothing was sent.")
    undecided = whole("Payments that are pending or whose outcome is not known yet.")
    success_rate = number("approved / (approved + declined + failed).", none=True)
    success_interval = fields.Nested(IntervalSchema, required=True, allow_none=True)
    latency_mean_ms = number("The mean latency of answered calls.", none=True)


class ExperimentSchema(Answer):
    """The results of an A/B test, for each arm."""

    object = one_of("experiment")
    experiment = text()
    running = fields.Boolean(
        required=True, metadata={"description": "Whether the A/B test is configured now."}
    )
    since = time()
    looked_at = whole(
        "How many payments were examined: those accepted since `since`, in the test or not, at most the newest 100,000."
    )
    arms = fields.List(fields.Nested(ArmSchema), required=True)
