"""What a state looks like: a shape, a tone and a word. State is told by shape and word first, and by colour last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sign:
    """`shape`: the name of an icon. `tone`: ok, doubt (a machine asks), person (waits for somebody), bad, or none."""

    shape: str
    tone: str
    word: str
    is_strong: bool = False


_OF_STATE = {
    "INITIATED": Sign("ring", "", "Accepted"),
    "REQUIRES_ACTION": Sign("half", "", "Payer to act"),
    "AUTHENTICATED": Sign("half", "", "Authenticated"),
    "PROCESSING": Sign("half", "", "At the gateway"),
    "AUTHORIZED": Sign("half", "ok", "Held"),
    "SUCCESS": Sign("disc", "ok", "Charged"),
    "FAILURE": Sign("cross", "", "Not charged"),
    "CANCELLED": Sign("bar", "", "Cancelled"),
}
WAITS = Sign("person", "person", "Waits for you", True)
DOUBT = Sign("diamond", "doubt", "In doubt", True)
FROZEN = Sign("triangle", "bad", "Frozen: row and events differ", True)
_OF_ATTEMPT = {
    "SENT": Sign("ring", "", "Sent"),
    "APPROVED": Sign("disc", "ok", "Approved"),
    "DECLINED": Sign("cross", "", "Declined"),
    "ACTION_REQUIRED": Sign("half", "", "Payer to act"),
    "PENDING": Sign("half", "", "Pending"),
    "NOT_SENT": Sign("bar", "", "Not sent"),
    "UNKNOWN": Sign("diamond", "doubt", "Unknown", True),
}
_OF_BREAKER = {
    "CLOSED": Sign("disc", "ok", "Closed"),
    "HALF_OPEN": Sign("half", "doubt", "Probing", True),
    "OPEN": Sign("square", "bad", "Open", True),
}
PAUSED = Sign("pause", "", "Paused")
OFF = Sign("bar", "", "Switched off")
NOT_KNOWN = Sign("bar", "", "Not known: Redis can’t be asked")
_OF_DELIVERY = {
    "delivered": Sign("tick", "ok", "Delivered"),
    "pending": Sign("ring", "", "Pending"),
    "dead": Sign("cross", "bad", "Dead"),
    "cancelled": Sign("bar", "", "Cancelled"),
}
_OF_ENTITY = {
    "requested": Sign("ring", "", "Requested"),
    "waiting": Sign("ring", "", "Waiting"),
    "pending": Sign("half", "", "Pending"),
    "succeeded": Sign("disc", "ok", "Succeeded"),
    "failed": Sign("cross", "", "Failed"),
    "warning": Sign("person", "person", "Warning", True),
    "needs_response": Sign("person", "person", "Needs an answer", True),
    "under_review": Sign("half", "", "Under review"),
    "won": Sign("disc", "ok", "Won"),
    "lost": Sign("cross", "bad", "Lost"),
    "accepted": Sign("bar", "", "Accepted"),
}
_UNKNOWN_WORD = "ring"


def of_payment(payment: Mapping[str, Any], job: Mapping[str, Any] | None, *, frozen: bool = False) -> Sign:
    """What matters most of a payment: it is frozen, it waits for a person, it is in doubt, or else its state."""
    if frozen:
        return FROZEN
    if job is not None and job["status"] == "review":
        return WAITS
    if payment["certainty"] == "unknown":
        return DOUBT
    return of_state(payment["state"])


def of_state(state: str) -> Sign:
    """A payment's state alone."""
    return _OF_STATE.get(state) or Sign(_UNKNOWN_WORD, "", state)


def of_attempt(status: str) -> Sign:
    """How a call stands."""
    return _OF_ATTEMPT.get(status) or Sign(_UNKNOWN_WORD, "", status)


def of_breaker(state: str) -> Sign:
    """The state of a breaker."""
    return _OF_BREAKER.get(state) or Sign(_UNKNOWN_WORD, "", state)


def of_gateway(gateway: Mapping[str, Any]) -> Sign:
    """Whether a gateway takes new payments, and if not why."""
    if not gateway["enabled"]:
        return OFF
    if gateway["paused"]:
        return PAUSED
    return NOT_KNOWN if gateway["health"] is None else of_breaker(gateway["health"]["state"])


def of_delivery(status: str) -> Sign:
    """How a delivery stands."""
    return _OF_DELIVERY.get(status) or Sign(_UNKNOWN_WORD, "", status)


def of_entity(status: str) -> Sign:
    """The status of a capture, cancel, refund or dispute."""
    return _OF_ENTITY.get(status) or Sign(_UNKNOWN_WORD, "", status)


GLOBALS = {
    "sign_of_payment": of_payment,
    "sign_of_state": of_state,
    "sign_of_attempt": of_attempt,
    "sign_of_breaker": of_breaker,
    "sign_of_gateway": of_gateway,
    "sign_of_delivery": of_delivery,
    "sign_of_entity": of_entity,
}
"""By the name that templates call each by."""
