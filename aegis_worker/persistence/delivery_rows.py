"""Rows of `webhook_deliveries`: made, claimed in order per endpoint and payment, and settled.

`due_at` is "not before" and, while it is `leased`, the end of the worker's lease; `lease_epoch` is the fence. A delivery
is claimed only together with every earlier *pending* one of its payment to the same endpoint, or when there is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from msgspec import Struct
from sqlalchemy import Connection

from .published import JOIN_PUBLISHED, PUBLISHED_COLUMNS, PublishedEvent, published_from_row

# dead: given up after its tries, but it can be delivered again. cancelled: its endpoint is gone, so it can't.
Status = Literal["pending", "delivered", "dead", "cancelled"]

# Asked first, because most merchants have no endpoint, and an INSERT of hundreds of events costs more than this question.
_WITH_ENDPOINTS = """
SELECT DISTINCT merchant_id FROM webhook_endpoints
WHERE merchant_id = ANY (%(merchant_ids)s::text[]) AND disabled_at IS NULL
"""
_MAKE = """
INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id)
SELECT 'whd_' || replace(uuidv7()::text, '-', ''), e.payment_id, e.seq, w.id, e.merchant_id
FROM unnest(%(payment_ids)s::text[], %(seqs)s::int[], %(types)s::text[], %(merchant_ids)s::text[])
    AS e(payment_id, seq, type, merchant_id)
JOIN webhook_endpoints w ON w.merchant_id = e.merchant_id AND w.disabled_at IS NULL
WHERE w.event_types = '{}' OR e.type = ANY (w.event_types)
ORDER BY e.payment_id, e.seq
ON CONFLICT (payment_id, seq, endpoint_id) DO NOTHING
"""

# Deliveries are picked by merchant and endpoint, so that one with a long backlog takes no more than its share of a claim.
# A delivery behind an earlier one is put off until that one is due (or for half a second if that one is just being
# posted). Otherwise every claim until then would look at it again. OFFSET 0 and LIMIT keep the planner from reading whole
# tables. What was picked is looked up with IN, which hashes it; a join with it went through all of it once for each row.
_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT of_it.* FROM (
        SELECT merchant_id, bool_or(id = ANY (%(proven)s::text[])) AS proven FROM webhook_endpoints
        WHERE disabled_at IS NULL AND merchant_id <> ALL (%(skip_merchants)s::text[]) GROUP BY merchant_id
    ) m CROSS JOIN LATERAL (
        SELECT d.* FROM webhook_endpoints w CROSS JOIN LATERAL (
            SELECT payment_id, seq, endpoint_id FROM webhook_deliveries
            WHERE endpoint_id = w.id AND status = 'pending' AND due_at <= statement_timestamp()
            ORDER BY due_at, payment_id, seq
            LIMIT CASE WHEN w.id = ANY (%(proven)s::text[]) THEN %(per_proven)s ELSE %(per_endpoint)s END
            FOR UPDATE SKIP LOCKED
        ) d
        WHERE w.merchant_id = m.merchant_id AND w.disabled_at IS NULL AND w.id <> ALL (%(skip)s::text[])
            AND (w.resting_until IS NULL OR w.resting_until <= statement_timestamp())
        LIMIT CASE WHEN m.proven THEN %(per_proven)s ELSE %(per_merchant)s END
    ) of_it
    LIMIT %(limit)s
), pending AS (
    SELECT o.payment_id, o.seq, o.endpoint_id, o.due_at, o.picked,
        max(
            CASE WHEN o.leased THEN least(o.due_at, statement_timestamp() + interval '500 ms') ELSE o.due_at END
        ) FILTER (WHERE NOT o.picked) OVER (PARTITION BY o.payment_id, o.endpoint_id ORDER BY o.seq) AS behind
    FROM (
        SELECT of_it.*,
            (of_it.payment_id, of_it.seq, of_it.endpoint_id) IN (SELECT payment_id, seq, endpoint_id FROM due) AS picked
        FROM (SELECT DISTINCT payment_id FROM due) one
        CROSS JOIN LATERAL (SELECT * FROM webhook_deliveries WHERE payment_id = one.payment_id OFFSET 0) of_it
        OFFSET 0
    ) o
    WHERE o.status = 'pending'
), taken AS (
    UPDATE webhook_deliveries o
    SET leased = p.behind IS NULL, lease_epoch = o.lease_epoch + (p.behind IS NULL)::int,
        due_at = CASE WHEN p.behind IS NULL
            THEN statement_timestamp() + make_interval(secs => %(lease_s)s) ELSE greatest(o.due_at, p.behind) END
    FROM (SELECT * FROM pending WHERE picked LIMIT %(limit)s) p
    WHERE o.payment_id = p.payment_id AND o.seq = p.seq AND o.endpoint_id = p.endpoint_id
    RETURNING o.id, o.payment_id, o.seq, o.endpoint_id, o.lease_epoch, o.tries, p.behind IS NULL AS claimed,
        coalesce(p.behind > p.due_at, true) AS moved
)
SELECT t.claimed, t.moved, t.id, t.endpoint_id, w.url, w.secret_version, t.lease_epoch, t.tries, {PUBLISHED_COLUMNS}
FROM taken t JOIN webhook_endpoints w ON w.id = t.endpoint_id {JOIN_PUBLISHED}
ORDER BY t.payment_id, t.endpoint_id, t.seq
"""

