"""Schemas of gateways as operators see them, of pausing one, and of the answer to an event that a gateway posts."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.composed import Reason
from aegis_api.http.documented import Answer, an_object, number, one_of, text, time, whole
from aegis_api.http.fields import BodySchema
from aegis_worker.domain.breakers import BreakerState
from aegis_worker.resilience.permits import ERRORS

GATEWAY_NAME = {
    "name": "gateway_name",
    "in": "path",
    "description": "A gateway, as config/gateways.toml names it.",
    "schema": {"type": "string"},
}
_STATES = "CLOSED: calls go out. OPEN: none do, until retry_in_s is over. HALF_OPEN: a few do, as probes."


def _words(description: str) -> fields.List[str]:
    return fields.List(fields.String(), required=True, metadata={"description": description})


class GatewayPauseSchema(Answer):
    """Since when a gateway gets no new payments, who paused it and why."""

    since = time()
    actor = text("The operator's key, or `cli:<user name>`.")
    reason = text()


class BreakerSchema(Answer):
    """A circuit breaker, shared by all workers. The rates are of the calls in its window, null without any."""

    operation = text("What it lets through; `status`: look-ups.")
    state = one_of(*BreakerState, description=_STATES)
    retry_in_s = number("Seconds until a probe may go out; 0 unless it is OPEN.")
    consecutive_failures = whole("Refused connections, timeouts, 5xx and unknown outcomes in a row.")
    calls = whole("In the breaker's window.")
    failure_rate = number("Calls that failed, the unknown ones among them, 0 to 1.", none=True)
    unknown_rate = number("Calls that may or may not have happened, 0 to 1.", none=True)
    opened = whole("How often it has opened since it was first used.")
    probes_out = whole("Probes that are out now.")


class LatencySchema(Answer):
    """Milliseconds that answered calls took; null without one."""

    mean = number(none=True)
    p50 = number("Half of the calls took no longer.", none=True)
    p95 = number("95 of 100 calls took no longer.", none=True)
    p99 = number("99 of 100 calls took no longer.", none=True)


class OutcomesSchema(Answer):
    """How calls ended; of the steps of one try, the last one counts."""

    approved = whole()
    declined = whole("Declined as this gateway may do and another may not.")
    payer = whole("Declined as any gateway would; says nothing about this one.")
    pending = whole("The gateway decides later, or the payer has to act.")
    rate_limited = whole("Refused with too many requests.")
    error = whole("Nothing was sent, or the outcome was unknown.")


class WindowSchema(Answer):
    """Figures of a window. Rates are 0 to 1, null where there is nothing that they could be of."""

    calls = whole("Tries of payments at this gateway, each counted once; look-ups are not among them.")
    outcomes = fields.Nested(OutcomesSchema, required=True)
    success_rate = number("approved / (approved + declined + error).", none=True)
    decline_rate = number("(declined + payer) / (approved + declined + payer + pending).", none=True)
    error_rates = an_object(f"By type of error, of all calls: {', '.join(ERRORS)}.")
    latency_ms = fields.Nested(LatencySchema, required=True)
    calls_per_s = number("From the window's first call until now.")


class GatewayHealthSchema(Answer):
    """What all workers together know of a gateway."""

    score = number(
        "0.0 to 1.0: breaker 50 % (CLOSED 1, HALF_OPEN 0.5, OPEN 0), success rate 30 %, latency 10 % (1 while p95 is at "
        "most latency_target_ms, falling evenly to 0 at timeout_s), recent run 10 % (of the last ten calls, how many "
        "did not fail). Over the recent window since the breaker last closed; what has no data counts as full."
    )
    state = one_of(*BreakerState, description=f"The worst of the breakers that a charge needs. {_STATES}")
    retry_in_s = number("Seconds until a probe may go out; 0 unless it is OPEN.")
    in_flight = whole("Calls out now, over all workers, without look-ups.")
    calls_per_s = number("Over this minute and the last one.")
    breakers = fields.List(fields.Nested(BreakerSchema), required=True)
    recent = fields.Nested(
        WindowSchema,
        required=True,
        metadata={
            "description": "The last 100 calls, none older than an hour, those before the breaker last closed too."
        },
    )
    last_hour = fields.Nested(
        WindowSchema, required=True, metadata={"description": "All calls; percentiles are within 5 %."}
    )


class GatewayLimitsSchema(Answer):
    """What a gateway takes, and what is allowed it. An empty list means any."""

    currencies = _words("Codes of ISO 4217.")
    countries = _words("Codes of ISO 3166.")
    methods = _words("Types of payment methods.")
    amounts = an_object("By currency: `min_minor` and `max_minor`, both included; null for no upper limit.")
    max_concurrent = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Calls at once over all workers; null: as many as the workers make."},
    )
    connect_timeout_s = number("After that nothing was sent.")
    timeout_s = number("After that the outcome is unknown until the gateway is asked.")
    latency_target_ms = whole("A charge that takes no longer is as fast as need be, for the score.")


class GatewayFeesSchema(Answer):
    """What a charge costs; null where the configuration doesn't tell."""

    fixed_minor = fields.Integer(
        required=True, allow_none=True, metadata={"description": "In the charge's currency."}
    )
    basis_points = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Hundredths of a percent."}
    )


class GatewaySchema(Answer):
    """A gateway of config/gateways.toml."""

    object = one_of("gateway")
    name = text()
    adapter = text()
    enabled = fields.Boolean(required=True)
    paused = fields.Nested(
        GatewayPauseSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null while it is not paused."},
    )
    health = fields.Nested(
        GatewayHealthSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null while Redis can't be asked."},
    )
    limits = fields.Nested(GatewayLimitsSchema, required=True)
    fees = fields.Nested(GatewayFeesSchema, required=True)


class GatewayListSchema(Answer):
    """All configured gateways, in the order of the configuration."""

    data = fields.List(fields.Nested(GatewaySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class ReceivedSchema(Answer):
    """An event was taken: kept, or kept before."""

    received = fields.Boolean(required=True)


class PausedSchema(Answer):
    """Whether a gateway is paused now."""

    object = one_of("gateway_pause")
    gateway = text()
    paused = fields.Boolean(required=True)
    changed = fields.Boolean(
        required=True, metadata={"description": "false: it was so already, and nothing was written."}
    )


class PauseSchema(BodySchema):
    """Why a gateway is paused."""

    reason = Reason("Why; kept in the audit log.", required=True)
