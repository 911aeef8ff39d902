"""Nonces for tests, and the test cards that are always vaulted.

developer.paypal.com/braintree/docs/reference/general/testing#payment-method-nonces. Pure.
"""

from __future__ import annotations

from dataclasses import replace

from ..script_table import AMOUNT_BASE, TABLE
from ..tokens import TOKEN_PREFIX
from .instruments import PAYPAL, YEAR, Instrument, of_token
from .numbers import of_number

CONSUMED_NONCE = "fake-consumed-nonce"
LUHN_INVALID_NONCE = "fake-luhn-invalid-nonce"
_NONCES = {
    "fake-valid-nonce": "4111111111111111",
    "fake-valid-visa-nonce": "4111111111111111",
    "fake-valid-amex-nonce": "378282246310005",
    "fake-valid-mastercard-nonce": "5555555555554444",
    "fake-valid-discover-nonce": "6011111111111117",
    "fake-valid-jcb-nonce": "3530111333300000",
    "fake-valid-maestro-nonce": "6304000000000000",
    "fake-valid-dinersclub-nonce": "36259600000004",
    # These are declined when they are verified; a sale is decided by its amount.
    "fake-processor-declined-visa-nonce": "4000111111111115",
    "fake-processor-declined-mastercard-nonce": "5105105105105100",
    "fake-processor-declined-amex-nonce": "378734493671000",
    "fake-processor-declined-discover-nonce": "6011000990139424",
    "fake-gateway-rejected-fraud-nonce": "4000111111111511",
    "fake-gateway-rejected-risk-thresholds-nonce": "4111130000000003",
    "fake-three-d-secure-visa-full-authentication-nonce": "4111111111111111",
    "fake-three-d-secure-visa-failed-authentication-nonce": "4111111111111111",
}
_CHECKED = {
    "fake-three-d-secure-visa-full-authentication-nonce": "authenticate_successful",
    "fake-three-d-secure-visa-failed-authentication-nonce": "authenticate_failed",
}
_PAYPAL_NONCES = frozenset({"fake-paypal-one-time-nonce", "fake-paypal-billing-agreement-nonce"})


def of_nonce(nonce: str) -> Instrument | None:
    """What a test nonce stands for; None for one that there is not."""
    if nonce in _PAYPAL_NONCES:
        return Instrument(PAYPAL, "payer@example.com")
    if nonce in _NONCES:
        card = of_number(_NONCES[nonce], "12", YEAR)
        return replace(card, checked=_CHECKED.get(nonce, "")) if card else None
    token = of_token(nonce)
    return replace(token, vaulted="") if token else None


def as_markdown() -> str:
    """The table for people: token or nonce, amount, and what happens."""
    rows = ["| payment method token or nonce | amount | what happens |", "| --- | --- | --- |"]
    for script in TABLE:
        if script.wires and "braintree" not in script.wires:
            continue
        amount = f"{AMOUNT_BASE + script.amount_suffix:,}" if script.amount_suffix else "–"
        rows.append(f"| `{TOKEN_PREFIX}{script.name}` | {amount} | {script.meaning} |")
    return "\n".join(rows)
