"""A shop that takes payments by Razorpay's emulator. Its webhooks come in when the test says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.razorpay.adapter import RazorpayAdapter
from aegis_worker.hints import NoHints
from aegis_worker.intake.confirm import ConfirmCommand, request_confirm
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.run import run
from support.merchant_server import Received, Sink, a_sink
from support.payments import A_RING, accept_one, action_kept, let_pass, payment_of, pipeline
from support.razorpay_process import (
    RAZORPAY_ACCOUNT,
    RAZORPAY_KEY_ID,
    RAZORPAY_SECRET,
    RAZORPAY_WEBHOOK,
    payer_pays,
    running_razorpay,
)
from support.sandbox_process import Sandbox, eventually

UPI = {"type": "upi"}


@dataclass
class Shop:
    """A shop that takes payments by Razorpay: its gateway, and the webhooks that have come and wait to be let in."""

    database: Database
    emulator: Sandbox
    sink: Sink
    gateway: LoadedGateway

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
        found: list[Received] = []

        def is_there() -> bool:
            found[:] = [
                one
                for one in self.sink.at("/razorpay")
                if named.encode() in one.body and json.loads(one.body)["event"] == event
            ]
            return bool(found)

        assert eventually(is_there), [json.loads(one.body)["event"] for one in self.sink.at("/razorpay")]
        return found[-1]

    def hears(self, named: str, event: str) -> None:
        """Razorpay tells of this, a worker follows it, and what that leads to is done."""
        one = self.told(named, event)
        receive(self.database, A_RING, NoHints(), self.gateway, dict(one.headers), one.body)
        follow(FollowParts(self.database, {"razorpay": self.gateway}, NoHints()))
        self.works()

    def works(self, gateway: LoadedGateway | None = None) -> None:
        """Whatever is due is done."""
        for queue in ("payments", "verify", "payments", "verify"):
            run(pipeline(self.database, gateway or self.gateway), queue)

    def time_passes(self, seconds: float = 10) -> None:
        let_pass(self.database, seconds)
        self.database.run(lambda connection: open_checks(connection, limit=10))
        self.works()

    def state(self, payment_id: str) -> State:
        return payment_of(self.database, payment_id).state

    def booked(self, payment_id: str) -> list[tuple[str, int, int]]:
        """Of each payment of the order: how it stands, what was taken and what was given back."""
        return [
            (row["status"], row["captured"], row["refunded"])
            for row in self.emulator.ledger()
            if row["merchant_payment_id"] == payment_id
        ]


@contextmanager
def telling_razorpay(folder: Path) -> Iterator[tuple[Sandbox, Sink]]:
    """Razorpay's emulator, and where it posts its webhooks to."""
    with a_sink() as sink:
        flags = ("--webhook-url", sink.url("/razorpay"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        env = {"SANDBOX_WEBHOOK_SECRET": RAZORPAY_WEBHOOK}
        with running_razorpay(folder, *flags, env=env) as emulator:
            yield emulator, sink


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
