"""A shop that takes payments by PayPal's emulator. Its webhooks come in when the test says so."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.money import Money
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateway_events.verify import VerifyParts, verify
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.paypal.adapter import PayPalAdapter
from aegis_worker.hints import NoHints
from aegis_worker.persistence.database import Database
from support.emulated_shop import EmulatedShop
from support.merchant_server import Received, Sink
from support.payers import request_to
from support.payments import A_RING, action_kept, payment_of
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
from support.sandbox_process import Sandbox
from support.telling import telling

WALLET = {"type": "wallet", "provider": "paypal"}


class Shop(EmulatedShop):
    """A shop that takes payments by PayPal."""

    def pay(self, token: str = "tok_visa", key: str = "key-1", **terms: Any) -> str:
        """A payment by a saved card that was accepted, and tried once."""
        return self.by_card(token, key, **terms)

    def pay_by_wallet(self, key: str = "key-1", minor: int = 1999, **terms: Any) -> str:
        """A payment that its payer has to approve."""
        return self.begin(key, amount=Money(minor, "USD"), payment_method=WALLET, **terms)

    def approves(self, payment_id: str) -> None:
        """The payer clicks on PayPal's page, and does not come back to the shop."""
        action = action_kept(self.database, payment_id)
        assert action is not None
        # In the shop's page PayPal's library opens the same page.
        page = action.get("url") or f"{self.emulator.url}/checkoutnow?token={action['data']['order_id']}"
        assert payer_goes(page, "approve").status == 302

    def told(self, payment_id: str, event_type: str) -> Received:
        """The webhook with this event about the payment, once it is there."""

        def event_of(one: Received) -> Any:
            return json.loads(one.body)["event_type"]

        return self.webhook(
            lambda one: payment_id.encode() in one.body and event_of(one) == event_type, event_of
        )

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
    with telling(running_paypal, folder, "paypal", PAYPAL_WEBHOOK) as (emulator, sink):
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
