"""What pays at Braintree: numbers, nonces and vaulted tokens for tests. No number is kept of a card but its ends. Pure.

developer.paypal.com/braintree/docs/reference/general/testing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..script_table import AMOUNT_BASE, TABLE
from ..scripts import Script
from ..tokens import TOKEN_PREFIX, UnknownScript, asked_for

CARD, PAYPAL = "credit_card", "paypal_account"
CONSUMED_NONCE = "fake-consumed-nonce"
LUHN_INVALID_NONCE = "fake-luhn-invalid-nonce"
_DAY_S = 86_400.0
_HOLDS_S = {"Visa": 8 * _DAY_S, "Discover": 30 * _DAY_S, "JCB": 30 * _DAY_S, "Diners Club": 30 * _DAY_S}
_HOLD_S = 7 * _DAY_S
_PAYPAL_HOLD_S = 29 * _DAY_S
_BRANDS = {
    "4111111111111111": "Visa",
    "4005519200000004": "Visa",
    "4009348888881881": "Visa",
    "4012000033330026": "Visa",
    "4012000077777777": "Visa",
    "4012888888881881": "Visa",
    "4217651111111119": "Visa",
    "4500600000000061": "Visa",
    "5555555555554444": "MasterCard",
    "5105105105105100": "MasterCard",
    "2223000048400011": "MasterCard",
    "378282246310005": "American Express",
    "371449635398431": "American Express",
    "36259600000004": "Diners Club",
    "6011111111111117": "Discover",
    "6011000991300009": "Discover",
    "6304000000000000": "Maestro",
    "3530111333300000": "JCB",
    # These are declined when they are verified; a sale is decided by its amount.
    "4000111111111115": "Visa",
    "378734493671000": "American Express",
    "6011000990139424": "Discover",
}
# Numbers with a behaviour of their own, and the script that has it.
_SCRIPTED = {
    "4023898493988028": ("Visa", "tok_dispute"),
    "4000111111111511": ("Visa", "tok_rejected_fraud"),
    "4111130000000003": ("Visa", "tok_rejected_risk_threshold"),
}
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
_YEAR = "2035"


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a transaction is paid with. `identity`: the same for the same number and expiry, or the same wallet.

    `token`: the name of the test card, empty for a plain one. `vaulted`: the token under which it is kept, if it is.
    `checked`: what 3-D Secure came to in the browser, empty where it was not asked.
    """

    kind: str
    identity: str
    token: str = ""
    brand: str = ""
    bin: str = ""
    last4: str = ""
    month: str = "12"
    year: str = _YEAR
    holder: str = ""
    vaulted: str = ""
    customer: str = ""
    checked: str = ""

    @property
    def hold_s(self) -> float:
        """How many seconds a hold lasts: …/reference/general/statuses#authorization-expired."""
        return _PAYPAL_HOLD_S if self.kind == PAYPAL else _HOLDS_S.get(self.brand, _HOLD_S)

    def as_dict(self) -> dict[str, str]:
        """As a document holds it."""
        return asdict(self)


def kept(fields: Mapping[str, str]) -> Instrument:
    """What a document holds."""
    return Instrument(**fields)


def of_number(number: str, month: str, year: str, holder: str = "") -> Instrument | None:
    """A card by its number; None for one that is no accepted test number."""
    brand, token = _SCRIPTED.get(number, (_BRANDS.get(number, ""), ""))
    if not brand:
        return None
    identity = f"{brand} {number[:6]} {number[-4:]} {month}/{year}"
    return Instrument(CARD, identity, token, brand, number[:6], number[-4:], month, year, holder)


def of_nonce(nonce: str) -> Instrument | None:
    """What a test nonce stands for; None for one that there is not."""
    if nonce in _PAYPAL_NONCES:
        return Instrument(PAYPAL, "payer@example.com")
    if nonce in _NONCES:
        card = of_number(_NONCES[nonce], "12", _YEAR)
        return Instrument(**{**card.as_dict(), "checked": _CHECKED.get(nonce, "")}) if card else None
    return of_token(nonce)


def of_token(token: str) -> Instrument | None:
    """The vaulted card that is always there, as `tok_<script>`; None for another token."""
    if not token.startswith(TOKEN_PREFIX):
        return None
    checked = "authenticate_successful" if token.startswith(f"{TOKEN_PREFIX}3ds") else ""
    return Instrument(CARD, token, token, "Visa", "411111", "1111", vaulted=token, checked=checked)


def script_of(token: str, amount: int, instance: str) -> Script | None:
    """The script of a test token, or, without one, that of the amount. None: there is no such token."""
    try:
        return asked_for(token, amount, instance)
    except UnknownScript:
        return None


def has_luhn(number: str) -> bool:
    """Whether a number's last digit is the check of the others."""
    digits = [int(letter) for letter in reversed(number)]
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0


def as_markdown() -> str:
    """The table for people: token or nonce, amount, and what happens."""
    rows = ["| payment method token or nonce | amount | what happens |", "| --- | --- | --- |"]
    for script in TABLE:
        if script.wires and "braintree" not in script.wires:
            continue
        amount = f"{AMOUNT_BASE + script.amount_suffix:,}" if script.amount_suffix else "–"
        rows.append(f"| `{TOKEN_PREFIX}{script.name}` | {amount} | {script.meaning} |")
    return "\n".join(rows)
