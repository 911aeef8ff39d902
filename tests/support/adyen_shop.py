"""A shop that takes payments by Adyen's emulator. Its notifications come in when the test says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from Adyen.util import generate_notification_sig

from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.hints import NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.run import run
from aegis_worker.wiring.gateways import told_to
from support.adyen_process import ADYEN_ACCOUNT, ADYEN_KEY, ADYEN_SECRET, running_adyen
from support.merchant_server import Sink, a_sink
from support.payments import A_RING, accept_one, let_pass, payment_of, pipeline
from support.sandbox_process import Sandbox, eventually

Items = list[dict[str, Any]]


@dataclass
class Shop:
    """A shop that takes payments by Adyen: its gateway, and the notifications that have come and wait to be let in."""

    database: Database
    emulator: Sandbox
    sink: Sink
    gateway: LoadedGateway

    def pay(self, token: str = "tok_visa", key: str = "key-1", **terms: Any) -> str:
        """A payment that was accepted, and tried once."""
        method = {"type": "card", "token": token, "gateway": "adyen"}
        payment_id = accept_one(self.database, key, payment_method=method, **terms).payment.id
        run(pipeline(self.database, self.gateway), "payments")
        return payment_id

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
        receive(self.database, A_RING, NoHints(), self.gateway, {}, signed(items, secret, live))
        follow(FollowParts(self.database, {"adyen": self.gateway}, NoHints()))

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


@contextmanager
def notifying_adyen(folder: Path) -> Iterator[tuple[Sandbox, Sink]]:
    """Adyen's emulator, and where it posts its notifications to."""
    with a_sink() as sink:
        flags = ("--webhook-url", sink.url("/adyen"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        with running_adyen(folder, *flags, env={"SANDBOX_WEBHOOK_SECRET": ADYEN_SECRET}) as emulator:
            yield emulator, sink


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
