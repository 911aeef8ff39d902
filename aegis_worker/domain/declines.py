"""The normalised vocabulary of errors on a payment: what a raw gateway code means and what the payer may do.

Only a `soft` decline, or a technical refusal before anything was sent, may move to another gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Category = Literal["soft", "hard", "fraud", "action", "invalid", "technical"]
Advice = Literal["retry_later", "use_other_method", "authenticate", "do_not_retry", "wait"]


@dataclass(frozen=True, slots=True)
class Decline:
    """`category` decides what the pipeline may do; `advised_action` is what the payer is told."""

    category: Category
    advised_action: Advice


DECLINES: dict[str, Decline] = {
    "insufficient_funds": Decline("soft", "use_other_method"),
    "issuer_unavailable": Decline("soft", "retry_later"),
    "processing_error": Decline("soft", "retry_later"),
    "try_again_later": Decline("soft", "retry_later"),
    "velocity_exceeded": Decline("soft", "retry_later"),
    "amount_limit_exceeded": Decline("soft", "use_other_method"),
    "do_not_honor": Decline("soft", "use_other_method"),
    "generic_decline": Decline("hard", "use_other_method"),
    "card_not_supported": Decline("hard", "use_other_method"),
    "currency_not_supported": Decline("hard", "use_other_method"),
    "expired_card": Decline("hard", "use_other_method"),
    "invalid_account": Decline("hard", "use_other_method"),
    "closed_account": Decline("hard", "do_not_retry"),
    "transaction_not_permitted": Decline("hard", "use_other_method"),
    "revocation_of_authorization": Decline("hard", "do_not_retry"),
    "lost_card": Decline("fraud", "do_not_retry"),
    "stolen_card": Decline("fraud", "do_not_retry"),
    "pickup_card": Decline("fraud", "do_not_retry"),
    "suspected_fraud": Decline("fraud", "do_not_retry"),
    "restricted_card": Decline("fraud", "do_not_retry"),
    "authentication_required": Decline("action", "authenticate"),
    "authentication_failed": Decline("action", "authenticate"),
    "authentication_expired": Decline("action", "authenticate"),
    "payer_cancelled": Decline("action", "use_other_method"),
    "invalid_number": Decline("invalid", "use_other_method"),
    "invalid_cvc": Decline("invalid", "use_other_method"),
    "invalid_token": Decline("invalid", "use_other_method"),
    "invalid_request": Decline("invalid", "do_not_retry"),
    "no_eligible_gateway": Decline("invalid", "use_other_method"),
    "gateway_misconfigured": Decline("technical", "retry_later"),
    "gateway_unavailable": Decline("technical", "retry_later"),
    "outcome_unknown": Decline("technical", "wait"),
    "resolved_not_charged": Decline("technical", "retry_later"),
}

# A gateway whose credentials are wrong refuses before doing anything: another gateway may still take the payment.
_MAY_FAIL_OVER: frozenset[str] = frozenset({"gateway_misconfigured"})


def may_fail_over(code: str) -> bool:
    """Whether a decline with this code may be tried at another gateway. Raises KeyError for an unclassified code."""
    return DECLINES[code].category == "soft" or code in _MAY_FAIL_OVER


def describe_error(
    code: str, *, gateway: str | None, gateway_code: str | None, message: str
) -> dict[str, str | None]:
    """`last_error` as it stands on the payment, in events and in the API."""
    decline = DECLINES[code]
    return {
        "code": code,
        "category": decline.category,
        "advised_action": decline.advised_action,
        "gateway": gateway,
        "gateway_code": gateway_code,
        "message": message,
    }
