"""Take a gateway's webhook: check it, keep its events and its body, and leave the rest to a worker.

One that is signed with a certificate which this process does not have is kept as it came, and counts for nothing before a
worker has verified it (`unverified`).

Gateways wait a few seconds for an answer, and switch off who is slow. So nothing here waits for a payment's rows or for a
gateway: there is one statement, which writes only to the tables of events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.card_pointers import may_hold_one
from aegis_worker.domain.gateway_events import NewEvent
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.base import GatewayEvent, PaymentGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.discretion import discreet_event
from aegis_worker.gateways.kit.certificates import CertificateNeeded
from aegis_worker.hints import Notifier
from aegis_worker.observability.redaction import without_cards
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.ring import KeyRing

from .unverified import hold

_LONGEST_TEXT = 255


def receive(
    database: Database,
    ring: KeyRing,
    hints: Notifier,
    gateway: PaymentGateway,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    """Check the events, and keep each that is new.

    Raises InvalidWebhook for a forged, old or unusable body, of which nothing is kept, TooBusy where too many wait to be
    verified, and DatabaseUnavailable.
    """
    try:
        events = gateway.parse_webhook(headers, body)
    except CertificateNeeded as needed:
        hold(database, ring, gateway.config.name, needed.headers, body)
        hints.notify("gateway_events")
        return
    is_new = database.run(keeping(gateway, ring, events, body)) if events else False
    if is_new:
        crash_point("gateway_event.committed")
        hints.notify("gateway_events")


def keeping(
    gateway: PaymentGateway, ring: KeyRing, events: Sequence[GatewayEvent], body: bytes
) -> Callable[[Connection], bool]:
    """What keeps verified events, in one statement. Raises InvalidWebhook for one that can't be kept."""
    for event in events:
        _check(event)
    config = gateway.config
    return partial(
        gateway_event_rows.keep,
        ring=ring,
        gateway=config.name,
        account=config.account,
        events=[_new(config, discreet_event(event)) for event in events],
        body=_discreet_body(body),
        are_evidence=gateway.capabilities.tells_by_events_alone,
    )


def _check(event: GatewayEvent) -> None:
    texts = (
        event.event_id,
        event.kind,
        event.reference or "",
        event.gateway_ref or "",
        event.dispute_ref or "",
    )
    if not event.event_id or not all(_can_be_kept(text) for text in texts):
        raise InvalidWebhook("an event whose id, kind or reference can't be kept")


def _can_be_kept(text: object) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST_TEXT and text.isprintable()


def _new(config: GatewayConfig, event: GatewayEvent) -> NewEvent:
    stranger = _stranger(config, event)
    return NewEvent(
        event_id=event.event_id,
        kind=event.kind,
        reference=event.reference,
        gateway_ref=event.gateway_ref,
        amount=event.amount,
        status="waiting" if stranger is None else "foreign",
        reason=stranger,
        dispute_ref=event.dispute_ref,
    )


def _stranger(config: GatewayConfig, event: GatewayEvent) -> str | None:
    """Why the event is about nothing that we do with this gateway's table. Its secret may be shared by accounts."""
    if event.mode not in (None, config.mode):
        return f"it is of the mode {event.mode}, and the gateway's table is for {config.mode}"
    if None not in (event.account, config.account) and event.account != config.account:
        return "it is of another account than the gateway's table"
    return None


def _discreet_body(body: bytes) -> bytes:
    """The body as it came; where it may hold card data, with that hidden."""
    return without_cards(body.decode(errors="replace")).encode() if may_hold_one(body) else body
