"""The normalised vocabulary of errors on a payment: what a raw gateway code means and what the payer may do.

Only a `soft` decline, or a technical refusal before anything was sent, may move to another gateway. By default it does so
only where the issuer has decided nothing: another gateway asks the same issuer for another fee, and card networks count the
tries of a card (`card_networks.py`). Each gateway's `decline_attempts` in gateways.toml may say otherwise.

`never_again` marks what card networks forbid to try again with the same card: Visa's decline category 1 (response codes 04,
07, 12, 14, 15, 41, 43, 46, 57, R0, R1, R3), Mastercard's merchant advice codes 03 and 21. Sources: Checkout.com, "Visa
response codes", 2025; Braintree, "Merchant Advice Codes". Newer lists have Visa's 14, an invalid number, in category 3,
which is to be corrected before another try; what is corrected there is another token here, so for the token it stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Category = Literal["soft", "hard", "fraud", "action", "invalid", "technical"]
Advice = Literal["retry_later", "use_other_method", "authenticate", "do_not_retry", "wait"]

CATEGORIES: dict[Category, str] = {
    "soft": "Declined for now, or on one way to the issuer: another gateway may be tried (see below).",
    "hard": "Declined for good: no other gateway would get another answer, so none was tried.",
    "fraud": "Declined because the card is reported or suspected; tried nowhere else.",
    "action": "The payer had to do something and did not, or did it without success.",
    "invalid": "Something in the payment is wrong, or no configured gateway takes it.",
    "technical": "Nothing was decided about the payer: a gateway could not be used, or did not tell.",
}

ADVICE: dict[Advice, str] = {
    "retry_later": "The same payment may succeed later: post it again, under a new idempotency key.",
    "use_other_method": "Ask the payer for another card or another way to pay.",
    "authenticate": "Post it again and have the payer authenticate.",
    "do_not_retry": "Do not post the same again; tell the payer no more than that it was declined.",
    "wait": "Do nothing: AegisPay is still finding out.",
}


@dataclass(frozen=True, slots=True)
class Decline:
    """`category` decides what the pipeline may do; `advised_action` is what the merchant is told.

    `meaning`: one sentence. `never_again`: the issuer will not approve this card for this merchant, whenever it is asked.
    `attempts`: where a gateway's configuration says nothing, how many hops of a payment in all may end with it (1: no other
    gateway is tried; None: as many as there are gateways), and `attempts_why` the reason, for soft declines.
    """

    category: Category
    advised_action: Advice
    meaning: str
    never_again: bool = False
    attempts: int | None = None
    attempts_why: str = ""


def _of_the_issuer(advised_action: Advice, meaning: str, why: str) -> Decline:
    """A soft decline that the issuer decided on: it would hardly decide otherwise a second later."""
    return Decline("soft", advised_action, meaning, attempts=1, attempts_why=why)


def _on_the_way(meaning: str, why: str) -> Decline:
    """A soft decline on which nobody decided: another way to the issuer may end otherwise."""
    return Decline("soft", "retry_later", meaning, attempts_why=why)


DECLINES: dict[str, Decline] = {
    "dispute_open": Decline(
        "invalid",
        "wait",
        "Of a refund: the payer disputed the payment before it was sent, and a refund might pay them twice.",
    ),
    "too_late": Decline(
        "invalid",
        "do_not_retry",
        "Of a capture or void: the payment had ended before it, or nothing was held any more.",
    ),
    "authorization_expired": Decline(
        "invalid",
        "authenticate",
        "What was held was not captured in time, so it is released and nothing is charged.",
    ),
    "insufficient_funds": _of_the_issuer(
        "use_other_method",
        "The account does not hold enough.",
        "The same account holds no more at another gateway; the try costs a fee and counts with the network.",
    ),
    "issuer_unavailable": _on_the_way(
        "The issuer could not be reached.", "Another gateway may have another way to the issuer."
    ),
    "processing_error": _on_the_way(
        "The gateway, network or issuer failed on it.", "Most failures are of the gateway or on the way."
    ),
    "try_again_later": _on_the_way(
        "The issuer asks for another try later.",
        "It means that a system failed, not that somebody declined; another way may be through sooner.",
    ),
    "velocity_exceeded": _of_the_issuer(
        "retry_later",
        "Too many payments in too short a time.",
        "Another try at once is one more of what the issuer objects to.",
    ),
    "amount_limit_exceeded": _of_the_issuer(
        "use_other_method",
        "The amount is above what the card or account may pay.",
        "The limit is the card's, so it holds at every gateway.",
    ),
    "do_not_honor": _of_the_issuer(
        "use_other_method",
        "The issuer declined without saying why.",
        "The issuer has decided. Where your figures show that another gateway gets it approved, allow 2.",
    ),
    "generic_decline": Decline(
        "hard", "use_other_method", "Declined for a reason that is not told, or in a word that is not known."
    ),
    "card_not_supported": Decline(
        "hard", "use_other_method", "This kind of card is not taken for this payment."
    ),
    "currency_not_supported": Decline(
        "hard", "use_other_method", "The card or account does not pay in this currency."
    ),
    "expired_card": Decline("hard", "use_other_method", "The card has expired."),
    "invalid_account": Decline(
        "hard", "use_other_method", "There is no such account, or no such issuer.", never_again=True
    ),
    "closed_account": Decline("hard", "do_not_retry", "The account is closed.", never_again=True),
    "transaction_not_permitted": Decline(
        "hard", "use_other_method", "The card may not be used for payments like this.", never_again=True
    ),
    "revocation_of_authorization": Decline(
        "hard", "do_not_retry", "The payer has told the issuer to stop these payments.", never_again=True
    ),
    "do_not_try_again": Decline(
        "hard", "do_not_retry", "The network or the issuer says that it will never approve.", never_again=True
    ),
    "card_barred": Decline(
        "hard",
        "do_not_retry",
        "Not sent: within 30 days an issuer has declined this card for good, and the networks forbid another try.",
    ),
    "card_retry_limit": Decline(
        "hard",
        "retry_later",
        "Not sent: the card was declined as often as its network allows in a day or in 30 days.",
    ),
    "card_gone": Decline(
        "invalid",
        "use_other_method",
        "Not sent: the card vault does not hold the card any more, because it was destroyed or its time was over.",
    ),
    "security_code_gone": Decline(
        "invalid",
        "use_other_method",
        "Not sent: the card's security code is kept for 15 minutes at most, and no gateway had taken the payment by then.",
    ),
    "vault_misconfigured": Decline(
        "technical",
        "retry_later",
        "Not sent: the card vault holds the card and can't open it, because a key is missing or wrong.",
    ),
    "vault_unavailable": Decline(
        "technical", "retry_later", "Not sent: the card vault did not answer, time and again."
    ),
    "lost_card": Decline("fraud", "do_not_retry", "The card is reported lost.", never_again=True),
    "stolen_card": Decline("fraud", "do_not_retry", "The card is reported stolen.", never_again=True),
    "pickup_card": Decline("fraud", "do_not_retry", "The issuer wants the card kept.", never_again=True),
    "suspected_fraud": Decline("fraud", "do_not_retry", "The gateway or the issuer suspects fraud."),
    "restricted_card": Decline("fraud", "do_not_retry", "The issuer has restricted the card."),
    "blocked": Decline(
        "fraud",
        "do_not_retry",
        "Not sent: a fraud check or a rule of this installation does not let it through.",
    ),
    "rejected_in_review": Decline(
        "fraud",
        "do_not_retry",
        "Not sent: a person looked at it before it was to be charged, and rejected it.",
    ),
    "authentication_required": Decline(
        "action",
        "authenticate",
        "The issuer wants the payer authenticated; or, without a gateway, a fraud check or rule does, and nothing was sent,"
        " because the payer is not there.",
    ),
    "authentication_failed": Decline("action", "authenticate", "The payer failed the authentication."),
    "authentication_expired": Decline("action", "authenticate", "The payer did not authenticate in time."),
    "payer_cancelled": Decline("action", "use_other_method", "The payer gave up."),
    "merchant_cancelled": Decline(
        "action", "do_not_retry", "The merchant cancelled the payment while its payer had yet to act."
    ),
    "payer_erased": Decline(
        "action", "do_not_retry", "What was known of the customer was erased before the payment was charged."
    ),
    "payer_abandoned": Decline(
        "action", "use_other_method", "The payer did not come back in time; what could be paid was cancelled."
    ),
    "invalid_number": Decline("invalid", "use_other_method", "The card number is wrong.", never_again=True),
    "invalid_cvc": Decline("invalid", "use_other_method", "The security code is wrong."),
    "invalid_token": Decline("invalid", "use_other_method", "The token is unknown to the gateway, or used."),
    "invalid_request": Decline("invalid", "do_not_retry", "The gateway does not take the request as it is."),
    "no_eligible_gateway": Decline(
        "invalid", "use_other_method", "No configured gateway takes this method, currency, amount or country."
    ),
    "three_ds_unavailable": Decline(
        "invalid",
        "use_other_method",
        "Not sent: the payer has to authenticate by 3-D Secure, and no gateway for this payment can be told to demand it.",
    ),
    "gateway_misconfigured": Decline("technical", "retry_later", "The gateway refused our credentials."),
    "gateway_unavailable": Decline("technical", "retry_later", "No gateway could be reached."),
    "outcome_unknown": Decline("technical", "wait", "The gateway has not told yet what became of it."),
    "resolved_not_charged": Decline(
        "technical", "retry_later", "A person found that the charge in doubt did not happen."
    ),
    "resolved_not_done": Decline(
        "technical", "retry_later", "A person found that the capture, cancel or refund in doubt was not done."
    ),
}

# What ends a payment before any gateway was sent its card: it says nothing about gateway, issuer or card.
OF_THE_VAULT = frozenset({"card_gone", "security_code_gone", "vault_misconfigured", "vault_unavailable"})

# A gateway whose credentials are wrong refuses before doing anything: another gateway may still take the payment.
_MAY_FAIL_OVER: frozenset[str] = frozenset({"gateway_misconfigured"})


def may_fail_over(code: str) -> bool:
    """Whether a decline with this code may be tried at another gateway. Raises KeyError for an unclassified code."""
    return DECLINES[code].category == "soft" or code in _MAY_FAIL_OVER


def describe_error(
    code: str, *, gateway: str | None, gateway_code: str | None, message: str
) -> dict[str, str | None]:
    """`last_error` as it stands on the payment, in events and in the API. The vault's own codes are no gateway's."""
    decline = DECLINES[code]
    if code in OF_THE_VAULT:
        gateway = gateway_code = None
    return {
        "code": code,
        "category": decline.category,
        "advised_action": decline.advised_action,
        "gateway": gateway,
        "gateway_code": gateway_code,
        "message": message,
    }
