"""Cards that are sent by number, and a vault of one card, whose silence and losses a scenario chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.cards import VAULT, Card
from aegis_worker.errors import CardGone, CodeGone
from aegis_worker.gateways.kit.flows import OpenCard

# A test card that each emulated gateway approves.
NUMBER, CODE = "5555555555554444", "737"
MASTERCARD = Card(NUMBER, 3, 2040, CODE, "Asha Rao")
METHOD: Mapping[str, Any] = {
    "type": "card",
    "token": "card_01890a5d-ac96-774b-bcce-b302099a8057",
    "gateway": VAULT,
    "network": "mastercard",
    "last4": "4444",
    "exp_month": 3,
    "exp_year": 2040,
    "fingerprint": "fp_1",
    "with_code": True,
}


def tells_code(text: str) -> bool:
    """Whether the security code stands in a text as a value. Three digits are part of many an id and time by chance."""
    return re.search(rf"[\"'=>]{CODE}(?!\w)", text) is not None


@dataclass(frozen=True)
class NumberedCard:
    """A card that is sent by number. `minor`: the amount to try it with, where the amount says what becomes of it."""

    card: Card = MASTERCARD
    minor: int = 1999


class Drawer:
    """One card under every token. It can be emptied, lose the security code, and have a `problem`."""

    def __init__(self, card: Card | None = MASTERCARD) -> None:
        self.card = card
        self.problem: Exception | None = None
        self.asked: list[OpenCard] = []

    def __call__(self, asked: OpenCard) -> Card:
        """As `exchange.opening` has cards opened."""
        self.asked.append(asked)
        if self.problem is not None:
            raise self.problem
        card = self.card
        if card is None:
            raise CardGone("the vault does not hold this card any more")
        if asked.with_code and card.cvc is None:
            raise CodeGone("the vault does not hold its security code any more")
        return card if asked.with_code else replace(card, cvc=None)

    def forget_code(self) -> None:
        """As after 15 minutes."""
        self.card = self.card and replace(self.card, cvc=None)
