"""A shop that takes payments by PayPal's emulator. Its webhooks come in when the test says so."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.money import Money
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateway_events.verify import VerifyParts, verify
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.paypal.adapter import PayPalAdapter
from aegis_worker.hints import NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.run import run
from support.merchant_server import Received, Sink, a_sink
from support.payers import request_to
from support.payments import A_RING, accept_one, action_kept, let_pass, payment_of, pipeline
from support.paypal_process import (
    PAYPAL_ACCOUNT,
    PAYPAL_CLIENT,
    PAYPAL_SECRET,
    PAYPAL_WEBHOOK,
    PayPalClient,
    payer_goes,
    root_of,
    running_paypal,
)
from support.sandbox_process import Sandbox, eventually

WALLET = {"type": "wallet", "provider": "paypal"}


@dataclass
class Shop:
    """A shop that takes payments by PayPal: its gateway, and the webhooks that have come and wait to be let in."""

    database: Database
    emulator: Sandbox
    sink: Sink
    gateway: LoadedGateway

    def pay(self, token: str = "tok_visa", key: str = "key-1", **terms: Any) -> str:
        """A payment by a saved card that was accepted, and tried once."""
        method = {"type": "card", "token": token, "gateway": "paypal"}
        return self.begin(key, payment_method=method, **terms)

    def pay_by_wallet(self, key: str = "key-1", minor: int = 1999, **terms: Any) -> str:
        """A payment that its payer has to approve."""
        return self.begin(key, amount=Money(minor, "USD"), payment_method=WALLET, **terms)

    def begin(self, key: str, **terms: Any) -> str:
        """A payment that was accepted, and tried once."""
        payment_id = accept_one(self.database, key, **terms).payment.id
        run(pipeline(self.database, self.gateway), "payments")
        return payment_id

    def approves(self, payment_id: str) -> None:
        """The payer clicks on PayPal's page, and does not come back to the shop."""
        action = action_kept(self.database, payment_id)
        assert action is not None
        # In the shop's page PayPal's library opens the same page.
        page = action.get("url") or f"{self.emulator.url}/checkoutnow?token={action['data']['order_id']}"
        assert payer_goes(page, "approve").status == 302

    def told(self, payment_id: str, event_type: str) -> Received:
        """The webhook with this event about the payment, once it is there."""
        found: list[Received] = []

        def is_there() -> bool:
            found[:] = [
                one
                for one in self.sink.at("/paypal")
                if payment_id.encode() in one.body and json.loads(one.body)["event_type"] == event_type
            ]
            return bool(found)

        assert eventually(is_there), [json.loads(one.body)["event_type"] for one in self.sink.at("/paypal")]
        return found[-1]

    def hears(self, payment_id: str, event_type: str) -> None:
        """PayPal tells of this, a worker verifies and follows it, and what that leads to is done."""
        one = self.told(payment_id, event_type)
        self.receives(one.headers, one.body)
        self.follows()
        self.works()

    def receives(self, headers: Any, body: bytes) -> None:
        """A webhook comes to the web process, which has no certificate."""
        web = LoadedGateway(PayPalAdapter(self.gateway.config))
        receive(self.database, A_RING, NoHints(), web, dict(headers), body)

    def follows(self) -> dict[str, int]:
        """A worker verifies what waits, and follows what was genuine; returns what became of the webhooks."""
        gateways = {"paypal": self.gateway}
        became = verify(VerifyParts(self.database, gateways, A_RING))
        follow(FollowParts(self.database, gateways, NoHints()))
        return became

    def works(self) -> None:
        """Whatever is due is done."""
        for queue in ("verify", "payments", "verify"):
            run(pipeline(self.database, self.gateway), queue)

    def time_passes(self, seconds: float = 10) -> None:
        let_pass(self.database, seconds)
        self.database.run(lambda connection: open_checks(connection, limit=10))
        self.works()

    def state(self, payment_id: str) -> State:
        return payment_of(self.database, payment_id).state

    def booked(self, payment_id: str) -> list[tuple[str, int, int]]:
        return [
            (row["status"], row["captured"], row["refunded"])
            for row in self.emulator.ledger()
            if row["merchant_payment_id"] == payment_id
        ]

    def order(self, payment_id: str) -> dict[str, Any]:
        """The payment's order, as PayPal shows it."""
        ref = payment_of(self.database, payment_id).gateway_ref
        shown: dict[str, Any] = PayPalClient(self.emulator.url).get(f"/v2/checkout/orders/{ref}").json
        return shown

    def signs(self, body: bytes, webhook_id: str = PAYPAL_WEBHOOK, **flags: str) -> dict[str, str]:
        """The headers with which PayPal would send a body."""
        more = "".join(f"&{name}={value}" for name, value in flags.items())
        query = f"webhook_id={quote(webhook_id)}&at={round(time.time())}{more}"
        netloc = self.emulator.url.partition("//")[2]
        headers: dict[str, str] = request_to(
            netloc, "POST", f"/_sandbox/webhook-signatures?{query}", body, {}
        ).json
        return headers


@contextmanager
def telling_paypal(folder: Path) -> Iterator[tuple[Sandbox, Sink, Path]]:
    """PayPal's emulator, where it posts its webhooks to, and who vouches for them."""
    with a_sink() as sink:
        flags = ("--webhook-url", sink.url("/paypal"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        with running_paypal(folder, *flags, env={"SANDBOX_WEBHOOK_SECRET": PAYPAL_WEBHOOK}) as emulator:
            yield emulator, sink, root_of(folder)


def shop_at(
    database: Database,
    emulator: Sandbox,
    sink: Sink,
    root: Path,
    *,
    clock: Callable[[], float] = time.time,
    account: str = PAYPAL_ACCOUNT,
) -> Shop:
    """A shop with a gateway of its own; whoever makes it closes that."""
    config = GatewayConfig(
        "paypal",
        "paypal",
        emulator.url,
        PAYPAL_SECRET,
        account=account,
        webhook_secrets=(PAYPAL_WEBHOOK,),
        timeout_s=2.0,
        ca_bundle=root,
        options={"client_id": PAYPAL_CLIENT, "return_url": "https://shop.test/back", "absence_window_s": 0},
    )
    return Shop(database, emulator, sink, LoadedGateway(PayPalAdapter(config, clock)))
