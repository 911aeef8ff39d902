"""Cards as a vault holds them, for tests of whoever has one opened. The vault itself has tests of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.cards import VAULT, Card
from aegis_worker.errors import CardGone, CodeGone
from aegis_worker.gateways.kit.flows import OpenCard

# Test cards that each of the emulated gateways approves; the last one's payer has to pass 3-D Secure at Stripe.
NUMBER, OTHER_NUMBER, CODE = "5555555555554444", "4242424242424242", "737"
MASTERCARD = Card(NUMBER, 3, 2040, CODE, "Asha Rao")
TOKEN = "card_01890a5d-ac96-774b-bcce-b302099a8057"
FINGERPRINT = "fp_1"
METHOD: Mapping[str, Any] = {
    "type": "card",
    "token": TOKEN,
    "gateway": VAULT,
    "network": "mastercard",
    "last4": "4444",
    "exp_month": 3,
    "exp_year": 2040,
    "fingerprint": FINGERPRINT,
    "with_code": True,
}


def vaulted(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The payment method of a card of the vault, the `number`th of its tokens."""
    return {**METHOD, "token": f"{TOKEN[:-4]}{number:04}", **changes}


class Drawer:
    """One card under every token. It can be emptied, lose the security code, and stay silent by `problem`."""

    def __init__(self, card: Card | None = MASTERCARD) -> None:
        self.card = card
        self.problem: Exception | None = None
        self.asked: list[OpenCard] = []

    def __call__(self, asked: OpenCard) -> Card:
        self.asked.append(asked)
        if self.problem is not None:
            raise self.problem
        card = self.card
        if card is None:
            raise CardGone("the vault does not hold this card any more")
        if asked.with_code and card.cvc is None:
            raise CodeGone("the vault does not hold its security code any more")
        code = card.cvc if asked.with_code else None
        return Card(card.number, card.exp_month, card.exp_year, code, card.holder)

    def forget_code(self) -> None:
        """As after 15 minutes."""
        if self.card is not None:
            self.card = Card(
                self.card.number, self.card.exp_month, self.card.exp_year, None, self.card.holder
            )
