"""Card networks, and how often they let a declined card be tried again. Pure.

Sources: Visa, 20 tries in 30 days since May 2025 (Cielo, "New limit for Visa retries", 2025; TabaPay, "Excessive Retry
Rules"); Mastercard, 10 declines a day and 35 in 30 days (Braintree, "Mastercard Networks", F23; TabaPay, the same). The
networks count what is tried again for the same amount, and Mastercard by calendar day. Here the first try counts as well,
whatever its amount, and a day is the last 24 hours: never more tries than they allow, sometimes fewer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .declines import DECLINES, OF_THE_VAULT

NETWORKS = ("amex", "diners", "discover", "jcb", "mastercard", "rupay", "unionpay", "visa")


@dataclass(frozen=True, slots=True)
class Caps:
    """How often a merchant may try a card that is declined; None: as often as it likes."""

    name: str
    per_day: int | None = None
    per_30_days: int | None = None


CAPS = {
    "visa": Caps("Visa", per_30_days=20),
    "mastercard": Caps("Mastercard", per_day=10, per_30_days=35),
}

# Declines that came before the card's issuer was asked, so its network doesn't count them.
_NOT_THE_ISSUER = frozenset(
    {
        "authentication_failed",
        "authentication_expired",
        "payer_cancelled",
        "invalid_token",
        "invalid_request",
        "no_eligible_gateway",
        "card_barred",
        "card_retry_limit",
        *OF_THE_VAULT,
    }
)


@dataclass(frozen=True, slots=True)
class CardHistory:
    """How often a card was declined lately. `never_again`: a code among them with which it may not be tried again."""

    in_last_day: int = 0
    in_last_30_days: int = 0
    never_again: str | None = None

    def after(self, code: str) -> CardHistory:
        """This history and one more decline."""
        never_again = code if DECLINES[code].never_again else self.never_again
        return CardHistory(self.in_last_day + 1, self.in_last_30_days + 1, never_again)

    def with_other(self, other: CardHistory) -> CardHistory:
        """The history of a card that is known by two tokens, each with a history."""
        return CardHistory(
            self.in_last_day + other.in_last_day,
            self.in_last_30_days + other.in_last_30_days,
            self.never_again or other.never_again,
        )


@dataclass(frozen=True, slots=True)
class CardDecline:
    """One hop of one payment that its card was declined in. `card_key`: `card_key`."""

    payment_id: str
    number: int
    merchant_id: str
    card_key: bytes
    network: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Barred:
    """Why a card must not be tried now; `code` is one of `declines.DECLINES`."""

    code: str
    because: str


def card_key(merchant_id: str, name: str) -> bytes:
    """What the declines of one card at one merchant are counted under: SHA-256, 32 bytes. `name`: what the card is known
    by (`instruments.names_of_card`).

    A hash for its fixed length, not for secrecy: a name is no card number, and stands on the payment as it is. Two tokens
    that gateways issued of one card are two cards here, unless a payment carries both: its card is looked up under all its
    names. The vault knows its cards, so two tokens of one card are one there.
    """
    return hashlib.sha256(f"{merchant_id}\0{name}".encode()).digest()


def counts_for_caps(network: str | None, code: str) -> bool:
    """Whether a decline has to be remembered: the issuer forbids another try, or the network counts it.

    Raises KeyError for an unclassified code.
    """
    if DECLINES[code].never_again:
        return True
    is_issuers = DECLINES[code].category != "technical" and code not in _NOT_THE_ISSUER
    return network in CAPS and is_issuers


def card_verdict(network: str | None, history: CardHistory) -> Barred | None:
    """Why a card with this history must not be tried now, or None. Without a network only `never_again` binds."""
    if history.never_again is not None:
        return Barred(
            "card_barred",
            f"an issuer declined this card with {history.never_again}, and will never approve it",
        )
    caps = CAPS.get(network or "")
    if caps is None:
        return None
    for most, declined, span in (
        (caps.per_day, history.in_last_day, "a day"),
        (caps.per_30_days, history.in_last_30_days, "30 days"),
    ):
        if most is not None and declined >= most:
            return Barred(
                "card_retry_limit", f"{caps.name} allows {most} declined tries of one card in {span}"
            )
    return None
