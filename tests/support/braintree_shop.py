"""A shop that takes payments by Braintree's emulator. Its webhooks come in when the test says so."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.braintree.adapter import BraintreeAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.persistence.database import Database
from support.braintree_process import (
    BRAINTREE_MERCHANT,
    BRAINTREE_PRIVATE,
    BRAINTREE_PUBLIC,
    running_braintree,
    sdk,
    simulated,
)
from support.conformance import notification
from support.emulated_shop import EmulatedShop
from support.merchant_server import Received, Sink
from support.payments import payment_of
from support.sandbox_process import Sandbox
from support.telling import Telling, telling


class Shop(EmulatedShop):
    """A shop that takes payments by Braintree."""

    def pay(self, token: str = "tok_settles_60", key: str = "key-1", **terms: Any) -> str:
        """A payment that was accepted, and tried once. Its sale stays unsettled for a minute."""
        return self.by_card(token, key, **terms)

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
        of_kind = re.compile(rb"<kind>%b</kind>" % kind.encode())

        def fits(one: Received) -> bool:
            told = notification(one.body)
            return about in told and of_kind.search(told) is not None

        one = self.webhook(fits, lambda one: notification(one.body))
        self.takes_in(one.headers, one.body)
        self.works()

    def looks_again(self) -> None:
        """Whatever waits for its gateway is looked at, as the sweep has it done each hour."""
        due = "UPDATE refunds SET check_at = now() WHERE check_at IS NOT NULL"
        self.database.run(lambda connection: connection.exec_driver_sql(due))
        self.time_passes()


def telling_braintree(folder: Path) -> AbstractContextManager[Telling]:
    """Braintree's emulator, and where it posts its webhooks to."""
    return telling(running_braintree, folder, "braintree", BRAINTREE_PRIVATE)


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
