"""Schemas of gateways as operators see them, of pausing one, and of the answer to an event that a gateway posts."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.composed import Reason
from aegis_api.http.documented import Answer, an_object, number, one_of, text, time, whole
from aegis_api.http.fields import BodySchema
from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.modes import MODES
from aegis_worker.resilience.permits import ERRORS

GATEWAY_NAME = {
    "name": "gateway_name",
    "in": "path",
    "description": "A gateway, as config/gateways.toml names it.",
    "schema": {"type": "string"},
}
_STATES = "CLOSED: calls are sent. OPEN: none are sent until retry_in_s is over. HALF_OPEN: a few are sent as probes."


def _words(description: str) -> fields.List[str]:
    return fields.List(fields.String(), required=True, metadata={"description": description})


class GatewayPauseSchema(Answer):
    """Since when a gateway gets no new payments, who paused it and why."""

    since = time()
    actor = text("The operator's key, `console:<name>`, or `cli:<user name>`.")
    reason = text()


class BreakerSchema(Answer):
    """A circuit breaker, shared by all workers. The rates are over the calls in its window, null if it has none."""

    operation = text("The operation whose calls it guards; `status` is for look-ups.")
    state = one_of(*BreakerState, description=_STATES)
    retry_in_s = number("Seconds until a probe may go out; 0 unless it is OPEN.")
    consecutive_failures = whole("Refused connections, timeouts, 5xx and unknown outcomes in a row.")
    calls = whole("In the breaker's window.")
    failure_rate = number("The share of calls that failed or whose outcome is unknown, 0 to 1.", none=True)
    unknown_rate = number("The share of calls that may or may not have been carried out, 0 to 1.", none=True)
    opened = whole("How often it has opened since it was first used.")
    probes_out = whole("Probes that are out now.")


class LatencySchema(Answer):
    """Milliseconds that answered calls took; null if no call was answered."""

    mean = number(none=True)
    p50 = number("Half of the calls took no longer.", none=True)
    p95 = number("95 of 100 calls took no longer.", none=True)
    p99 = number("99 of 100 calls took no longer.", none=True)


class OutcomesSchema(Answer):
    """How many calls ended in which way. If one try takes several steps, its last step counts."""

    approved = whole()
    declined = whole("Declined for a reason that may be this gateway's; another one may approve.")
    payer = whole(
        "Declined for a reason of the payer's, as any gateway would decline; says nothing about this one."
    )
    pending = whole("The gateway decides later, or the payer has to act.")
    rate_limited = whole("Refused because the gateway got too many requests.")
    error = whole("Nothing was sent, or the outcome was unknown.")


class WindowSchema(Answer):
    """Figures of a window. Rates are 0 to 1, null if there are no calls to divide by."""

    calls = whole("Tries of payments at this gateway, each counted once. Look-ups are not counted.")
    outcomes = fields.Nested(OutcomesSchema, required=True)
    success_rate = number("approved / (approved + declined + error).", none=True)
    decline_rate = number("(declined + payer) / (approved + declined + payer + pending).", none=True)
    error_rates = an_object(f"The share of all calls that ended in each type of error: {', '.join(ERRORS)}.")
    latency_ms = fields.Nested(LatencySchema, required=True)
    calls_per_s = number("Calls per second from the window's first call until now.")


class GatewayHealthSchema(Answer):
    """A gateway's health as all workers together have measured it."""

    score = number(
        "0.0 to 1.0, the sum of: breaker 50 % (CLOSED 1, HALF_OPEN 0.5, OPEN 0), success rate 30 %, latency 10 % (1 while "
        "p95 is at most latency_target_ms, falling linearly to 0 at timeout_s), and the last ten calls 10 % (the share "
        "that did not fail). Covers the recent window since the breaker last closed; a part without data counts in full."
    )
    state = one_of(
        *BreakerState, description=f"The worst state of the breakers that a charge needs. {_STATES}"
    )
    retry_in_s = number("Seconds until a probe may go out; 0 unless it is OPEN.")
    in_flight = whole("Calls that all workers have under way now, without look-ups.")
    calls_per_s = number("Calls per second over this minute and the last one.")
    breakers = fields.List(fields.Nested(BreakerSchema), required=True)
    recent = fields.Nested(
        WindowSchema,
        required=True,
        metadata={
            "description": "The last 100 calls of the last hour, including calls from before the breaker last closed."
        },
    )
    last_hour = fields.Nested(
        WindowSchema,
        required=True,
        metadata={"description": "All calls of the last hour; percentiles are accurate to 5 %."},
    )


class GatewayLimitsSchema(Answer):
    """Which payments a gateway takes, and how it may be called. An empty list means that it takes any."""

    currencies = _words("The currencies that it takes (ISO 4217).")
    countries = _words("The countries that it takes (ISO 3166-1 alpha-2).")
    methods = _words("The types of payment methods that it takes.")
    amounts = an_object(
        "For each currency `min_minor` and `max_minor`, both inclusive; a null `max_minor` means no upper limit."
    )
    max_concurrent = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "How many calls all workers together may have under way; null means no limit."
        },
    )
    calls_per_s = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "How many calls all workers together may begin in a second; null means no limit."
        },
    )
    connect_timeout_s = number("If connecting takes longer, the call ends and nothing was sent.")
    timeout_s = number("If the answer takes longer, the outcome is unknown until the gateway is asked.")
    latency_target_ms = whole("A charge that takes at most this long gets the full score for latency.")


class GatewayFeesSchema(Answer):
    """What the gateway takes for a charge; null if the configuration doesn't say."""

    fixed_minor = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The fixed part, in minor units of the charge's currency."},
    )
    basis_points = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The part that grows with the amount, in hundredths of a percent of it."},
    )


class GatewaySchema(Answer):
    """A gateway of config/gateways.toml."""

    object = one_of("gateway")
    name = text()
    adapter = text()
    package = text(none=True)
    mode = one_of(*MODES, description="Whose payments it takes: `live` ones or `test` ones.")
    account = text("The gateway's account that it opens; null if config/gateways.toml names none.", none=True)
    enabled = fields.Boolean(required=True)
    paused = fields.Nested(
        GatewayPauseSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Since when, by whom and why the gateway is paused; null if it is not."},
    )
    health = fields.Nested(
        GatewayHealthSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The gateway's health; null while Redis does not answer."},
    )
    limits = fields.Nested(GatewayLimitsSchema, required=True)
    fees = fields.Nested(GatewayFeesSchema, required=True)


class GatewayListSchema(Answer):
    """All configured gateways, in the order of the configuration."""

    data = fields.List(fields.Nested(GatewaySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class ReceivedSchema(Answer):
    """The event is stored, by this request or by an earlier one."""

    received = fields.Boolean(required=True)


class PausedSchema(Answer):
    """Whether a gateway is paused now."""

    object = one_of("gateway_pause")
    gateway = text()
    paused = fields.Boolean(required=True)
    changed = fields.Boolean(
        required=True,
        metadata={"description": "false if the gateway was already in this state, and nothing was written."},
    )


class PauseSchema(BodySchema):
    """Why a gateway is paused."""

    reason = Reason("Why the gateway is paused; kept in the audit log.", required=True)
