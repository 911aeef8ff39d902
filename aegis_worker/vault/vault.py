"""The vault: keeps cards sealed, in stores of its own, and opens them for the call that carries one (design D8)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from msgspec import json
from msgspec.structs import replace
from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.cards import Card, VaultedCard
from aegis_worker.domain.modes import Owner
from aegis_worker.errors import (
    CardGone,
    CodeGone,
    DatabaseUnavailable,
    IdempotencyKeyReused,
    VaultUnavailable,
)
from aegis_worker.ids import made_at
from aegis_worker.persistence.database import Database
from aegis_worker.vault_settings import DATABASE_URL

from . import kept_rows
from .kept_rows import Made, Sealed
from .memory import Held, Memory
from .sealed_cards import CardSealer, Entry

T = TypeVar("T")
_GONE = "the vault does not hold this card: it was for a single payment, was destroyed, or was never here"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Under which key a token is asked for; `hmac` covers the request, without number and security code."""

    idempotency_key: str
    hmac: bytes
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and whether an earlier request with the same key made it."""

    card: VaultedCard
    created_at: datetime
    replayed: bool


class Vault:
    """The card vault of one process. Thread-safe. All that it can't do now raises VaultUnavailable."""

    def __init__(self, sealer: CardSealer, memory: Memory, database: Database) -> None:
        self.sealer, self.memory, self.database = sealer, memory, database

    def vaulted(self, owner: Owner, card: Card, *, kept: bool) -> VaultedCard:
        """What a card would be known as, under a new token. Nothing is stored."""
        return self.sealer.vaulted(owner, card, kept=kept)

    def hold(self, owner: Owner, vaulted: VaultedCard, card: Card) -> None:
        """Seal a card for a single payment into the vault's memory."""
        self._put(owner, vaulted, card)
        crash_point("card.sealed")

    def make(self, owner: Owner, vaulted: VaultedCard, card: Card, request: TokenRequest) -> Token:
        """Keep a card, or hold it for a single payment, once for each idempotency key.

        Raises IdempotencyKeyReused, CardGone where the card that was made under the key is destroyed or over, or
        VaultUnavailable; then nothing of this card is kept. Only where the database did not answer it may be, because the
        answer of a COMMIT can be lost: so what is in memory stays for its lifetime, and a repeat gets a token that pays.
        """
        if not vaulted.kept or vaulted.with_code:
            self._put(owner, vaulted, card)
            crash_point("card.sealed")
        sealed = self.sealer.seal(owner, vaulted.token, card) if vaulted.kept else None
        row = {
            "sealed": sealed,
            "key_id": self.sealer.key_ids[0] if sealed else None,
            "idempotency_key": request.idempotency_key,
            "request_hmac": request.hmac,
            "customer_id": request.customer_id,
        }
        try:
            made = self._run(lambda connection: kept_rows.insert(connection, owner, vaulted, row))
        except VaultUnavailable:
            raise
        except BaseException:
            self.drop(vaulted.token)
            raise
        crash_point("card.kept")
        if made.card.token == vaulted.token:
            return Token(vaulted, made.created_at, replayed=False)
        self.drop(vaulted.token)
        return self._told_before(made, request)

    def _told_before(self, made: Made, request: TokenRequest) -> Token:
        if made.request_hmac != request.hmac:
            raise IdempotencyKeyReused("this key was used with a different request")
        if made.is_destroyed:
            raise CardGone("the card that was taken under this key is destroyed")
        (held,) = self.memory.get([made.card.token])
        if not made.card.kept and held.card is None:
            raise CardGone("the card that was taken under this key was for a single payment, and is over")
        card = replace(made.card, with_code=held.code is not None)
        return Token(card, made.created_at, replayed=True)

    def find(self, owner: Owner, tokens: Sequence[str]) -> dict[str, VaultedCard]:
        """Those of the owner's cards that the vault has, by their tokens."""
        return {token: made.card for token, made in self.look_at(owner, tokens).items()}

    def look_at(self, owner: Owner, tokens: Sequence[str]) -> dict[str, Made]:
        """As `find`, with when each was taken; that of a single payment's card is its token's own time."""
        if not tokens:
            return {}
        held = dict(zip(tokens, self.memory.get(tokens), strict=True))
        found = {token: one for token in tokens if (one := _held_by(owner, token, held[token])) is not None}
        if elsewhere := [token for token in tokens if held[token].card is None]:
            kept = self._read(lambda connection: kept_rows.find(connection, owner, elsewhere))
            found |= {token: _with_code(made, held[token]) for token, made in kept.items()}
        return found

    def claim(self, token: str, idempotency_key: str) -> bool:
        """Whether the payment with this key may have what is for a single payment, card or code: no other has it."""
        return self.memory.claim(token, hashlib.sha256(idempotency_key.encode()).hexdigest())

    def give_back(self, token: str) -> None:
        """Let another payment have what is for a single payment; where that fails it stays claimed."""
        with suppress(VaultUnavailable):
            self.memory.give_back(token)

    def of_customer(self, owner: Owner, customer_id: str) -> list[Made]:
        """A customer's newest kept cards, at most 100."""
        return self._read(lambda connection: kept_rows.of_customer(connection, owner, customer_id))

    def destroy(self, owner: Owner, token: str) -> bool:
        """Destroy a card of the owner's, and its code; whether there is, or was, such a card."""
        (held,) = self.memory.get([token])
        entry = None if held.card is None else json.decode(held.card, type=Entry)
        if entry is not None:
            if (entry.merchant_id, entry.mode) != owner:
                return False
            self.memory.replace(token, json.encode(replace(entry, sealed=b"")))
        is_ours = self._run(lambda connection: kept_rows.destroy(connection, owner, token))
        if is_ours and entry is None:
            self.memory.forget([token])
        return is_ours or entry is not None

    def destroy_all(self, owner: Owner, customer_id: str) -> int:
        """Destroy a customer's kept cards, and their codes; how many."""
        tokens = self._run(lambda connection: kept_rows.destroy_all(connection, owner, customer_id))
        if tokens:
            self.memory.forget(tokens)
        return len(tokens)

    def open(self, token: str, *, fingerprint: str, with_code: bool) -> Card:
        """The card of a payment, in the clear: for the call that carries it, and for nothing else.

        `fingerprint`: the payment's own. `with_code`: whether it must come with its security code. Raises CardGone,
        CodeGone, VaultUnavailable, or CannotUnseal where the key is wrong or the card is another than the payment's.
        """
        (held,) = self.memory.get([token])
        stored = _sealed_in(token, held) or self._read(
            lambda connection: kept_rows.sealed_of(connection, token)
        )
        if stored is None or not stored.sealed:
            raise CardGone(_GONE)
        if with_code and held.code is None:
            raise CodeGone("the card's security code is not held any more, and is not to be left out")
        card = self.sealer.unseal(stored.owner, token, stored.sealed)
        self.sealer.check_is(stored.owner, card, fingerprint)
        if with_code and held.code is not None:
            card = replace(card, cvc=self.sealer.unseal_code(stored.owner, token, held.code))
        crash_point("card.opened")
        return card

    def drop(self, token: str) -> None:
        """Forget what was put under a token that nobody was told; where that fails it is forgotten by itself soon."""
        with suppress(VaultUnavailable):
            self.memory.forget([token])

    def settled(self, tokens: Sequence[str]) -> None:
        """Forget the codes of these cards, and those of them that were for a single payment."""
        self.memory.forget(tokens)

    def by_key(self) -> dict[str, int]:
        """By the sealing key's id, how many kept cards it sealed."""
        return self._read(kept_rows.by_key)

    def outdated(self, *, after: str, most: int) -> list[Sealed]:
        """Kept cards, by their tokens, that another key than the newest sealed."""
        newest = self.sealer.key_ids[0]
        return self._read(lambda connection: kept_rows.outdated(connection, newest, after=after, most=most))

    def reseal(self, cards: Sequence[Sealed]) -> int:
        """Seal these with the newest key; how many of them were still as they were read. Raises CannotUnseal."""
        anew = [(card, self.sealer.reseal(card.owner, card.token, card.sealed)) for card in cards]
        newest = self.sealer.key_ids[0]
        return self._run(lambda connection: kept_rows.reseal(connection, anew, newest))

    def forget_requests(self, *, hours: int, most: int) -> int:
        """Forget the idempotency keys of requests that are older; how many."""
        return self._run(lambda connection: kept_rows.forget_requests(connection, hours=hours, most=most))

    def close(self) -> None:
        """Close the connections to the vault's stores."""
        self.memory.close()
        self.database.dispose()

    def _put(self, owner: Owner, vaulted: VaultedCard, card: Card) -> None:
        token = vaulted.token
        code = None if card.cvc is None else self.sealer.seal_code(owner, token, card.cvc)
        entry = (
            None
            if vaulted.kept
            else Entry(*owner, replace(vaulted, with_code=False), self.sealer.seal(owner, token, card))
        )
        self.memory.put(token, card=None if entry is None else json.encode(entry), code=code)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self.database.read() as connection:
                return work(connection)
        except DatabaseUnavailable as error:
            raise database_silent(error) from None

    def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            return self.database.run(work)
        except DatabaseUnavailable as error:
            raise database_silent(error) from None


def database_silent(error: DatabaseUnavailable) -> VaultUnavailable:
    """The same of the vault's own database; what an operator is to change is said with the vault's names."""
    said = (
        str(error)
        .replace(" DATABASE_URL", f" {DATABASE_URL}")
        .replace("aegis migrate", "aegis vault migrate")
    )
    return VaultUnavailable(f"the vault's database: {said}")


def _with_code(made: Made, held: Held) -> Made:
    return Made(replace(made.card, with_code=held.code is not None), made.created_at)


def _held_by(owner: Owner, token: str, held: Held) -> Made | None:
    entry = None if held.card is None else json.decode(held.card, type=Entry)
    if entry is None or not entry.sealed or (entry.merchant_id, entry.mode) != owner:
        return None
    return Made(replace(entry.card, with_code=held.code is not None), made_at(token))


def _sealed_in(token: str, held: Held) -> Sealed | None:
    if held.card is None:
        return None
    entry = json.decode(held.card, type=Entry)
    return Sealed(Owner(entry.merchant_id, entry.mode), entry.sealed, token)
