"""What of an adapter's calls and answers may be kept for people to read: data, declared by each adapter (design D17)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# What the gateways' APIs call a card's number, its security code, its holder and its expiry.
_OF_CARDS = re.compile(
    r"pan|cid|cvc2?|cvv2?|(?:encrypted_?)?(?:card_?)?(?:number|security_?code)|verification_?value"
    r"|exp(?:iry|iration)?_?(?:month|year|date)|(?:card_?)?holder(?:_?name)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AllowList:
    """The fields whose values are kept. Of all others only the name is kept, so what nobody thought of stays secret.

    List ids, amounts, codes and statuses. Never list what opens or charges something (tokens, client secrets, keys), who
    pays (names, addresses), or what anybody words freely (descriptions, messages, URLs).

    `headers`: of requests and answers, in lower case. `query`, `sent` and `received`: fields of a request's query, of its
    body and of an answer's, as names joined by dots: `error.code`, or `data.id` for the id of each element of the list
    `data`. The brackets of forms count as dots.
    """

    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    sent: frozenset[str] = frozenset()
    received: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises ValueError for a field that a card could stand in."""
        listed = {*self.query, *self.sent, *self.received}
        if of_cards := sorted(
            field for field in listed if _OF_CARDS.fullmatch(field.rpartition(".")[2].replace("-", "_"))
        ):
            raise ValueError(f"card data is never kept: {', '.join(of_cards)}")


def below(name: str, fields: Iterable[str]) -> set[str]:
    """The fields as they are called inside of the field `name`."""
    return {f"{name}.{field}" for field in fields}