# Taking a delivery away from its holder raises the fence, so a leased row with the holder's epoch is still pending. A row
# with that epoch that is not leased was settled by this same statement in an earlier try, whose COMMIT was not answered.
# Deliveries that were put off behind one that is over now become due at once.
_SETTLE = """
WITH settled AS (
    UPDATE webhook_deliveries d
    SET status = s.status, leased = false, due_at = statement_timestamp() + make_interval(secs => s.delay_s),
        tries = d.tries + (s.entry IS NOT NULL)::int,
        delivered_at = CASE WHEN s.status = 'delivered' THEN statement_timestamp() END,
        log = CASE WHEN s.entry IS NULL THEN d.log
            ELSE CASE WHEN jsonb_array_length(d.log) < %(most)s THEN d.log ELSE d.log - 0 END
                || jsonb_build_array(jsonb_build_object('at', statement_timestamp()) || s.entry::jsonb) END
    FROM unnest(
        %(payment_ids)s::text[], %(seqs)s::int[], %(endpoint_ids)s::text[], %(epochs)s::int[],
        %(statuses)s::text[], %(delays_s)s::float8[], %(entries)s::text[]
    ) AS s(payment_id, seq, endpoint_id, lease_epoch, status, delay_s, entry)
    WHERE d.payment_id = s.payment_id AND d.seq = s.seq AND d.endpoint_id = s.endpoint_id
        AND d.lease_epoch = s.lease_epoch AND d.leased
    RETURNING d.payment_id, d.endpoint_id, d.seq, d.status
), behind AS MATERIALIZED (
    SELECT d.payment_id, d.seq, d.endpoint_id
    FROM (
        SELECT payment_id, endpoint_id, min(seq) AS seq FROM settled WHERE status <> 'pending' GROUP BY 1, 2
    ) s
    CROSS JOIN LATERAL (SELECT * FROM webhook_deliveries WHERE payment_id = s.payment_id OFFSET 0) d
    WHERE d.endpoint_id = s.endpoint_id AND d.seq > s.seq
        AND d.status = 'pending' AND d.tries = 0 AND NOT d.leased AND d.due_at > statement_timestamp()
), next AS (
    UPDATE webhook_deliveries d SET due_at = statement_timestamp()
    FROM behind b
    WHERE d.payment_id = b.payment_id AND d.seq = b.seq AND d.endpoint_id = b.endpoint_id AND NOT d.leased
)
SELECT count(*) FROM settled
"""

# Entries kept in a delivery's log: two rounds of ten tries. Older ones are dropped.
_MAX_LOG = 20


class ClaimedDelivery(Struct, frozen=True):
    """A delivery that this worker holds; `tries` counts the failures so far."""

    id: str
    endpoint_id: str
    url: str
    secret_version: int
    lease_epoch: int
    tries: int
    event: PublishedEvent


