"""What a merchant hears of one gateway: its webhooks, and how the disputes stand that they tell of."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Note, Noted
from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import Lookup, NotFound, NotSent, Outcome, Unknown, UnknownKind
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.opening import Opener
from aegis_worker.gateways.base import GatewayEvent, PaymentGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Recall
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest

from .emulator import RunningEmulator, eventually
from .numbered import Drawer
from .shop import Shop
from .subject import Paid, Signed, Subject


class Hearing:
    """One gateway behind the engine, and what it has told the merchant's shop."""

    def __init__(self, subject: Subject, emulator: RunningEmulator, shop: Shop, **config: Any) -> None:
        self.subject, self.emulator, self.shop = subject, emulator, shop
        self.adapter = subject.adapter(self.config(**config))
        self.drawer = Drawer()
        self.gateway = LoadedGateway(self.adapter, read_told=self._read_told, opener=Opener(self.drawer))
        self.noted: list[Noted] = []

    def config(self, **changes: Any) -> GatewayConfig:
        """The gateway's table."""
        return self.subject.config(self.emulator.url, **self.subject.vouched(self.emulator), **changes)

    def heard(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """What a webhook says that comes now. Raises InvalidWebhook."""
        return verified(self.gateway, headers, body)

    @property
    def can_be_asked(self) -> bool:
        """Whether the gateway has look-ups. What one without has told by itself is read in their place."""
        return bool(self.gateway.capabilities.look_ups)

    def _read_told(self, recall: Recall) -> list[Told]:
        """What has arrived of the payment, or of the dispute."""
        arrived = [
            event
            for one in self.shop.at(f"/{self.subject.name}")
            for event in self.heard(one.headers, one.body)
        ]
        if recall.dispute_ref is not None:
            found = [event for event in arrived if event.dispute_ref == recall.dispute_ref]
        else:
            ours = parse_gateway_key(recall.reference or "")
            places = [parse_gateway_key(event.reference or "") for event in arrived]
            refs = {
                event.gateway_ref
                for event, place in zip(arrived, places, strict=True)
                if place is not None and ours is not None and place[0] == ours[0]
            }
            found = [event for event in arrived if event.gateway_ref in refs]
        return [
            Told(event.event_id, event.kind, event.reference, event.gateway_ref, event.amount)
            for event in found
        ]

    def ask_dispute(self, dispute_ref: str, charge_ref: str) -> DisputeLookup:
        """How a dispute stands, as the product asks."""
        return self.gateway.ask_dispute_and_wait(DisputeQuery(dispute_ref, charge_ref))

    def dispute_by_hand(self, paid: Paid, minor: int) -> str:
        """The payer disputes a part; the gateway's id of the dispute."""
        body = {"payment_id": paid.charge, "amount": minor}
        dispute_ref = str(self.emulator.post("/_sandbox/disputes", body).json["id"])
        self._wait_for_news(dispute_ref, 0)
        return dispute_ref

    def advance(self, dispute_ref: str, status: str) -> None:
        """The dispute goes on at the gateway."""
        known = len(self._read_told(Recall(dispute_ref=dispute_ref)))
        answer = self.emulator.post("/_sandbox/disputes", {"id": dispute_ref, "status": status})
        assert answer.status == 200, answer.body
        self._wait_for_news(dispute_ref, known)

    def _wait_for_news(self, dispute_ref: str, known: int) -> None:
        """Of a gateway that can't be asked, until it has told more of the dispute than is known."""
        recall = Recall(dispute_ref=dispute_ref)
        assert self.can_be_asked or eventually(lambda: len(self._read_told(recall)) > known)

    def events(self, paid: Paid) -> list[tuple[Mapping[str, str], bytes]]:
        """Headers and body of each webhook about the charge, once there is one."""
        about = self.subject.told_of(paid).encode()

        def there() -> list[tuple[Mapping[str, str], bytes]]:
            arrived = self.shop.at(f"/{self.subject.name}")
            return [(one.headers, one.body) for one in arrived if about in self.subject.opened(one.body)]

        assert eventually(lambda: bool(there()))
        return there()

    def told(self, paid: Paid) -> list[GatewayEvent]:
        """What they say."""
        return [event for headers, body in self.events(paid) for event in self.heard(headers, body)]

    def signed(self, body: bytes, at_s: int, *secrets: str) -> Signed:
        """Headers and body of a webhook such as the gateway sends: one signature for each secret."""
        if self.subject.signed is not None:
            return self.subject.signed(self.emulator, body, at_s, secrets)
        message = b"%d." % at_s + body
        made = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
        header = ",".join([f"t={at_s}", *(f"v1={one}" for one in made)])
        return {self.subject.signature_header: header}, body


def sent(gateway: PaymentGateway, request: GatewayRequest, note: Note | None = None) -> Outcome:
    """What came of the request's operation. `note` is told of each exchange."""
    begin = partial(gateway.send, request, note=note)
    outcome: Outcome = wait_for(begin, gateway.config.slowest_call_s, STUCK)
    return outcome


def verified(gateway: LoadedGateway, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
    """The events of a webhook that comes now. Raises InvalidWebhook."""
    events = gateway.verify_webhook(headers, body, datetime.now(UTC))
    assert not isinstance(events, NotSent | Unknown), events
    return events


def is_heard_of(said: Lookup) -> bool:
    """Whether the gateway knows of it, or has told of it by itself."""
    is_untold = isinstance(said, Unknown) and said.kind is UnknownKind.NO_LOOK_UP
    return not (is_untold or isinstance(said, NotFound))
