"""A batch of payments with everything that is recorded of them, read in one statement and so as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from aegis_worker.clock import clock_s
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.payment import Event, Payment
from aegis_worker.domain.transitions import EventType
from aegis_worker.persistence.attempt_rows import ATTEMPTS_AS_JSON, attempt_from_row
from aegis_worker.persistence.mapping import payment_from_row

from .violations import Bounds

# The key of a payment is inserted by the statement that inserts the payment, so it is younger, by less than a statement
# may take (AEGIS_STATEMENT_TIMEOUT_S is 10 s). Keys have no index by payment: this finds them by age.
KEY_WITHIN_S = 15
# An endpoint may miss events that were told while the transaction that made it was open. PostgreSQL ends our sessions
# after 30 s without a statement, so no transaction stays open for much longer.
_ENDPOINT_VISIBLE_S = 30
ACCEPTING = "POST /v1/payments"

# A delivery is out of order if it was delivered while an earlier event was not. Three kinds of earlier delivery prove
# nothing and are left out: one that was asked for again (its log is longer than its tries), one that was made later (a
# redelivery to a new endpoint), and one that lost a claim (more claims than tries), because its worker may have posted
# it.
_SUBJECTS = f"""
WITH batch AS MATERIALIZED (
    SELECT * FROM payments
    WHERE id > %(after)s AND (%(upto)s::text IS NULL OR id <= %(upto)s)
        AND (%(only)s::text[] IS NULL OR id = ANY (%(only)s))
    ORDER BY id LIMIT %(limit)s
), keys AS (
    SELECT k.payment_id, json_agg(json_build_object('merchant_id', k.merchant_id, 'key', k.key)) AS keys
    FROM idempotency_keys k JOIN batch b ON b.id = k.payment_id
    WHERE k.route = %(accepting)s AND k.created_at >= (SELECT min(created_at) FROM batch)
        AND k.created_at <= (SELECT max(created_at) FROM batch) + make_interval(secs => %(key_within_s)s)
    GROUP BY k.payment_id
)
SELECT p.*,
    extract(epoch FROM statement_timestamp() - p.updated_at)::float8 AS rested_s,
    extract(epoch FROM statement_timestamp() - (p.next_action->>'expires_at')::timestamptz)::float8 AS action_over_s,
    extract(epoch FROM statement_timestamp() - p.capture_before)::float8 AS hold_over_s,
    history.told, history.last_seq, coalesce(history.late_charge_told, false) AS late_charge_told,
    (
        SELECT json_agg(json_build_object('seq', e.seq, 'type', e.type, 'data', e.data) ORDER BY e.seq)
        FROM payment_events e WHERE e.payment_id = p.id AND e.seq > CASE WHEN %(whole)s THEN 0 ELSE snapshot.seq END
    ) AS events,
    CASE WHEN %(whole)s THEN 0 ELSE snapshot.seq END AS folds_from,
    (
        SELECT json_agg(json_build_object('seq', s.seq, 'state', s.state) ORDER BY s.seq)
        FROM payment_snapshots s WHERE s.payment_id = p.id
    ) AS snapshots,
    (
        SELECT json_agg(json_build_object(
            'id', j.id, 'operation', j.operation, 'queue', j.queue, 'status', j.status, 'reason', j.reason,
            'overdue_s', extract(epoch FROM statement_timestamp() - CASE
                WHEN j.status = 'running' THEN j.lease_until
                WHEN j.status IN ('queued', 'waiting') THEN j.run_at END)::float8
        ) ORDER BY j.id)
        FROM jobs j WHERE j.payment_id = p.id
    ) AS jobs,
    ({ATTEMPTS_AS_JSON.format(payment_id="p.id")}) AS attempts,
    (
        SELECT json_agg(json_build_object('id', e.id, 'amount_minor', e.amount_minor, 'status', e.status) ORDER BY e.id)
        FROM (
            SELECT id, amount_minor, status FROM captures WHERE payment_id = p.id
            UNION ALL SELECT id, amount_minor, status FROM refunds WHERE payment_id = p.id
        ) e
    ) AS entities,
    (
        SELECT json_agg(json_build_object(
            'id', d.id, 'status', d.status, 'amount_minor', d.amount_minor, 'dispute_currency', d.currency,
            'own_charge', d.own_charge) ORDER BY d.id)
        FROM disputes d WHERE d.payment_id = p.id
    ) AS disputes,
    (
        SELECT json_agg(json_build_object(
            'seq', o.seq, 'leased', o.leased, 'tries', o.tries, 'last_error', o.last_error,
            'age_s', extract(epoch FROM statement_timestamp() - o.created_at)::float8
        ) ORDER BY o.seq)
        FROM outbox o WHERE o.payment_id = p.id
    ) AS outbox,
    (
        SELECT json_agg(json_build_object('endpoint_id', later.endpoint_id, 'seq', later.seq,
            'delivered_at', later.delivered_at, 'before_seq', earlier.seq, 'which_was', earlier.status))
        FROM webhook_deliveries later JOIN webhook_deliveries earlier
            ON earlier.payment_id = later.payment_id AND earlier.endpoint_id = later.endpoint_id
            AND earlier.seq < later.seq
        WHERE later.payment_id = p.id AND later.status = 'delivered'
            AND (earlier.status = 'pending' OR earlier.status = 'delivered' AND earlier.delivered_at > later.delivered_at)
            AND earlier.created_at <= later.delivered_at AND jsonb_array_length(earlier.log) <= earlier.tries
            AND earlier.lease_epoch - earlier.leased::int <= earlier.tries
    ) AS out_of_order,
    (
        SELECT json_agg(json_build_object('endpoint_id', w.id, 'seq', e.seq, 'type', e.type) ORDER BY w.id, e.seq)
        FROM payment_events e JOIN webhook_endpoints w
            ON w.merchant_id = p.merchant_id AND w.mode = p.mode AND w.disabled_at IS NULL
        WHERE e.payment_id = p.id AND (w.event_types = '{{}}' OR e.type = ANY (w.event_types))
            AND w.created_at < e.at - make_interval(secs => %(endpoint_visible_s)s)
            AND e.at > statement_timestamp() - make_interval(secs => %(deliveries_kept_s)s)
            AND NOT EXISTS (
                SELECT FROM outbox o WHERE o.payment_id = p.id AND o.seq <= e.seq AND NOT o.fanned_out)
            AND NOT EXISTS (
                SELECT FROM webhook_deliveries d
                WHERE d.payment_id = p.id AND d.seq = e.seq AND d.endpoint_id = w.id)
    ) AS not_fanned_out,
    (
        SELECT json_agg(json_build_object(
            'gateway', r.gateway, 'gateway_ref', r.gateway_ref, 'payment_id', r.payment_id) ORDER BY r.gateway_ref)
        FROM (
            SELECT gateway, gateway_ref FROM attempts WHERE payment_id = p.id UNION SELECT p.gateway, p.gateway_ref
        ) known JOIN gateway_references r ON r.gateway = known.gateway AND r.gateway_ref = known.gateway_ref
        WHERE r.payment_id <> p.id
    ) AS shared,
    keys.keys,
    p.created_at > statement_timestamp() - make_interval(secs => %(keys_kept_s)s)
        AND p.created_at >= (SELECT min(created_at) FROM idempotency_keys) AS key_is_kept
