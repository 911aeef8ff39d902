"""Stripe's test cards by their ids, and the sandbox's scripts as `pm_<script>` and `tok_<script>`. Pure.

Source: docs.stripe.com/testing. `tok_visa` and `pm_card_visa` are the same card.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..script_table import OK, SCRIPTS
from ..scripts import Effect, Script
from ..tokens import TOKEN_PREFIX, UnknownScript, for_token

# Until a person clicks: nobody waits that long.
_UNTIL_CLICKED_S = 365 * 86_400
_GENERIC = Script("chargeDeclined", "declines without a reason", 0, Effect.DECLINE, code="generic_decline")
_DISPUTED = Script("createDispute", "", 0, dispute="needs_response")
_AUTHENTICATED = replace(SCRIPTS["3ds"], payer_s=_UNTIL_CLICKED_S)


@dataclass(frozen=True, slots=True)
class TestCard:
    """`declined_after`: what it is declined with once the payer has passed 3-D Secure. `refunds_end`: how a refund of it
    ends after a while; empty where it succeeds at once.
    """

    script: Script
    brand: str = "visa"
    last4: str = "4242"
    declined_after: str = ""
    refunds_end: str = ""


def _declined(code: str, last4: str) -> TestCard:
    script = _GENERIC if code == "generic_decline" else SCRIPTS[_SCRIPT_OF[code]]
    return TestCard(script, last4=last4)


_SCRIPT_OF = {script.code: name for name, script in SCRIPTS.items() if script.effect is Effect.DECLINE}
_CARDS = {
    "visa": TestCard(OK),
    "visa_debit": TestCard(OK, last4="5556"),
    "mastercard": TestCard(OK, "mastercard", "4444"),
    "mastercard_debit": TestCard(OK, "mastercard", "3222"),
    "mastercard_prepaid": TestCard(OK, "mastercard", "5100"),
    "amex": TestCard(OK, "amex", "8431"),
    "discover": TestCard(OK, "discover", "9424"),
    "diners": TestCard(OK, "diners", "5904"),
    "jcb": TestCard(OK, "jcb", "0505"),
    "unionpay": TestCard(OK, "unionpay", "0005"),
    "chargeDeclined": _declined("generic_decline", "0002"),
    "visa_chargeDeclined": _declined("generic_decline", "0002"),
    "chargeDeclinedInsufficientFunds": _declined("insufficient_funds", "9995"),
    "visa_chargeDeclinedInsufficientFunds": _declined("insufficient_funds", "9995"),
    "visa_chargeDeclinedLostCard": _declined("lost_card", "9987"),
    "visa_chargeDeclinedStolenCard": _declined("stolen_card", "9979"),
    "chargeDeclinedExpiredCard": _declined("expired_card", "0069"),
    "chargeDeclinedFraudulent": _declined("fraud", "0019"),
    "chargeDeclinedIncorrectCvc": _declined("invalid_cvc", "0127"),
    "chargeDeclinedProcessingError": _declined("processing_error", "0119"),
    "visa_chargeDeclinedVelocityLimitExceeded": _declined("velocity", "6975"),
    "radarBlock": _declined("fraud", "0019"),
    "chargeCustomerFail": _declined("generic_decline", "0341"),
    "authenticationRequired": TestCard(_AUTHENTICATED, last4="3184"),
    "authenticationRequiredOnSetup": TestCard(_AUTHENTICATED, last4="3155"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
        _AUTHENTICATED, last4="3178", declined_after="insufficient_funds"
    ),
    "threeDSecureRequired": TestCard(_AUTHENTICATED, last4="3063"),
    "threeDSecure2Required": TestCard(_AUTHENTICATED, last4="3220"),
    "threeDSecureRequiredChargeDeclined": TestCard(
        _AUTHENTICATED, last4="1629", declined_after="generic_decline"
    ),
    "threeDSecureOptional": TestCard(OK, last4="3055"),
    "createDispute": TestCard(_DISPUTED, last4="0259"),
    "createDisputeProductNotReceived": TestCard(
        replace(_DISPUTED, dispute_reason="product_not_received"), last4="2685"
    ),
    "createDisputeInquiry": TestCard(replace(_DISPUTED, dispute="warning"), last4="1976"),
    "pendingRefund": TestCard(OK, last4="7726", refunds_end="succeeded"),
    "refundFail": TestCard(OK, last4="5126", refunds_end="failed"),
}


def by_id(test_id: str, instance: str) -> TestCard | None:
    """The card of a payment method's or token's id; None if Stripe has no such test id and no script is named so."""
    prefix, _, name = test_id.partition("_")
    if prefix not in ("pm", "tok", "ctoken"):
        return None
    if (prefix != "pm" or name.startswith("card_")) and name.removeprefix("card_") in _CARDS:
        return _CARDS[name.removeprefix("card_")]
    try:
        script = for_token(TOKEN_PREFIX + name, instance)
    except UnknownScript:
        return None
    is_named = script is not OK or name.partition("_at_")[0] == OK.name or "_at_" in name
    if script.in_frontend:
        return TestCard(_AUTHENTICATED)  # a payer of Stripe's is done on its page, and brings nothing back
    return TestCard(script) if is_named else None


def as_markdown() -> str:
    """The table for people: the payment method's id, the token, and what happens."""
    rows = ["| payment method | token | what happens |", "| --- | --- | --- |"]
    rows += [f"| `pm_card_{name}` | `tok_{name}` | {_meaning(card)} |" for name, card in _CARDS.items()]
    return "\n".join(rows)


def _meaning(card: TestCard) -> str:
    if card.script.payer_must_act:
        after = f", is then declined with `{card.declined_after}`" if card.declined_after else ""
        return f"the payer clicks on the page of 3-D Secure{after}"
    if card.script.effect is Effect.DECLINE:
        return f"declined with `{card.script.code}`"
    if card.script.dispute:
        of_what = "asks about it" if card.script.dispute == "warning" else "disputes it"
        return f"approved; then the payer {of_what}, as `{card.script.dispute_reason}`"
    if card.refunds_end:
        return f"approved; its refunds end as {card.refunds_end} after a while"
    return "approved"
