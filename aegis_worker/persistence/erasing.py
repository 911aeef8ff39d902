"""Erasing what is known of a customer's person from the rows of their payments. Events and amounts stay."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from aegis_worker.domain.modes import Owner

_PAYMENTS = "p.merchant_id = %(merchant_id)s AND p.mode = %(mode)s AND p.customer_id = %(customer_id)s"

# Of the customer the merchant's own id and the country stay, which events and routing go by; of the method its kind.
# What the merchant wrote freely may name the person too, and so may the address that the payer came back to.
_CUSTOMERS = f"""
UPDATE payments
SET customer = payments.customer - ARRAY['email', 'name'] || '{{"erased": true}}', payment_method = (
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(payments.payment_method)
        WHERE key IN ('type', 'network', 'provider')
    ), description = NULL, return_url = NULL, metadata = '{{}}', order_lines = NULL, mandate = NULL
FROM (
    SELECT p.id FROM payments p WHERE {_PAYMENTS} AND NOT p.customer ? 'erased' LIMIT %(limit)s FOR UPDATE OF p
) theirs
WHERE payments.id = theirs.id
"""

_PAYERS = f"""
DELETE FROM payer_details d USING (
    SELECT d.payment_id FROM payments p JOIN payer_details d ON d.payment_id = p.id
    WHERE {_PAYMENTS} LIMIT %(limit)s FOR UPDATE OF d
) theirs
WHERE d.payment_id = theirs.payment_id
"""

# What payers have to do, and what they brought back.
_ACTIONS = f"""
DELETE FROM action_secrets s USING (
    SELECT s.payment_id FROM payments p JOIN action_secrets s ON s.payment_id = p.id
    WHERE {_PAYMENTS} LIMIT %(limit)s FOR UPDATE OF s
) theirs
WHERE s.payment_id = theirs.payment_id
"""
_CONFIRMS = f"""
UPDATE confirms c SET sealed = NULL FROM (
    SELECT c.payment_id, c.number FROM payments p JOIN confirms c ON c.payment_id = p.id AND c.sealed IS NOT NULL
    WHERE {_PAYMENTS} LIMIT %(limit)s FOR UPDATE OF c
) theirs
WHERE c.payment_id = theirs.payment_id AND c.number = theirs.number
"""

# What gateways wrote of these payments, as it came. Following an event takes no more than its own row.
_EVENT_BODIES = f"""
DELETE FROM gateway_event_bodies b USING (
    SELECT DISTINCT e.body_id FROM payments p
    JOIN gateway_events e ON e.payment_id = p.id
    JOIN gateway_event_bodies kept ON kept.id = e.body_id
    WHERE {_PAYMENTS} LIMIT %(limit)s
) theirs
WHERE b.id = theirs.body_id
"""

_EXCHANGES = f"""
DELETE FROM exchanges x USING (
    SELECT e.payment_id, e.id FROM payments p JOIN exchanges e ON e.payment_id = p.id
    WHERE {_PAYMENTS} LIMIT %(limit)s FOR UPDATE OF e
) theirs
WHERE x.payment_id = theirs.payment_id AND x.id = theirs.id
"""

# An endpoint may have repeated in its answer what the merchant knows of the person: of an error the kind alone stays.
_ANSWERS = f"""
UPDATE webhook_deliveries d
SET log = (
    SELECT jsonb_agg(
        CASE WHEN entry ->> 'error' IS NULL THEN entry
            ELSE entry || jsonb_build_object('error', split_part(entry ->> 'error', ':', 1)) END ORDER BY place)
    FROM jsonb_array_elements(d.log) WITH ORDINALITY AS entries(entry, place)
)
FROM (
    SELECT w.payment_id, w.seq, w.endpoint_id FROM payments p JOIN webhook_deliveries w ON w.payment_id = p.id
    WHERE {_PAYMENTS} AND jsonb_path_exists(w.log, '$[*].error ? (@ like_regex ":")')
    LIMIT %(limit)s FOR UPDATE OF w
) theirs
WHERE d.payment_id = theirs.payment_id AND d.seq = theirs.seq AND d.endpoint_id = theirs.endpoint_id
"""

# Of what was held back for a person nothing was sent, and nothing may be any more: a worker ends it.
_HELD_BACK = f"""
UPDATE jobs j SET status = 'waiting', run_at = clock_timestamp(), review_kind = NULL, reason = 'the payer was erased',
    updated_at = clock_timestamp()
FROM (
    SELECT j.id FROM payments p JOIN jobs j ON j.payment_id = p.id
    WHERE {_PAYMENTS} AND p.frozen_at IS NULL AND j.in_review AND j.review_kind = 'fraud' LIMIT %(limit)s FOR UPDATE OF j
) theirs
WHERE j.id = theirs.id AND j.status = 'review'
"""

# Facts to search payments by; counts and sums stay. What is taken in anew is what the payments say by then.
_FACTS = """
UPDATE payment_facts f SET last4 = NULL, metadata = NULL FROM (
    SELECT payment_id FROM payment_facts
    WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND customer_id = %(customer_id)s
        AND (last4 IS NOT NULL OR metadata IS NOT NULL) LIMIT %(limit)s FOR UPDATE
) theirs
WHERE f.payment_id = theirs.payment_id
"""

_STATEMENTS: Mapping[str, str] = {
    "payments": _CUSTOMERS,
    "reviews": _HELD_BACK,
    "payer_details": _PAYERS,
    "actions": _ACTIONS,
    "confirms": _CONFIRMS,
    "event_bodies": _EVENT_BODIES,
    "exchanges": _EXCHANGES,
    "endpoint_answers": _ANSWERS,
    "facts": _FACTS,
}
KINDS = tuple(_STATEMENTS)
"""What is erased, in this order: first what could still be sent."""


def erase_some(connection: Connection, owner: Owner, customer_id: str, kind: str, *, limit: int) -> int:
    """Erase one of KINDS of a customer's payments, at most `limit` rows; how many were."""
    names = {**owner._asdict(), "customer_id": customer_id, "limit": limit}
    return connection.exec_driver_sql(_STATEMENTS[kind], names).rowcount
