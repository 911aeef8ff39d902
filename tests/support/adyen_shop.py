"""A shop that takes payments by Adyen's emulator. Its notifications come in when the test says so."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from Adyen.util import generate_notification_sig

from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.persistence.database import Database
from aegis_worker.wiring.gateways import told_to
from support.adyen_process import ADYEN_ACCOUNT, ADYEN_KEY, ADYEN_SECRET, running_adyen
from support.emulated_shop import EmulatedShop
from support.merchant_server import Sink
from support.sandbox_process import Sandbox, eventually
from support.telling import Telling, telling

Items = list[dict[str, Any]]


class Shop(EmulatedShop):
    """A shop that takes payments by Adyen."""

    def pay(self, token: str = "tok_visa", key: str = "key-1", **terms: Any) -> str:
        """A payment that was accepted, and tried once."""
        return self.by_card(token, key, **terms)

    def items(self, payment_id: str) -> Items:
        """What Adyen has told of the payment, without its signature."""
        wrapped = [
            one["NotificationRequestItem"]
            for request in self.sink.at("/adyen")
            for one in json.loads(request.body)["notificationItems"]
        ]
        psp = {one["pspReference"] for one in wrapped if payment_id in one["merchantReference"]}
        of_it = [
            one
            for one in wrapped
            if payment_id in one["merchantReference"] or one.get("originalReference") in psp
        ]
        return [{name: value for name, value in one.items() if name != "additionalData"} for one in of_it]

    def hears(self, payment_id: str, code: str) -> None:
        """Adyen tells of this, and everything that it has told comes in."""

        def is_told() -> bool:
            return code in [one["eventCode"] for one in self.items(payment_id)]

        assert eventually(is_told), self.items(payment_id)
        self.takes(*self.items(payment_id))

    def takes(self, *items: dict[str, Any], secret: str = ADYEN_SECRET, live: str = "false") -> None:
        """A notification with these items comes in, is followed, and what that leads to is done."""
        self.hears_only(*items, secret=secret, live=live)
        self.works()

    def hears_only(self, *items: dict[str, Any], secret: str = ADYEN_SECRET, live: str = "false") -> None:
        """A notification with these items comes in and is followed."""
        self.takes_in({}, signed(items, secret, live))


def signed(items: tuple[dict[str, Any], ...], secret: str, live: str) -> bytes:
    wrapped = [
        {
            "NotificationRequestItem": {
                **one,
                "additionalData": {"hmacSignature": generate_notification_sig(one, secret).decode()},
            }
        }
        for one in items
    ]
    return json.dumps({"live": live, "notificationItems": wrapped}).encode()


def authorisation(payment_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "amount": {"value": 1999, "currency": "USD"},
        "eventCode": "AUTHORISATION",
        "eventDate": "2026-11-27T10:00:00+01:00",
        "merchantAccountCode": ADYEN_ACCOUNT,
        "merchantReference": f"{payment_id}-p1",
        "pspReference": "JLCMPCQ8HXSKGK82",
        "success": "true",
        **fields,
    }


def notifying_adyen(folder: Path) -> AbstractContextManager[Telling]:
    """Adyen's emulator, and where it posts its notifications to."""
    return telling(running_adyen, folder, "adyen", ADYEN_SECRET)


def shop_at(database: Database, emulator: Sandbox, sink: Sink, *, timeout_s: float = 2.0) -> Shop:
    """A shop with a gateway of its own; whoever makes it closes that."""
    config = GatewayConfig(
        "adyen",
        "adyen",
        emulator.url,
        ADYEN_KEY,
        account=ADYEN_ACCOUNT,
        webhook_secrets=(ADYEN_SECRET,),
        timeout_s=timeout_s,
        options={"return_url": "https://shop.test/back"},
    )
    gateway = LoadedGateway(AdyenAdapter(config), read_told=told_to(database, config))
    return Shop(database, emulator, sink, gateway)
