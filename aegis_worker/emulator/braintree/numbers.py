"""Cards by number: Braintree's test cards. No number is kept, and no hash of one: only a card's ends. Pure.

developer.paypal.com/braintree/docs/reference/general/testing#credit-card-numbers.
"""

from __future__ import annotations

from .instruments import CARD, Instrument

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


def of_number(number: str, month: str, year: str, holder: str = "") -> Instrument | None:
    """A card by its number; None for one that is no accepted test number."""
    brand, token = _SCRIPTED.get(number, (_BRANDS.get(number, ""), ""))
    if not brand:
        return None
    identity = f"{brand} {number[:6]} {number[-4:]} {month}/{year}"
    return Instrument(CARD, identity, token, brand, number[:6], number[-4:], month, year, holder)


def as_markdown() -> str:
    """The table for people: the number, and what is particular about it."""
    rows = ["| number | card | what happens |", "| --- | --- | --- |"]
    rows += [f"| `{number}` | {brand} | as its amount says |" for number, brand in _BRANDS.items()]
    rows += [f"| `{number}` | {brand} | as `{token}` |" for number, (brand, token) in _SCRIPTED.items()]
    return "\n".join(rows)
