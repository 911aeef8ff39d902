"""A shop that takes payments by Razorpay's emulator. Its webhooks come in when the test says so."""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.razorpay.adapter import RazorpayAdapter
from aegis_worker.intake.confirm import ConfirmCommand, request_confirm
from support.emulated_shop import EmulatedShop
from support.merchant_server import Received
from support.payments import A_RING, accept_one, action_kept
from support.razorpay_process import (
    RAZORPAY_ACCOUNT,
    RAZORPAY_KEY_ID,
    RAZORPAY_SECRET,
    RAZORPAY_WEBHOOK,
    payer_pays,
    running_razorpay,
)
from support.sandbox_process import Sandbox
from support.telling import Telling, telling

UPI = {"type": "upi"}


class Shop(EmulatedShop):
    """A shop that takes payments by Razorpay."""

    QUEUES = ("payments", "verify", "payments", "verify")

    def begin(self, key: str = "key-1", **terms: Any) -> str:
        """A payment that was accepted, and waits for its payer."""
        given = {"amount": Money(50_000, "INR"), "payment_method": UPI, **terms}
        payment_id = accept_one(self.database, key, **given).payment.id
        self.works()
        return payment_id

    def order_of(self, payment_id: str) -> str:
        """What the page is handed: the order's id."""
        action = action_kept(self.database, payment_id)
        assert action is not None
        return str(action["data"]["order_id"])

    def pays(self, payment_id: str, token: str = "tok_ok", order_id: str = "") -> dict[str, Any]:
        """The payer pays in Checkout; what it gives the page."""
        shown = payer_pays(self.emulator.url, order_id or self.order_of(payment_id), token, method="upi")
        return dict(shown.json)

    def confirms(self, payment_id: str, data: dict[str, Any], key: str = "confirm-1") -> None:
        """The shop hands on what its page was given, and a worker goes on with the payment."""
        digest = hashlib.sha256(json.dumps(data).encode()).digest()
        route = f"POST /v1/payments/{payment_id}/confirm"
        command = ConfirmCommand(Owner("m_1", "test"), payment_id, route, key, digest, digest, data)
        request_confirm(self.database, A_RING, command, lambda gateway: True)
        self.works()

    def paid(self, key: str = "key-1", token: str = "tok_ok", **terms: Any) -> str:
        """A payment whose payer has paid, and whose shop has handed it on."""
        payment_id = self.begin(key, **terms)
        self.confirms(payment_id, self.pays(payment_id, token), f"confirm-{key}")
        return payment_id

    def told(self, named: str, event: str) -> Received:
        """The webhook with this event that names the payment, or the order, once it is there."""

        def event_of(one: Received) -> Any:
            return json.loads(one.body)["event"]

        return self.webhook(lambda one: named.encode() in one.body and event_of(one) == event, event_of)

    def hears(self, named: str, event: str) -> None:
        """Razorpay tells of this, a worker follows it, and what that leads to is done."""
        one = self.told(named, event)
        self.takes_in(one.headers, one.body)
        self.works()


def telling_razorpay(folder: Path) -> AbstractContextManager[Telling]:
    """Razorpay's emulator, and where it posts its webhooks to."""
    return telling(running_razorpay, folder, "razorpay", RAZORPAY_WEBHOOK)


def gateway_at(emulator: Sandbox, secret: str = RAZORPAY_SECRET) -> LoadedGateway:
    """The gateway; whoever makes it closes its connections."""
    config = GatewayConfig(
        "razorpay",
        "razorpay",
        emulator.url,
        secret,
        account=RAZORPAY_ACCOUNT,
        webhook_secrets=(RAZORPAY_WEBHOOK,),
        timeout_s=2.0,
        options={"key_id": RAZORPAY_KEY_ID, "absence_window_s": 0},
    )
    return LoadedGateway(RazorpayAdapter(config))
