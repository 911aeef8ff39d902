"""The card networks' ids of payments at which customers agreed to be charged without being there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.instruments import CustomersCard

# The agreement itself is worth more than a charge that refers to it, and a late one more than an early one. Of a customer's
# payments only the latest are looked at. Rows are compared, and not columns, so that the order is that of the index alone:
# with equal columns PostgreSQL may read all payments backwards by their ids. Ids go on with hexadecimal digits, which come
# before a g in every collation.
_AGREED = """
SELECT asked.place, agreed.network_transaction_id
FROM unnest(%(merchants)s::text[], %(modes)s::text[], %(customers)s::text[], %(fingerprints)s::text[])
    WITH ORDINALITY AS asked(merchant_id, mode, customer_id, fingerprint, place)
CROSS JOIN LATERAL (
    SELECT a.outcome ->> 'network_transaction_id' AS network_transaction_id
    FROM (
        SELECT id, mode, setup_future_usage, off_session, payment_method FROM payments
        WHERE (merchant_id, customer_id, id) >= (asked.merchant_id, asked.customer_id, '')
            AND (merchant_id, customer_id, id) < (asked.merchant_id, asked.customer_id, 'pay_g')
            AND customer_id IS NOT NULL
        ORDER BY merchant_id DESC, customer_id DESC, id DESC LIMIT %(most)s
    ) p JOIN attempts a ON a.payment_id = p.id
    WHERE p.mode = asked.mode AND p.payment_method ->> 'fingerprint' = asked.fingerprint
        AND (p.setup_future_usage = 'off_session' OR p.off_session)
        AND a.status = 'APPROVED' AND a.outcome ? 'network_transaction_id'
    ORDER BY coalesce(p.off_session, false), p.id DESC LIMIT 1
) agreed
"""
_MOST = 200


def agreed_under(connection: Connection, cards: Sequence[CustomersCard]) -> dict[CustomersCard, str]:
    """The network's id of the payment at which each customer agreed with this card; those without any are left out."""
    names: dict[str, Any] = {
        "merchants": [card.merchant_id for card in cards],
        "modes": [card.mode for card in cards],
        "customers": [card.customer_id for card in cards],
        "fingerprints": [card.fingerprint for card in cards],
        "most": _MOST,
    }
    rows = connection.exec_driver_sql(_AGREED, names)
    return {cards[row.place - 1]: row.network_transaction_id for row in rows}
