"""Purge: forget what is past its time, in batches, so that no statement holds many rows or takes long.

Payments, their events and their attempts are never purged.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.persistence.card_declines import KEEP_D
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.gateway_event_rows import KEPT_S
from aegis_worker.settings import Settings

# SKIP LOCKED lets two purges that run at once share the work.
_IDEMPOTENCY_KEYS = """
DELETE FROM idempotency_keys k USING (
    SELECT merchant_id, mode, route, key FROM idempotency_keys
    WHERE created_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE k.merchant_id = old.merchant_id AND k.mode = old.mode AND k.route = old.route AND k.key = old.key
"""

# `created_at` is the column with the index. `due_at` of an ended delivery is when it ended; a redelivery moves it on.
_WEBHOOK_DELIVERIES = """
DELETE FROM webhook_deliveries d USING (
    SELECT payment_id, seq, endpoint_id FROM webhook_deliveries
    WHERE status <> 'pending' AND status = %(status)s
        AND created_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
        AND due_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE d.payment_id = old.payment_id AND d.seq = old.seq AND d.endpoint_id = old.endpoint_id
"""

# Deliveries to disabled endpoints that nobody cancelled: those made at the very moment when the endpoint was disabled,
# and those that code older than migration 0008 marked as dead when it disabled the endpoint.
_LEFT_BEHIND = """
UPDATE webhook_deliveries d
SET status = 'cancelled', leased = false, lease_epoch = d.lease_epoch + 1, due_at = statement_timestamp()
FROM (
    (SELECT left_over.payment_id, left_over.seq, left_over.endpoint_id
    FROM webhook_endpoints w CROSS JOIN LATERAL (
        SELECT payment_id, seq, endpoint_id FROM webhook_deliveries
        WHERE endpoint_id = w.id AND status = 'pending' ORDER BY due_at LIMIT %(limit)s
    ) left_over
    WHERE w.disabled_at IS NOT NULL LIMIT %(limit)s)
    UNION ALL
    (SELECT g.payment_id, g.seq, g.endpoint_id
    FROM webhook_deliveries g JOIN webhook_endpoints w ON w.id = g.endpoint_id
    WHERE g.status = 'dead' AND w.disabled_at IS NOT NULL LIMIT %(limit)s)
) gone
WHERE d.payment_id = gone.payment_id AND d.seq = gone.seq AND d.endpoint_id = gone.endpoint_id
    AND d.status IN ('pending', 'dead')
"""

# Those that wait for a hook that is no longer installed are forgotten with the dead ones.
_HOOK_DELIVERIES = """
DELETE FROM hook_deliveries d USING (
    SELECT hook, point, payment_id, seq FROM hook_deliveries
    WHERE created_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE d.hook = old.hook AND d.point = old.point AND d.payment_id = old.payment_id AND d.seq = old.seq
"""

_GATEWAY_EVENTS = """
DELETE FROM gateway_events e USING (
    SELECT gateway, provider_event_id FROM gateway_events
    WHERE keep_until < statement_timestamp()
    ORDER BY keep_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE e.gateway = old.gateway AND e.provider_event_id = old.provider_event_id
"""

_GATEWAY_EVENT_BODIES = """
DELETE FROM gateway_event_bodies b USING (
    SELECT id FROM gateway_event_bodies
    WHERE received_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    ORDER BY received_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE b.id = old.id
"""

_UNVERIFIED_WEBHOOKS = """
DELETE FROM unverified_webhooks u USING (
    SELECT id FROM unverified_webhooks
    WHERE received_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE u.id = old.id
"""

# A payment that is charged later needs its payer then.
_PAYER_DETAILS = """
DELETE FROM payer_details d USING (
    SELECT payment_id FROM payer_details
    WHERE created_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
        AND NOT EXISTS (
            SELECT FROM payments p WHERE p.id = payer_details.payment_id
                AND p.scheduled_at >= statement_timestamp() - make_interval(secs => %(keep_s)s))
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE d.payment_id = old.payment_id
"""

# `at` is the column with the index.
_EXCHANGES = """
DELETE FROM exchanges x USING (
    SELECT payment_id, id FROM exchanges
    WHERE at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    ORDER BY at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE x.payment_id = old.payment_id AND x.id = old.id
"""

_CARD_DECLINES = """
DELETE FROM card_declines d USING (
    SELECT payment_id, number FROM card_declines
    WHERE at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    ORDER BY at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE d.payment_id = old.payment_id AND d.number = old.number
"""

# The trigger `payments_action_ended` removes these; this is for what it did not see.
_ACTION_SECRETS = """
DELETE FROM action_secrets s USING (
    SELECT s.payment_id FROM action_secrets s JOIN payments p ON p.id = s.payment_id
    WHERE p.state <> 'REQUIRES_ACTION' LIMIT %(limit)s FOR UPDATE OF s SKIP LOCKED
) old
WHERE s.payment_id = old.payment_id
"""

# Likewise.
_CONFIRMS = """
UPDATE confirms c SET sealed = NULL FROM (
    SELECT c.payment_id, c.number FROM confirms c JOIN payments p ON p.id = c.payment_id
    WHERE c.sealed IS NOT NULL AND p.state <> 'REQUIRES_ACTION' LIMIT %(limit)s FOR UPDATE OF c SKIP LOCKED
) old
WHERE c.payment_id = old.payment_id AND c.number = old.number
"""

# They hold from where people logged in; the audit log keeps that they did.
_SESSIONS = """
DELETE FROM console_sessions c USING (
    SELECT id FROM console_sessions
    WHERE ends_at < statement_timestamp() - make_interval(secs => %(keep_s)s)
    ORDER BY ends_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) old
WHERE c.id = old.id
"""
_SESSIONS_KEPT_D = 30

_HOUR_S, _DAY_S = 3600.0, 86_400.0


def purge(
    database: Database, settings: Settings, *, limit: int = 5000, budget_s: float = 30.0
) -> dict[str, int]:
    """Delete rows that are past their time, and cancel deliveries to disabled endpoints, `limit` rows a statement.

    Begins no batch after `budget_s`; the next run does the rest. Returns the number of rows of each kind.
    Raises DatabaseUnavailable.
    """
    delivered_s = settings.webhook_keep_delivered_d * _DAY_S
    dead_s = settings.webhook_keep_dead_d * _DAY_S
    # What may tell of a payer goes with what is known of the payer at the latest (design D17).
    bodies_s = min(KEPT_S, settings.payer_keep_d * _DAY_S)
    exchanges_s = min(settings.exchange_keep_d, settings.payer_keep_d) * _DAY_S
    rules: dict[str, tuple[str, dict[str, Any]]] = {
        "idempotency_keys": (_IDEMPOTENCY_KEYS, {"keep_s": settings.idempotency_keep_h * _HOUR_S}),
        "webhooks_delivered": (_WEBHOOK_DELIVERIES, {"keep_s": delivered_s, "status": "delivered"}),
        "webhooks_left_behind": (_LEFT_BEHIND, {}),
        "webhooks_dead": (_WEBHOOK_DELIVERIES, {"keep_s": dead_s, "status": "dead"}),
        "webhooks_cancelled": (_WEBHOOK_DELIVERIES, {"keep_s": dead_s, "status": "cancelled"}),
        "hook_deliveries": (_HOOK_DELIVERIES, {"keep_s": dead_s}),
        "gateway_events": (_GATEWAY_EVENTS, {}),
        "gateway_event_bodies": (_GATEWAY_EVENT_BODIES, {"keep_s": bodies_s}),
        # What can't be verified in a day is nobody's; its gateway is asked anyway.
        "unverified_webhooks": (_UNVERIFIED_WEBHOOKS, {"keep_s": _DAY_S}),
        "action_secrets": (_ACTION_SECRETS, {}),
        "confirms_erased": (_CONFIRMS, {}),
        "payer_details": (_PAYER_DETAILS, {"keep_s": settings.payer_keep_d * _DAY_S}),
        "exchanges": (_EXCHANGES, {"keep_s": exchanges_s}),
        "console_sessions": (_SESSIONS, {"keep_s": _SESSIONS_KEPT_D * _DAY_S}),
        "card_declines": (_CARD_DECLINES, {"keep_s": KEEP_D * _DAY_S}),
    }
    stop_at = time.monotonic() + budget_s
    purged = dict.fromkeys(rules, 0)
    for name, (statement, parameters) in rules.items():
        while time.monotonic() < stop_at:
            gone = database.run(
                partial(_delete, statement=statement, parameters={**parameters, "limit": limit})
            )
            purged[name] += gone
            crash_point("purge.deleted")
            if gone < limit:
                break
    return purged


def _delete(connection: Connection, statement: str, parameters: dict[str, Any]) -> int:
    return connection.exec_driver_sql(statement, parameters).rowcount
