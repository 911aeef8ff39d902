"""Cards of the vault under load: some plain payments bring a card, and some pay by one that the vault has kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aegis_worker.lab.demo.cast import Order
from aegis_worker.lab.demo.roles import PLAIN
from aegis_worker.lab.demo.vaulted import CARD


def with_cards(orders: Sequence[Order]) -> list[Order]:
    """Of each three plain payments with gateways' tokens one brings a card, and one pays by a card that is kept."""
    found: list[Order] = []
    plain = 0
    for order in orders:
        if order.role == PLAIN and "tokens" in order.body["payment_method"]:
            found.append((_bringing, _keeping, _unchanged)[plain % 3](order))
            plain += 1
        else:
            found.append(order)
    return found


def _bringing(order: Order) -> Order:
    return replace(order, body={**order.body, "payment_method": {"type": "card", "card": CARD}}, card=CARD)


def _keeping(order: Order) -> Order:
    return replace(order, card=CARD)


def _unchanged(order: Order) -> Order:
    return order
