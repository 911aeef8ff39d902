"""What a gateway has told by itself: its webhooks, as they arrived at the shop and as the product reads them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import (
    NotSent,
    Unknown,
)
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.base import GatewayEvent
from aegis_worker.gateways.kit.flows import Recall

from .emulator import RunningEmulator, eventually
from .shop import Shop
from .subject import Paid, Signed, Subject


class News:
    """The webhooks of one gateway. Its till puts `gateway` there, by which they are verified."""

    gateway: LoadedGateway

    def __init__(self, subject: Subject, emulator: RunningEmulator, shop: Shop) -> None:
        self.subject, self.emulator, self.shop = subject, emulator, shop

    def heard(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """What a webhook says that comes now. Raises InvalidWebhook."""
        return verified(self.gateway, headers, body)

    def of(self, recall: Recall) -> list[Told]:
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

    def wait_for_more(self, dispute_ref: str, known: int) -> None:
        """Wait until the gateway has told more of the dispute than is known."""
        recall = Recall(dispute_ref=dispute_ref)
        assert eventually(lambda: len(self.of(recall)) > known)


def verified(gateway: LoadedGateway, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
    """The events of a webhook that comes now. Raises InvalidWebhook."""
    events = gateway.verify_webhook(headers, body, datetime.now(UTC))
    assert not isinstance(events, NotSent | Unknown), events
    return events
