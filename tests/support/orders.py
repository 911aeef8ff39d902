"""Captures and refunds in tests: order them as the API does, and read what is stored of them."""

from __future__ import annotations

from typing import Any

from aegis_worker.audit.batches import check_payments
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.replay import differences
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.intake import OrderCommand, Ordered, order
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.mapping import payments_now
from support.payments import accept_one, events_of, pipeline, rows, run_until_quiet

CAPTURE, VOID, REFUND = EntityKind


def held(database: Database, gateway: PaymentGateway, key: str = "key-1") -> str:
    """A payment of 19.99 USD whose funds are held at the gateway."""
    payment_id = accept_one(database, key, capture_method="manual").payment.id
    run_until_quiet(pipeline(database, gateway))
    return payment_id


def ordering(
    database: Database,
    gateway: PaymentGateway,
    payment_id: str,
    kind: EntityKind,
    minor: int | None = None,
    key: str = "order-1",
    *,
    final: bool | None = None,
    forced: bool = False,
    hmac: bytes = b"r" * 32,
) -> Ordered:
    command = OrderCommand(kind, Owner("m_1", "test"), payment_id, key, hmac, minor, final, forced)
    return order(database, command, {gateway.config.name: gateway.capabilities}.get)


def payment_now(database: Database, payment_id: str) -> Payment:
    with database.read() as connection:
        return payments_now(connection, [payment_id])[payment_id]


def amounts(database: Database, payment_id: str) -> dict[str, int]:
    """The amounts that are not 0, by their names in the API."""
    payment = payment_now(database, payment_id)
    names = ("authorized", "captured", "refunded", "capturing", "refunding", "capturable", "refundable")
    all_of_them = {name: getattr(payment, f"{name}_minor") for name in names}
    return {name: minor for name, minor in all_of_them.items() if minor}


def entity(database: Database, entity_id: str) -> dict[str, Any]:
    table = {"cap": "captures", "voi": "voids", "ref": "refunds"}[entity_id[:3]]
    (row,) = rows(database, f"SELECT * FROM {table} WHERE id = '{entity_id}'")
    return row


def row_is_fold(database: Database, payment_id: str) -> bool:
    """Whether folding the events gives the row, and the audit finds nothing wrong with the payment."""
    with database.read() as connection:
        page = check_payments(connection, bounds=Bounds())
    assert [finding for finding in page.violations if finding.payment_id == payment_id] == []
    return differences(payment_now(database, payment_id), events_of(database, payment_id)) == {}
