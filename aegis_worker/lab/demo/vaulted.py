"""Cards of the vault whose first gateway is down: the second charges them, each once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.transitions import State
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.lab.local.stack import LocalStack

from .cast import Order
from .merchant import Merchant, Posted

FAILS_OVER = "a card of the vault, its first gateway down"
ENDS_AS = {FAILS_OVER: State.SUCCESS}
# A test card that all gateways approve.
CARD = {"number": "5555555555554444", "exp_month": 12, "exp_year": 2040, "cvc": "737"}
_PAYMENTS = 6
_AMOUNT_MINOR = 4200


@dataclass(frozen=True, slots=True)
class Outage:
    """What was posted while this gateway was down."""

    gateway: str = ""
    posted: Sequence[Posted] = ()


def post_during_an_outage(
    stack: LocalStack,
    merchant: Merchant,
    gateways: Mapping[str, PaymentGateway],
    seed: int,
    stopping: threading.Event,
) -> Outage:
    """Kill the first gateway that takes card numbers, post cards, wait for what becomes of them, and start it again.

    Nothing is posted where fewer than two gateways take card numbers. Raises OperatorError, StackFailed or Stopped.
    """
    taking = [name for name, gateway in gateways.items() if gateway.config.raw_cards]
    if len(taking) < 2:
        return Outage()
    kept = merchant.keep(CARD, f"card-{seed}")
    stack.launched.kill(taking[0])
    posted = merchant.post([_order(number, seed, kept) for number in range(_PAYMENTS)])
    merchant.take_steps(posted)
    stack.launched.restart([taking[0]], stopping)
    return Outage(taking[0], posted)


def _order(number: int, seed: int, kept: str) -> Order:
    """Every second card is kept in the vault; the others are for one payment alone."""
    method: dict[str, Any] = {"type": "card", "token": kept} if number % 2 else {"type": "card", "card": CARD}
    key = f"vaulted-{seed}-{number}"
    body = {
        "amount": _AMOUNT_MINOR + 10 * number,
        "currency": "USD",
        "payment_method": method,
        "reference": f"order-{key}",
        "customer": {"id": "cus_vaulted"},
    }
    return Order(FAILS_OVER, key, body, repeated=False, payer="pass")
