"""A payment that is paid by a card of the vault: found by its token, or sealed first where the body holds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from msgspec.structs import replace as with_terms

from aegis_api.tokens.card_schemas import identity
from aegis_worker.domain.cards import VAULT, Card, VaultedCard
from aegis_worker.domain.modes import Owner
from aegis_worker.errors import AegisError, DatabaseUnavailable, DuplicateReference, MethodRefused
from aegis_worker.ids import CARD
from aegis_worker.intake import Accepted, Intake, PaymentCommand
from aegis_worker.vault.vault import Vault

_TOKEN = re.compile(rf"{CARD}_[0-9a-f]{{32}}")
_CARD_POINTER, _TOKEN_POINTER = "/payment_method/card", "/payment_method/token"
_OFF = "No card vault is turned on here: send the token that a gateway made of the card."
_UNKNOWN = "The vault has no such card of yours: it was destroyed, or was for a single payment that is over."
_USED = (
    "Another payment has this card, which is for a single one: take a token for each, or one that is kept."
)
_NOT_KEPT = "This card is for a single payment, and is forgotten before one for later is due: take a token that is kept."


class ToHold:
    """A card for a single payment, to be sealed before the payment is accepted.

    It lets go of the card as it is sealed: a refusal that is kept with the request it refuses forms a cycle with the
    request's frames, and what these hold would stay in memory until the collector comes.
    """

    def __init__(self, known: VaultedCard, card: Card) -> None:
        self.known = known
        self._card: Card | None = card

    def seal(self, vault: Vault, owner: Owner) -> None:
        """Have the vault hold the card. Raises VaultUnavailable."""
        card, self._card = self._card, None
        assert card is not None
        vault.hold(owner, self.known, card)

    def let_go(self) -> None:
        """Hold the card no longer."""
        self._card = None


class Method(NamedTuple):
    """How a payment's method is read where the vault has to do with it.

    `asked`: as it enters the request's HMAC. `stored`: as the payment holds it. `to_claim`: the token of a card that is for
    a single payment, or, where `is_kept`, of one whose security code is. `refused`: why it can't be.
    """

    asked: Mapping[str, Any]
    stored: Mapping[str, Any]
    to_hold: ToHold | None = None
    to_claim: str | None = None
    is_kept: bool = False
    refused: MethodRefused | None = None


def vault_tokens(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """The tokens in validated bodies that the vault has to be asked about."""
    return [body["payment_method"]["token"] for body in bodies if _names_one(body["payment_method"])]


def method_of(
    body: Mapping[str, Any], vault: Vault | None, owner: Owner, found: Mapping[str, VaultedCard]
) -> Method | None:
    """How the payment method of a validated body is read; None where the vault has nothing to do with it.

    Takes the card itself out of the body. `found`: the cards of the owner's among `vault_tokens`.
    """
    method = body["payment_method"]
    card = method.pop("card", None)
    if card is not None:
        return _of_card(method, card, vault, owner)
    if method.get("gateway") != VAULT and not _names_one(method):
        return None
    if vault is None:
        # Not left to a gateway either: no gateway's token has the form of the vault's.
        return Method(method, method, refused=MethodRefused(_TOKEN_POINTER, "vault_off", _OFF))
    known = found.get(method.get("token", ""))
    if known is None:
        return Method(method, method, refused=MethodRefused(_TOKEN_POINTER, "unknown_token", _UNKNOWN))
    is_later = "scheduled_at" in body
    if is_later and not known.kept:
        return Method(method, method, refused=MethodRefused(_TOKEN_POINTER, "not_kept", _NOT_KEPT))
    payer_is_there = not (is_later or body.get("off_session"))
    with_code = known.with_code and payer_is_there
    to_claim = known.token if with_code or not known.kept else None
    stored = _stored(method, known, with_code=with_code)
    return Method(method, stored, to_claim=to_claim, is_kept=known.kept)


def _of_card(method: Mapping[str, Any], card: Card, vault: Vault | None, owner: Owner) -> Method:
    if vault is None:
        return Method(method, method, refused=MethodRefused(_CARD_POINTER, "vault_off", _OFF))
    known = vault.vaulted(owner, card, kept=False)
    asked = {**method, "card": identity(card, known.fingerprint)}
    return Method(asked, _stored(method, known, with_code=card.cvc is not None), ToHold(known, card))


def _stored(method: Mapping[str, Any], known: VaultedCard, *, with_code: bool) -> Mapping[str, Any]:
    stored = known.method(with_code=with_code)
    # The payer may have chosen one of the two networks of a card.
    return {**stored, "network": method["network"]} if "network" in method else stored


def _names_one(method: Mapping[str, Any]) -> bool:
    token = method.get("token", "")
    return (
        method["type"] == "card" and method.get("gateway", VAULT) == VAULT and bool(_TOKEN.fullmatch(token))
    )


def accept_by_card(intake: Intake, vault: Vault, command: PaymentCommand, method: Method) -> Accepted:
    """Accept a payment by a card of the vault. Raises VaultUnavailable, with nothing written, and as `Intake.accept`."""
    if method.to_hold is not None:
        return _accept_held(intake, vault, command, method.to_hold)
    if method.to_claim is None or command.refused is not None:
        return intake.accept(command)
    claimed = claiming(vault, command, method)
    try:
        return intake.accept(claimed)
    except (DuplicateReference, MethodRefused):
        if claimed is command:
            vault.give_back(method.to_claim)
        raise


def claiming(vault: Vault, command: PaymentCommand, method: Method) -> PaymentCommand:
    """The command once it has claimed what is for a single payment; another one where another payment has that.

    Claimed is by the idempotency key, so a repeat may have it too. A card for a single payment is then refused; one that is
    kept pays without its security code, because that is forgotten as the first payment ends. Raises VaultUnavailable.
    """
    if method.to_claim is None or command.refused is not None:
        return command
    if vault.claim(method.to_claim, command.idempotency_key):
        return command
    if not method.is_kept:
        return replace(command, refused=MethodRefused(_TOKEN_POINTER, "already_used", _USED))
    terms = command.terms
    without = {name: value for name, value in terms.payment_method.items() if name != "with_code"}
    return replace(command, terms=with_terms(terms, payment_method=without))


def _accept_held(intake: Intake, vault: Vault, command: PaymentCommand, to_hold: ToHold) -> Accepted:
    """The card is sealed before anything is committed, and dropped where it is not needed."""
    if command.refused is None:
        to_hold.seal(vault, command.owner)
    to_hold.let_go()
    try:
        accepted = intake.accept(command)
    except DatabaseUnavailable:
        raise  # the payment may be accepted all the same, so the card stays for its lifetime
    except AegisError:
        vault.drop(to_hold.known.token)
        raise
    if accepted.replayed:
        vault.drop(to_hold.known.token)
    return accepted
