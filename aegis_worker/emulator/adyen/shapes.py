"""What Adyen answers and tells: results of charges, what was taken in, items of notifications. Pure."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..network_ids import network_id_of
from ..payments import Payment, Status
from .errors import reason_of

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TIME_LETTERS, _RANDOM_LETTERS = 12, 4
_RESULTS = {
    Status.PENDING: "Received",
    Status.UNBORN: "Received",
    Status.AUTHORIZED: "Authorised",
    Status.SUCCEEDED: "Authorised",
    Status.FAILED: "Refused",
    Status.VOIDED: "Cancelled",
}


@dataclass(frozen=True, slots=True)
class Charge:
    """A payment of the ledger with what is known beside it. `about`: a document's body."""

    payment: Payment
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that is told of a payment. `original`: the payment's reference where `psp` is another one."""

    code: str
    psp: str
    reference: str
    amount: int
    success: bool = True
    original: str = ""
    reason: str = ""


def new_psp() -> str:
    """A reference of sixteen capital letters and digits, which sorts by time."""
    number, text = time.time_ns(), ""
    while number:
        number, rest = divmod(number, len(_LETTERS))
        text = _LETTERS[rest] + text
    return text[-_TIME_LETTERS:] + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LETTERS))


def result_of(charge: Charge, base_url: str) -> dict[str, Any]:
    """The answer to a charge, and to what its payer brought back."""
    payment = charge.payment
    shown: dict[str, Any] = {"pspReference": payment.id, "merchantReference": payment.reference}
    if payment.status is Status.REQUIRES_ACTION:
        return _with_action(charge, shown, base_url)
    result = _RESULTS[payment.status]
    if result == "Refused":
        reason = reason_of(payment.error_code)
        raw = {"additionalData": {"refusalReasonRaw": reason.raw}} if reason.raw else {}
        return {
            **shown,
            **raw,
            "resultCode": result,
            "refusalReason": reason.text,
            "refusalReasonCode": reason.code,
        }
    if result != "Authorised":
        return {**shown, "resultCode": result}
    network = {"networkTxReference": network_id_of(payment.id)} if payment.method == "card" else {}
    return {
        **shown,
        "resultCode": result,
        "amount": _amount(payment.amount, payment.currency),
        **({"additionalData": network} if network else {}),
    }


def _with_action(charge: Charge, shown: dict[str, Any], base_url: str) -> dict[str, Any]:
    """In the shop's page Adyen names the payment only once the payer has acted, as for a card of 3-D Secure 2."""
    secret = charge.payment.client_secret
    if charge.about["in_page"]:
        challenge = {
            "type": "threeDS2",
            "subtype": "challenge",
            "paymentMethodType": "scheme",
            "token": f"{charge.payment.id}.{secret}",
            "paymentData": f"Ab02b4c0!{secret}",
            "authorisationToken": f"Ab02b4c0!{secret}",
        }
        return {"resultCode": "ChallengeShopper", "action": challenge}
    redirect = {
        "type": "redirect",
        "method": "GET",
        "paymentMethodType": "paypal" if charge.payment.method == "wallet" else "scheme",
        "url": f"{base_url}/3ds/{charge.payment.id}",
    }
    return {**shown, "resultCode": "RedirectShopper", "action": redirect}


def received(
    account: str, psp: str, original: dict[str, str], reference: str, amount: dict[str, Any] | None
) -> dict[str, Any]:
    """The answer to a capture, cancel or refund. `original`: by what the payment was named."""
    money = {} if amount is None else {"amount": amount}
    named = {"reference": reference} if reference else {}
    return {
        "merchantAccount": account,
        **original,
        "pspReference": psp,
        **named,
        "status": "received",
        **money,
    }


def item(account: str, currency: str, told: Told, now: float) -> dict[str, Any]:
    """An item of a notification, not signed yet."""
    original = {"originalReference": told.original} if told.original else {}
    return {
        "amount": _amount(told.amount, currency),
        "eventCode": told.code,
        "eventDate": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        "merchantAccountCode": account,
        "merchantReference": told.reference,
        **original,
        "paymentMethod": "visa",
        "pspReference": told.psp,
        "reason": told.reason,
        "success": "true" if told.success else "false",
    }


def _amount(value: int, currency: str) -> dict[str, Any]:
    return {"value": value, "currency": currency}
