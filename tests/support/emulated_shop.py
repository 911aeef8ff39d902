"""What shops share that take payments by a gateway's emulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.hints import NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.run import run
from support.merchant_server import Received, Sink
from support.payments import A_RING, accept_one, let_pass, payment_of, pipeline
from support.sandbox_process import Sandbox, eventually


@dataclass
class EmulatedShop:
    """A shop with one gateway, and the webhooks that have come and wait to be let in.

    `QUEUES`: which of them are emptied, one after the other, when whatever is due is done.
    """

    QUEUES: ClassVar[tuple[str, ...]] = ("verify", "payments", "verify")

    database: Database
    emulator: Sandbox
    sink: Sink
    gateway: LoadedGateway

    @property
    def name(self) -> str:
        """The gateway's."""
        return self.gateway.config.name

    def begin(self, key: str = "key-1", **terms: Any) -> str:
        """A payment that was accepted, and tried once."""
        payment_id = accept_one(self.database, key, **terms).payment.id
        run(pipeline(self.database, self.gateway), "payments")
        return payment_id

    def by_card(self, token: str, key: str, **terms: Any) -> str:
        """A payment by a token of the gateway's that was accepted, and tried once."""
        method = {"type": "card", "token": token, "gateway": self.name}
        return self.begin(key, payment_method=method, **terms)

    def webhook(self, fits: Callable[[Received], bool], shown: Callable[[Received], object]) -> Received:
        """The last webhook that fits, once there is one; `shown`: what is said of those that came."""
        found: list[Received] = []

        def is_there() -> bool:
            found[:] = [one for one in self.sink.at(f"/{self.name}") if fits(one)]
            return bool(found)

        assert eventually(is_there), [shown(one) for one in self.sink.at(f"/{self.name}")]
        return found[-1]

    def takes_in(self, headers: Mapping[str, str], body: bytes) -> None:
        """A webhook comes in and is followed."""
        receive(self.database, A_RING, NoHints(), self.gateway, dict(headers), body)
        follow(FollowParts(self.database, {self.name: self.gateway}, NoHints()))

    def works(self, gateway: LoadedGateway | None = None) -> None:
        """Whatever is due is done."""
        for queue in self.QUEUES:
            run(pipeline(self.database, gateway or self.gateway), queue)

    def time_passes(self, seconds: float = 10) -> None:
        """Later."""
        let_pass(self.database, seconds)
        self.database.run(lambda connection: open_checks(connection, limit=10))
        self.works()

    def state(self, payment_id: str) -> State:
        """Of the payment."""
        return payment_of(self.database, payment_id).state

    def booked(self, payment_id: str) -> list[tuple[str, int, int]]:
        """Of each of the gateway's own payments: how it stands, what was taken and what was given back."""
        return [
            (row["status"], row["captured"], row["refunded"])
            for row in self.emulator.ledger()
            if row["merchant_payment_id"] == payment_id
        ]
