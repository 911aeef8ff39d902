"""Plain payments of an experiment: cards that every gateway takes and approves, so that what fails was broken."""

from __future__ import annotations

import random
from collections.abc import Sequence

from aegis_worker.lab.demo.cast import Order
from aegis_worker.lab.demo.issuers import Issuer
from aegis_worker.lab.demo.roles import PLAIN

_TOKEN = "tok_visa"
# In tens of minor units; scripted amounts of the sandbox begin at 900,001.
_LEAST, _MOST = 10, 8_000


def plain_orders(count: int, seed: str, issuers: Sequence[Issuer]) -> list[Order]:
    """So many orders, the same for the same seed, under references of their own."""
    rng = random.Random(seed)
    return [_order(f"{seed}-{number}", 10 * rng.randint(_LEAST, _MOST), issuers) for number in range(count)]


def _order(name: str, minor: int, issuers: Sequence[Issuer]) -> Order:
    method: dict[str, object] = {"type": "card", "token": _TOKEN}
    if issuers:
        method = {"type": "card", "tokens": {issuer.name: issuer.token(_TOKEN) for issuer in issuers}}
    body = {"amount": minor, "currency": "USD", "payment_method": method, "reference": f"order-{name}"}
    return Order(PLAIN, f"key-{name}", body, repeated=False)
