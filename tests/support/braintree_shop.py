"""A shop that takes payments by Braintree's emulator. Its webhooks come in when the test says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateways.braintree.adapter import BraintreeAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.hints import NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.run import run
from support.braintree_process import (
    BRAINTREE_MERCHANT,
    BRAINTREE_PRIVATE,
    BRAINTREE_PUBLIC,
    running_braintree,
    sdk,
    simulated,
)
from support.conformance import notification
from support.merchant_server import Sink, a_sink
from support.payments import A_RING, accept_one, let_pass, payment_of, pipeline
from support.sandbox_process import Sandbox, eventually


@dataclass
class Shop:
    """A shop that takes payments by Braintree: its gateway, and the webhooks that have come and wait to be let in."""

    database: Database
    emulator: Sandbox
    sink: Sink
    gateway: LoadedGateway

    def pay(self, token: str = "tok_settles_60", key: str = "key-1", **terms: Any) -> str:
        """A payment that was accepted, and tried once. Its sale stays unsettled for a minute."""
        method = {"type": "card", "token": token, "gateway": "braintree"}
        payment_id = accept_one(self.database, key, payment_method=method, **terms).payment.id
        run(pipeline(self.database, self.gateway), "payments")
        return payment_id

    def settles(self, payment_id: str) -> None:
        """The night has passed."""
        ref = payment_of(self.database, payment_id).gateway_ref
        assert simulated(self.sdk).settle_transaction(ref).is_success

    @property
    def sdk(self) -> Any:
        """The official SDK, at the emulator."""
        return sdk(self.emulator.url)

    def shown(self, payment_id: str) -> Any:
        """The payment's transaction, as Braintree shows it."""
        return self.sdk.transaction.find(payment_of(self.database, payment_id).gateway_ref)

    def hears(self, payment_id: str, kind: str, ref: str | None = None) -> None:
        """Braintree tells of this, of the payment's sale or of the transaction `ref`, a worker follows it, and what that
        leads to is done.
        """
        about = b"<id>%b</id>" % str(ref or payment_of(self.database, payment_id).gateway_ref).encode()
        found: list[Any] = []

        def is_there() -> bool:
            told = [(one, notification(one.body)) for one in self.sink.at("/braintree")]
            of_kind = re.compile(rb"<kind>%b</kind>" % kind.encode())
            found[:] = [one for one, xml in told if about in xml and of_kind.search(xml)]
            return bool(found)

        assert eventually(is_there)
        receive(self.database, A_RING, NoHints(), self.gateway, dict(found[-1].headers), found[-1].body)
        follow(FollowParts(self.database, {"braintree": self.gateway}, NoHints()))
        self.works()

    def works(self) -> None:
        """Whatever is due is done."""
        for queue in ("verify", "payments", "verify"):
            run(pipeline(self.database, self.gateway), queue)

    def time_passes(self, seconds: float = 10) -> None:
        """Later."""
        let_pass(self.database, seconds)
        self.database.run(lambda connection: open_checks(connection, limit=10))
        self.works()

    def looks_again(self) -> None:
        """Whatever waits for its gateway is looked at, as the sweep has it done each hour."""
        due = "UPDATE refunds SET check_at = now() WHERE check_at IS NOT NULL"
        self.database.run(lambda connection: connection.exec_driver_sql(due))
        self.time_passes()

    def state(self, payment_id: str) -> State:
        """Of the payment."""
        return payment_of(self.database, payment_id).state

    def booked(self, payment_id: str) -> list[tuple[str, int, int]]:
        """What the gateway's own ledger says of it."""
        return [
            (row["status"], row["captured"], row["refunded"])
            for row in self.emulator.ledger()
            if row["merchant_payment_id"] == payment_id
        ]


@contextmanager
def telling_braintree(folder: Path) -> Iterator[tuple[Sandbox, Sink]]:
    """Braintree's emulator, and where it posts its webhooks to."""
    with a_sink() as sink:
        flags = ("--webhook-url", sink.url("/braintree"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        with running_braintree(folder, *flags, env={"SANDBOX_WEBHOOK_SECRET": BRAINTREE_PRIVATE}) as emulator:
            yield emulator, sink


def shop_at(database: Database, emulator: Sandbox, sink: Sink, **options: Any) -> Shop:
    """A shop with a gateway of its own; whoever makes it closes that."""
    config = GatewayConfig(
        "braintree",
        "braintree",
        emulator.url,
        BRAINTREE_PRIVATE,
        account=BRAINTREE_MERCHANT,
        webhook_secrets=(BRAINTREE_PRIVATE,),
        timeout_s=2.0,
        options={
            "public_key": BRAINTREE_PUBLIC,
            "merchant_accounts": {"USD": "emulated_usd"},
            "absence_window_s": 0,
            **options,
        },
    )
    return Shop(database, emulator, sink, LoadedGateway(BraintreeAdapter(config)))
