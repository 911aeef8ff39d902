"""Webhooks that gateways send us. An event is a hint and never a fact: we ask the gateway, and its answer counts.

So an event that is late, early, repeated or out of order does no harm. An event about a payment that is not ours, or that
we sent to another gateway, is kept and acknowledged like any other, because the gateway would repeat a refused one for
days. But we ask nothing because of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.money import Money
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.base import GatewayEvent, PaymentGateway
from aegis_worker.gateways.discretion import discreet_event
from aegis_worker.hints import Notifier
from aegis_worker.persistence.asking import ask_now, recheck_now
from aegis_worker.persistence.database import Database

_LONGEST_TEXT = 255

# If our attempt ended in one of these, we know the end already. Then we ask nothing, unless the event shows other money.
_ENDS = frozenset({"APPROVED", "DECLINED"})
_NO_NEWS: dict[str, frozenset[str]] = {
    "payment.created": _ENDS,
    "payment.requires_action": _ENDS,
    "payment.authenticated": _ENDS,
    "payment.pending": _ENDS,
    "payment.authorized": frozenset({"APPROVED"}),
    "payment.succeeded": frozenset({"APPROVED"}),
    "payment.failed": frozenset({"DECLINED"}),
}

_KEEP = """
WITH kept AS (
    INSERT INTO gateway_events (gateway, provider_event_id, kind, reference, payment_id)
    SELECT %(gateway)s, %(event_id)s, %(kind)s, %(reference)s,
        (SELECT id FROM payments WHERE id = %(payment_id)s)
    ON CONFLICT DO NOTHING
    RETURNING payment_id
)
SELECT p.id, p.state, p.amount_minor, p.currency, charge.status AS charge
FROM kept k JOIN payments p ON p.id = k.payment_id LEFT JOIN attempts charge
    ON charge.payment_id = p.id AND charge.number = %(number)s AND charge.operation = 'process'
WHERE EXISTS (SELECT FROM attempts a
    WHERE a.payment_id = p.id AND a.number = %(number)s AND a.gateway = %(gateway)s)
    OR NOT EXISTS (SELECT FROM attempts a WHERE a.payment_id = p.id)
"""


def receive(
    database: Database, hints: Notifier, gateway: PaymentGateway, headers: Mapping[str, str], body: bytes
) -> None:
    """Check the events, keep each once, and have the gateway asked about its payment if one may tell us something new.

    Raises InvalidWebhook for a forged, old or unusable event, DatabaseUnavailable when nothing was kept.
    """
    events = gateway.parse_webhook(headers, body)
    for event in events:
        _check(event)
    discreet = [discreet_event(event) for event in events]
    name = gateway.config.name
    if database.run(lambda connection: sum(_keep(connection, name, event) for event in discreet)):
        crash_point("gateway_event.committed")
        hints.notify("verify")


def _check(event: GatewayEvent) -> None:
    texts = (event.event_id, event.kind, event.reference or "")
    if not event.event_id or not all(_can_be_kept(text) for text in texts):
        raise InvalidWebhook("an event whose id, kind or reference can't be kept")


def _can_be_kept(text: object) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST_TEXT and text.isprintable()


def _is_known(row: Row[Any], event: GatewayEvent) -> bool:
    is_its_money = event.amount in (None, Money(row.amount_minor, row.currency))
    return is_its_money and row.charge in _NO_NEWS.get(event.kind, ())


def _keep(connection: Connection, gateway: str, event: GatewayEvent) -> bool:
    """Keep the event. Returns whether the gateway will be asked because of it."""
    payment_id, number = parse_gateway_key(event.reference or "") or (None, None)
    names = {"gateway": gateway, "event_id": event.event_id, "kind": event.kind, "reference": event.reference}
    row = connection.exec_driver_sql(
        _KEEP, names | {"payment_id": payment_id, "number": number}
    ).one_or_none()
    if row is None or payment_id is None or number is None or _is_known(row, event):
        return False
    if row.state in (State.INITIATED, State.REQUIRES_ACTION, State.AUTHENTICATED, State.PROCESSING):
        # The payment's job asks only about the charge that it works on. A charge that was given up needs a recheck.
        recheck_now(connection, [(payment_id, number)])
    ask_now(connection, payment_id)
    crash_point("gateway_event.written")
    return True