class ClaimShares(TypedDict):
    """The parameters of `claim` that say how many deliveries it takes from which endpoints and merchants."""

    per_endpoint: int
    per_merchant: int
    per_proven: int
    proven: Sequence[str]
    skip: Sequence[str]
    skip_merchants: Sequence[str]


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """`deliveries` by payment, endpoint and seq. `moved` also counts due deliveries that were put off behind others.

    If it is 0, nothing is due but perhaps deliveries that another worker is claiming at this moment.
    """

    deliveries: tuple[ClaimedDelivery, ...]
    moved: int


class Settlement(Struct, frozen=True):
    """What becomes of a claimed delivery. If pending, it is due after `delay_s`. Without an `entry` it was not sent."""

    delivery: ClaimedDelivery
    status: Status
    delay_s: float = 0.0
    entry: Mapping[str, Any] | None = None


def make(connection: Connection, events: Sequence[PublishedEvent]) -> int:
    """Make a delivery of each event for every active endpoint of its merchant that wants it; returns how many are new."""
    merchant_ids = list({event.merchant_id for event in events})
    found = connection.exec_driver_sql(_WITH_ENDPOINTS, {"merchant_ids": merchant_ids})
    with_endpoints = set(found.scalars())
    wanted = [event for event in events if event.merchant_id in with_endpoints]
    if not wanted:
        return 0
    parameters = {
        "payment_ids": [event.payment_id for event in wanted],
        "seqs": [event.seq for event in wanted],
        "types": [event.type.value for event in wanted],
        "merchant_ids": [event.merchant_id for event in wanted],
    }
    return connection.exec_driver_sql(_MAKE, parameters).rowcount


def claim(
    connection: Connection,
    *,
    limit: int,
    lease_s: float,
    per_endpoint: int,
    skip: Sequence[str],
    per_merchant: int | None = None,
    per_proven: int | None = None,
    proven: Sequence[str] = (),
    skip_merchants: Sequence[str] = (),
) -> DeliveryClaim:
    """Look at up to `limit` due deliveries and take those whose turn it is.

    At most `per_endpoint` come from one endpoint and `per_merchant` from one merchant; but `per_proven` from an endpoint
    in `proven`, and from its merchant. Endpoints that are disabled, at rest or in `skip`, and merchants in
    `skip_merchants`, are left out.
    """
    parameters = {
        "limit": limit,
        "lease_s": lease_s,
        "per_endpoint": per_endpoint,
        "per_merchant": limit if per_merchant is None else per_merchant,
        "per_proven": per_endpoint if per_proven is None else per_proven,
        "proven": list(proven),
        "skip": list(skip),
        "skip_merchants": list(skip_merchants),
    }
    rows = connection.exec_driver_sql(_CLAIM, parameters).all()
    deliveries = tuple(_claimed(row) for claimed, _, *row in rows if claimed)
    return DeliveryClaim(deliveries, moved=sum(moved for _, moved, *_ in rows))


def settle(connection: Connection, settlements: Sequence[Settlement]) -> int:
    """Write down what became of claimed deliveries; returns how many were still ours."""
    deliveries = [settlement.delivery for settlement in settlements]
    parameters = {
        "payment_ids": [delivery.event.payment_id for delivery in deliveries],
        "seqs": [delivery.event.seq for delivery in deliveries],
        "endpoint_ids": [delivery.endpoint_id for delivery in deliveries],
        "epochs": [delivery.lease_epoch for delivery in deliveries],
        "statuses": [settlement.status for settlement in settlements],
        "delays_s": [settlement.delay_s for settlement in settlements],
        "entries": [json.dumps(item.entry) if item.entry is not None else None for item in settlements],
        "most": _MAX_LOG,
    }
    return int(connection.exec_driver_sql(_SETTLE, parameters).scalar_one())


def _claimed(row: Sequence[Any]) -> ClaimedDelivery:
    id, endpoint_id, url, secret_version, lease_epoch, tries, *event = row
    return ClaimedDelivery(
        id, endpoint_id, url, secret_version, lease_epoch, tries, published_from_row(event)
    )
