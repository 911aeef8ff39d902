"""What gateways have told by themselves: events that are kept, read in place of a look-up (design D14)."""

from __future__ import annotations

from sqlalchemy import Connection

from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.money import Money

# An event is found by its payment, so that it counts only once it was matched with it, account and all.
_TOLD_OF_PAYMENT = """
SELECT provider_event_id, kind, reference, gateway_ref, amount_minor, currency FROM gateway_events
WHERE payment_id = %(of)s AND gateway = %(gateway)s AND account IS NOT DISTINCT FROM %(account)s
    AND status <> 'foreign'
ORDER BY received_at, provider_event_id
LIMIT %(limit)s
"""
_TOLD_OF_DISPUTE = """
SELECT provider_event_id, kind, reference, gateway_ref, amount_minor, currency FROM gateway_events
WHERE dispute_ref = %(of)s AND gateway = %(gateway)s AND account IS NOT DISTINCT FROM %(account)s
    AND status <> 'foreign'
ORDER BY received_at, provider_event_id
LIMIT %(limit)s
"""
# With hundreds of captures and refunds of one payment there are a few events of each.
_MOST_TOLD = 5_000


def told_of_payment(
    connection: Connection, *, gateway: str, account: str | None, payment_id: str
) -> list[Told]:
    """What a gateway's account has told of a payment, in the order in which it came."""
    return _told(connection, _TOLD_OF_PAYMENT, gateway, account, payment_id)


def told_of_dispute(
    connection: Connection, *, gateway: str, account: str | None, dispute_ref: str
) -> list[Told]:
    """What a gateway's account has told of a dispute, in the order in which it came."""
    return _told(connection, _TOLD_OF_DISPUTE, gateway, account, dispute_ref)


def _told(connection: Connection, statement: str, gateway: str, account: str | None, of: str) -> list[Told]:
    names = {"of": of, "gateway": gateway, "account": account, "limit": _MOST_TOLD}
    return [
        Told(
            row.provider_event_id,
            row.kind,
            row.reference,
            row.gateway_ref,
            None if row.amount_minor is None else Money(row.amount_minor, row.currency),
        )
        for row in connection.exec_driver_sql(statement, names)
    ]
