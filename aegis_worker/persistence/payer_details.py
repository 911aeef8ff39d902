"""Erasing what is known of payers (`payer_details`). It is written with their payments, and read by workers' claims."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from aegis_worker.domain.modes import Owner

# What `customer` says of the person; its id and country are no more than payments and routing go by.
_PERSONAL = "ARRAY['email', 'name']"

_PAYMENTS = "p.merchant_id = %(merchant_id)s AND p.mode = %(mode)s AND p.customer_id = %(customer_id)s"

_ERASE = f"""
DELETE FROM payer_details d USING (
    SELECT d.payment_id FROM payments p JOIN payer_details d ON d.payment_id = p.id
    WHERE {_PAYMENTS} LIMIT %(limit)s FOR UPDATE OF d
) theirs
WHERE d.payment_id = theirs.payment_id
"""

_FORGET = f"""
UPDATE payments SET customer = customer - {_PERSONAL} FROM (
    SELECT p.id FROM payments p WHERE {_PAYMENTS} AND p.customer ?| {_PERSONAL} LIMIT %(limit)s FOR UPDATE OF p
) theirs
WHERE payments.id = theirs.id
"""


# What gateways wrote of these payments, as it came. An event that is still to be followed needs its body.
_FORGET_EVENTS = f"""
DELETE FROM gateway_event_bodies b USING (
    SELECT DISTINCT e.body_id FROM payments p
    JOIN gateway_events e ON e.payment_id = p.id
    JOIN gateway_event_bodies kept ON kept.id = e.body_id
    WHERE {_PAYMENTS} AND e.status NOT IN ('waiting', 'unmatched') LIMIT %(limit)s
) theirs
WHERE b.id = theirs.body_id
"""

_FORGET_EXCHANGES = f"""
DELETE FROM exchanges x USING (
    SELECT e.payment_id, e.id FROM payments p JOIN exchanges e ON e.payment_id = p.id
    WHERE {_PAYMENTS} LIMIT %(limit)s FOR UPDATE OF e
) theirs
WHERE x.payment_id = theirs.payment_id AND x.id = theirs.id
"""


class Erased(NamedTuple):
    """How many rows were deleted from `payer_details`, of how many payments the customer's name or e-mail address, how many
    bodies of gateways' events, and how many exchanges with gateways.
    """

    payer_details: int
    customers: int
    event_bodies: int
    exchanges: int


def erase_some(connection: Connection, owner: Owner, customer_id: str, *, limit: int) -> Erased:
    """Erase what is known of the payers of a customer's payments, of each at most `limit` rows."""
    names = {**owner._asdict(), "customer_id": customer_id, "limit": limit}
    return Erased(
        *(
            connection.exec_driver_sql(sql, names).rowcount
            for sql in (_ERASE, _FORGET, _FORGET_EVENTS, _FORGET_EXCHANGES)
        )
    )
