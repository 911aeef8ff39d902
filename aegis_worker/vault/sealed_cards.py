"""How a card is sealed: under the vault's key ring, for one token of one merchant, and opened there only.

The fingerprint is an HMAC-SHA-256 over merchant and number, of which 128 bits are kept. Its key is the vault's own, because
anybody could try all card numbers against a plain hash (PCI DSS 4.0, requirement 3.5.1.1). It is never exchanged with the
sealing keys, so the same card keeps its fingerprint.
"""

from __future__ import annotations

import hmac
from typing import Any

from msgspec import Struct, json

from aegis_worker.domain.card_numbers import network_of
from aegis_worker.domain.cards import Card, VaultedCard
from aegis_worker.domain.modes import Mode, Owner
from aegis_worker.errors import CannotUnseal
from aegis_worker.ids import CARD, new_id
from aegis_worker.sealing.keys import VaultKeys
from aegis_worker.sealing.ring import KeyRing

SETTING = "AEGIS_VAULT_KEYS"
_PURPOSE = b"aegispay card fingerprint 1"
_DIGITS = 32


class Entry(Struct, frozen=True):
    """A card of a single payment as the vault's memory holds it: whose it is, what may be known, and the rest sealed.

    `sealed` is empty once it was destroyed.
    """

    merchant_id: str
    mode: Mode
    card: VaultedCard
    sealed: bytes


class CardSealer:
    """Seals cards, and makes their fingerprints. Safe from several threads."""

    def __init__(self, keys: VaultKeys) -> None:
        self._ring = KeyRing(keys.sealing, SETTING)
        self._fingerprint_key = keys.fingerprint.key

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the sealing keys, the one that seals first."""
        return self._ring.ids

    def vaulted(self, owner: Owner, card: Card, *, kept: bool) -> VaultedCard:
        """What may be known of a card, under a new token."""
        return VaultedCard(
            token=new_id(CARD),
            network=network_of(card.number),
            last4=card.number[-4:],
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            fingerprint=self.fingerprint(owner.merchant_id, card.number),
            kept=kept,
            with_code=card.cvc is not None,
        )

    def fingerprint(self, merchant_id: str, number: str) -> str:
        """The same for the same number at the same merchant: 32 hexadecimal digits."""
        text = b"\0".join((_PURPOSE, merchant_id.encode(), number.encode()))
        return hmac.new(self._fingerprint_key, text, "sha256").hexdigest()[:_DIGITS]

    def seal(self, owner: Owner, token: str, card: Card) -> bytes:
        """The card without its security code."""
        about: dict[str, Any] = {
            "number": card.number,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "holder": card.holder,
        }
        return self._ring.seal(json.encode(about), "card", *owner, token)

    def unseal(self, owner: Owner, token: str, sealed: bytes) -> Card:
        """The card without its security code. Raises CannotUnseal."""
        return json.decode(self._ring.unseal(sealed, "card", *owner, token), type=Card)

    def seal_code(self, owner: Owner, token: str, code: str) -> bytes:
        """A security code."""
        return self._ring.seal(code.encode(), "code", *owner, token)

    def unseal_code(self, owner: Owner, token: str, sealed: bytes) -> str:
        """A security code. Raises CannotUnseal."""
        return self._ring.unseal(sealed, "code", *owner, token).decode()

    def reseal(self, owner: Owner, token: str, sealed: bytes) -> bytes:
        """The same card, sealed with the newest key. Raises CannotUnseal."""
        place = ("card", *owner, token)
        return self._ring.seal(self._ring.unseal(sealed, *place), *place)

    def check_is(self, owner: Owner, card: Card, fingerprint: str) -> None:
        """Raises CannotUnseal unless the card is the one with this fingerprint."""
        if not hmac.compare_digest(self.fingerprint(owner.merchant_id, card.number), fingerprint):
            raise CannotUnseal(
                "the card under this token is not the payment's: it is another merchant's, or the fingerprint key of "
                f"{SETTING} has changed"
            )
