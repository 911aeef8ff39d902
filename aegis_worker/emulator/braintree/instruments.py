"""What a transaction is paid with at Braintree. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..scripts import Script
from ..tokens import TOKEN_PREFIX, UnknownScript, asked_for

CARD, PAYPAL = "credit_card", "paypal_account"
_DAY_S = 86_400.0
_HOLDS_S = {"Visa": 8 * _DAY_S, "Discover": 30 * _DAY_S, "JCB": 30 * _DAY_S, "Diners Club": 30 * _DAY_S}
_HOLD_S = 7 * _DAY_S
_PAYPAL_HOLD_S = 29 * _DAY_S
YEAR = "2035"


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
    year: str = YEAR
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