FROM batch p
CROSS JOIN LATERAL (
    SELECT count(*) AS told, coalesce(max(seq), 0) AS last_seq, bool_or(type = %(late_charge)s) AS late_charge_told
    FROM payment_events WHERE payment_id = p.id
) history
CROSS JOIN LATERAL (
    SELECT coalesce(max(seq), 0) AS seq FROM payment_snapshots WHERE payment_id = p.id
) snapshot
LEFT JOIN keys ON keys.payment_id = p.id
ORDER BY p.id
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """One payment and what is recorded of it. Lists hold plain JSON but for the attempts, ages in seconds.

    `told` and `last_seq`: how many events there are and the highest `seq`. `events` are those after `folds_from`: 0, or
    the `seq` of the newest snapshot. `late_charge_told`: whether any event at all is PAYMENT_DUPLICATE_DETECTED.
    `entities`: its captures and refunds; `disputes`: how they stand.
    `action_over_s` and `hold_over_s`: for how long the time is over that its payer had, and that its funds are held;
    negative before that, None where nobody knows an end.
    `shared`: references of gateways that it has, or its attempts, and that are another payment's, `payment_id`.
    """

    payment: Payment
    frozen: bool
    rested_s: float
    told: int
    last_seq: int
    late_charge_told: bool
    events: Sequence[Mapping[str, Any]]
    folds_from: int
    snapshots: Sequence[Mapping[str, Any]]
    jobs: Sequence[Mapping[str, Any]]
    attempts: Sequence[Attempt]
    outbox: Sequence[Mapping[str, Any]]
    out_of_order: Sequence[Mapping[str, Any]]
    not_fanned_out: Sequence[Mapping[str, Any]]
    keys: Sequence[Mapping[str, Any]]
    key_is_kept: bool
    shared: Sequence[Mapping[str, Any]] = ()
    entities: Sequence[Mapping[str, Any]] = ()
    disputes: Sequence[Mapping[str, Any]] = ()
    action_over_s: float | None = None
    hold_over_s: float | None = None


