"""A payment card: itself, what may be known of it outside of the vault, and which are taken (design D8). Pure.

`Card` is the only type of AegisPay that holds a card number. It shows nothing of itself, whoever prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct

from .card_numbers import luhn_valid, network_of, of_a_network

VAULT = "vault"
"""What stands as `gateway` in the payment method of a payment whose card is in the vault. No gateway may be called so."""

CODE_KEPT_FOR = timedelta(minutes=15)
"""How long a security code is kept at most, whatever becomes of its payment."""

_LONGEST_VALID_Y = 30
_CODE_LENGTHS = {"amex": (4,)}
_USUAL_CODE_LENGTHS, _ANY_CODE_LENGTHS = (3,), (3, 4)
# A card is valid to the end of its month wherever its issuer is; nowhere is it earlier than 12 hours behind UTC.
_FURTHEST_BEHIND_UTC = timedelta(hours=12)


class Card(Struct, frozen=True):
    """A card, opened. `number`: its digits alone. `cvc`: its security code, which is for a single payment.

    Whoever gets one lets go of it with the call that it is for: it belongs into no other value, log or exception.
    """

    number: str
    exp_month: int
    exp_year: int
    cvc: str | None = None
    holder: str | None = None

    def __repr__(self) -> str:
        """Nothing of it: not even how long its number is."""
        return "Card(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As `repr`."""
        return []

    def __reduce__(self) -> str:
        """Raises TypeError: a card is neither copied to another process nor written anywhere but by the vault."""
        raise TypeError("a card is not pickled")


class VaultedCard(Struct, frozen=True):
    """What may be known of a card in the vault. Neither number nor security code follow from it.

    `network`: one of `card_networks.NETWORKS`, or None. `fingerprint`: the same for the same number at the same merchant,
    made with a key that only the vault has. `kept`: until it is destroyed; otherwise for a single payment, and it is
    forgotten soon. `with_code`: whether the vault holds its security code now.
    """

    token: str
    network: str | None
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str
    kept: bool
    with_code: bool = False

    def method(self, *, with_code: bool) -> dict[str, Any]:
        """The `payment_method` of a payment that is paid by it. `with_code`: whether the code is to be sent."""
        shown = {
            "type": "card",
            "token": self.token,
            "gateway": VAULT,
            "network": self.network,
            "last4": self.last4,
            "exp_month": self.exp_month,
            "exp_year": self.exp_year,
            "fingerprint": self.fingerprint,
            "with_code": with_code or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


def is_vaulted(method: Mapping[str, Any]) -> bool:
    """Whether a payment's method is a card of the vault."""
    return method.get("gateway") == VAULT


def code_gone_at(method: Mapping[str, Any], accepted_at: datetime) -> datetime | None:
    """When the vault has forgotten the security code of a payment that was accepted then, at the latest; None where the
    payment is sent without one.
    """
    return accepted_at + CODE_KEPT_FOR if is_vaulted(method) and method.get("with_code") else None


@dataclass(frozen=True, slots=True)
class CardFault:
    """What is wrong with a field of a card. `code` is stable; `detail` never repeats what was given."""

    field: str
    code: str
    detail: str


def faults_of(card: Card, now: datetime) -> Iterator[CardFault]:
    """What is wrong with a card whose fields have their form. `now`: aware."""
    if not luhn_valid(card.number):
        yield CardFault("number", "luhn_failed", "Its check digit is wrong: a digit was mistyped.")
    elif not of_a_network(card.number):
        yield CardFault(
            "number", "unknown_network", "No card network issues numbers of this beginning and length."
        )
    yield from _faults_of_expiry(card, (now - _FURTHEST_BEHIND_UTC).date())
    lengths = code_lengths(network_of(card.number))
    if card.cvc is not None and len(card.cvc) not in lengths:
        expected = " or ".join(map(str, lengths))
        yield CardFault("cvc", "wrong_length", f"Cards of this network have a code of {expected} digits.")


def _faults_of_expiry(card: Card, today: date) -> Iterator[CardFault]:
    if (card.exp_year, card.exp_month) < (today.year, today.month):
        where = "exp_month" if card.exp_year == today.year else "exp_year"
        yield CardFault(where, "expired", "The card has expired.")
    elif card.exp_year > today.year + _LONGEST_VALID_Y:
        yield CardFault("exp_year", "out_of_range", f"No card is valid for {_LONGEST_VALID_Y} years.")


def code_lengths(network: str | None) -> tuple[int, ...]:
    """How many digits the security code of a network's cards has. Source: the networks' acceptance guides."""
    if network is None:
        return _ANY_CODE_LENGTHS
    return _CODE_LENGTHS.get(network, _USUAL_CODE_LENGTHS)
