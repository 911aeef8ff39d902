"""The payment's state machine, as tables: which state may follow which, and where each event leads."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """INITIATED: accepted and durable. PROCESSING: a charge may be at a gateway. SUCCESS, FAILURE, CANCELLED: terminal."""

    INITIATED = "INITIATED"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHENTICATED = "AUTHENTICATED"
    PROCESSING = "PROCESSING"
    AUTHORIZED = "AUTHORIZED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELLED = "CANCELLED"


class EventType(StrEnum):
    """Facts, in the past tense. Dotted lower case on the wire."""

    INITIATED = "PAYMENT_INITIATED"
    SCREENED = "PAYMENT_SCREENED"
    ACTION_REQUIRED = "PAYMENT_ACTION_REQUIRED"
    AUTHENTICATED = "PAYMENT_AUTHENTICATED"
    PROCESSING = "PAYMENT_PROCESSING"
    RETRY_ATTEMPTED = "PAYMENT_RETRY_ATTEMPTED"
    IN_DOUBT = "PAYMENT_IN_DOUBT"
    RESOLVED = "PAYMENT_RESOLVED"
    AUTHORIZED = "PAYMENT_AUTHORIZED"
    SUCCEEDED = "PAYMENT_SUCCEEDED"
    FAILED = "PAYMENT_FAILED"
    CANCEL_REQUESTED = "PAYMENT_CANCEL_REQUESTED"
    CANCELLED = "PAYMENT_CANCELLED"
    REVIEW_REQUIRED = "PAYMENT_REVIEW_REQUIRED"
    REVIEWED = "PAYMENT_REVIEWED"
    AUTHORIZATION_EXPIRING = "PAYMENT_AUTHORIZATION_EXPIRING"
    DUPLICATE_DETECTED = "PAYMENT_DUPLICATE_DETECTED"
    DUPLICATE_REVERSED = "PAYMENT_DUPLICATE_REVERSED"
    CAPTURE_REQUESTED = "CAPTURE_REQUESTED"
    CAPTURE_SUCCEEDED = "CAPTURE_SUCCEEDED"
    CAPTURE_FAILED = "CAPTURE_FAILED"
    REFUND_REQUESTED = "REFUND_REQUESTED"
    REFUND_SUCCEEDED = "REFUND_SUCCEEDED"
    REFUND_FAILED = "REFUND_FAILED"
    DISPUTE_OPENED = "DISPUTE_OPENED"
    DISPUTE_UPDATED = "DISPUTE_UPDATED"
    DISPUTE_WON = "DISPUTE_WON"
    DISPUTE_LOST = "DISPUTE_LOST"

    @property
    def wire(self) -> str:
        """`PAYMENT_SUCCEEDED` is `payment.succeeded` in webhooks and streams."""
        return self.value.lower().replace("_", ".", 1)


S = State

TRANSITIONS: dict[State, frozenset[State]] = {
    S.INITIATED: frozenset({S.AUTHENTICATED, S.REQUIRES_ACTION, S.PROCESSING, S.FAILURE, S.CANCELLED}),
    S.REQUIRES_ACTION: frozenset({S.REQUIRES_ACTION, S.AUTHENTICATED, S.FAILURE, S.CANCELLED}),
    S.AUTHENTICATED: frozenset({S.PROCESSING, S.FAILURE, S.CANCELLED}),
    S.PROCESSING: frozenset({S.PROCESSING, S.REQUIRES_ACTION, S.AUTHORIZED, S.SUCCESS, S.FAILURE}),
    S.AUTHORIZED: frozenset({S.SUCCESS, S.CANCELLED, S.FAILURE}),
    S.SUCCESS: frozenset(),
    S.FAILURE: frozenset(),
    S.CANCELLED: frozenset(),
}

TERMINAL: frozenset[State] = frozenset(state for state, following in TRANSITIONS.items() if not following)

# The state an event leads to; an event that is missing here leaves the state as it is.
LEADS_TO: dict[EventType, State] = {
    EventType.INITIATED: S.INITIATED,
    EventType.ACTION_REQUIRED: S.REQUIRES_ACTION,
    EventType.AUTHENTICATED: S.AUTHENTICATED,
    EventType.PROCESSING: S.PROCESSING,
    EventType.AUTHORIZED: S.AUTHORIZED,
    EventType.SUCCEEDED: S.SUCCESS,
    EventType.FAILED: S.FAILURE,
    EventType.CANCELLED: S.CANCELLED,
}

# Terminal is final: these may still be told about a payment that has ended.
ALLOWED_AFTER_THE_END: frozenset[EventType] = frozenset(
    {
        EventType.REVIEW_REQUIRED,
        EventType.DUPLICATE_DETECTED,
        EventType.DUPLICATE_REVERSED,
        EventType.CAPTURE_REQUESTED,
        EventType.CAPTURE_SUCCEEDED,
        EventType.CAPTURE_FAILED,
        EventType.REFUND_REQUESTED,
        EventType.REFUND_SUCCEEDED,
        EventType.REFUND_FAILED,
        EventType.DISPUTE_OPENED,
        EventType.DISPUTE_UPDATED,
        EventType.DISPUTE_WON,
        EventType.DISPUTE_LOST,
    }
)

# Told of disputes, which come from gateways and leave the state as it is.
OF_DISPUTES: frozenset[EventType] = frozenset(
    {
        EventType.DISPUTE_OPENED,
        EventType.DISPUTE_UPDATED,
        EventType.DISPUTE_WON,
        EventType.DISPUTE_LOST,
    }
)

# Events that are legal in some states only, besides what `TRANSITIONS` says of states: what a merchant orders, and what
# comes before the first attempt. What a gateway shows that nobody ordered here can always be told.
ONLY_IN: dict[EventType, frozenset[State]] = {
    EventType.SCREENED: frozenset({S.INITIATED}),
    EventType.REVIEWED: frozenset({S.INITIATED}),
    EventType.CANCEL_REQUESTED: frozenset({S.INITIATED, S.REQUIRES_ACTION, S.AUTHENTICATED, S.PROCESSING}),
    EventType.AUTHORIZATION_EXPIRING: frozenset({S.AUTHORIZED}),
    EventType.CAPTURE_REQUESTED: frozenset({S.AUTHORIZED}),
    EventType.REFUND_REQUESTED: frozenset({S.AUTHORIZED, S.SUCCESS}),
}