def read_subjects(
    connection: Connection,
    *,
    bounds: Bounds,
    limit: int,
    after: str = "",
    upto: str | None = None,
    only: Sequence[str] | None = None,
    whole: bool = False,
) -> list[Subject]:
    """Up to `limit` payments with ids after `after` and not after `upto`, or of `only` these, in the order of their ids.

    With their `whole` history, or with what came after the newest snapshot.
    """
    parameters = {
        "after": after,
        "upto": upto,
        "only": None if only is None else list(only),
        "whole": whole,
        "limit": limit,
        "late_charge": EventType.DUPLICATE_DETECTED,
        "accepting": ACCEPTING,
        "key_within_s": KEY_WITHIN_S,
        "keys_kept_s": bounds.keys_kept_s,
        "endpoint_visible_s": _ENDPOINT_VISIBLE_S,
        "deliveries_kept_s": bounds.deliveries_kept_s,
    }
    asked_at_s = clock_s()
    rows = connection.exec_driver_sql(_SUBJECTS, parameters).mappings().all()
    told_at_s = clock_s()
    return [_subject(dict(row), asked_at_s, told_at_s) for row in rows]


def _subject(row: Mapping[str, Any], asked_at_s: float, told_at_s: float) -> Subject:
    return Subject(
        payment=payment_from_row(row),
        frozen=row["frozen_at"] is not None,
        rested_s=row["rested_s"],
        told=row["told"],
        last_seq=row["last_seq"],
        late_charge_told=row["late_charge_told"],
        events=row["events"] or (),
        folds_from=row["folds_from"],
        snapshots=row["snapshots"] or (),
        jobs=row["jobs"] or (),
        attempts=[attempt_from_row(attempt, asked_at_s, told_at_s) for attempt in row["attempts"] or ()],
        outbox=row["outbox"] or (),
        out_of_order=row["out_of_order"] or (),
        not_fanned_out=row["not_fanned_out"] or (),
        keys=row["keys"] or (),
        key_is_kept=bool(row["key_is_kept"]),
        shared=row["shared"] or (),
        entities=row["entities"] or (),
        disputes=row["disputes"] or (),
        action_over_s=row["action_over_s"],
        hold_over_s=row["hold_over_s"],
    )


def events_of(subject: Subject) -> list[Event]:
    """The events that were read. Raises ValueError for one of no known type."""
    payment_id = subject.payment.id
    return [Event(payment_id, told["seq"], EventType(told["type"]), told["data"]) for told in subject.events]
