"""Rows of `gateway_events`, with the bodies that they came in, sealed (`gateway_event_bodies`).

`due_at`: when a worker is to follow the event; NULL when nothing is left to do. A worker that claims it puts it off for the
time that it may take, so that a worker which dies leaves it to another one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.gateway_events import ClaimedEvent, Followed, Matched, NewEvent
from aegis_worker.domain.gateway_keys import FIRST_ORDERED, ordered_in
from aegis_worker.domain.money import Money
from aegis_worker.ids import EVENT_BODY, new_id
from aegis_worker.sealing.ring import KeyRing, key_id_of

from .entity_rows import orders_under
from .prepared import ROW_BY_ROW, Prepared

_PLACE = "gateway_event_bodies"
# An event that nothing of ours matches may be early, so for this long its payment is looked for.
MATCHED_WITHIN_S = 86_400.0
# Gateways repeat an event for days, and a repeated one has to be recognized. The only evidence of a charge counts for as
# long as refunds of it may fail and its payer may dispute it.
KEPT_S, EVIDENCE_KEPT_S = 30 * 86_400.0, 730 * 86_400.0
# A claimed event is due again after this time, if its worker has died.
_LEASE_S = 60.0

# An event of another account or mode, which may only pretend to be of this id, does not keep ours out.
_KEEP = Prepared(
    "keep_events",
    """
WITH kept AS (
    INSERT INTO gateway_events (gateway, account, provider_event_id, kind, reference, gateway_ref, amount_minor, currency,
        status, reason, dispute_ref, due_at, waits_until, body_id, keep_until)
    SELECT DISTINCT ON (event_id)
        $1, $2, event_id, kind, reference, gateway_ref, amount_minor, currency, status, reason,
        dispute_ref, CASE status WHEN 'waiting' THEN statement_timestamp() END,
        statement_timestamp() + make_interval(secs => $4), $5, statement_timestamp() + make_interval(secs => given.keep_s)
    FROM json_to_recordset($3) AS given(
        event_id text, kind text, reference text, gateway_ref text, amount_minor bigint, currency text, status text,
        reason text, dispute_ref text, keep_s float8)
    ON CONFLICT (gateway, provider_event_id) DO UPDATE SET account = excluded.account, kind = excluded.kind,
        reference = excluded.reference, gateway_ref = excluded.gateway_ref, amount_minor = excluded.amount_minor,
        currency = excluded.currency, status = excluded.status, reason = excluded.reason,
        dispute_ref = excluded.dispute_ref, due_at = excluded.due_at, waits_until = excluded.waits_until,
        body_id = excluded.body_id, keep_until = excluded.keep_until
        WHERE gateway_events.status = 'foreign' AND excluded.status <> 'foreign'
    RETURNING status
), body AS (
    INSERT INTO gateway_event_bodies (id, gateway, key_id, sealed)
    SELECT $5, $1, $6, $7 WHERE EXISTS (SELECT FROM kept)
)
SELECT count(*) FROM kept WHERE status = 'waiting'
""",
    "text, text, json, float8, text, text, bytea",
)

_CLAIM = Prepared(
    "claim_events",
    """
UPDATE gateway_events e
SET due_at = statement_timestamp() + make_interval(secs => $2), tries = e.tries + 1
FROM (SELECT ctid AS at FROM gateway_events WHERE due_at <= statement_timestamp()
      ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE e.ctid = due.at
RETURNING e.gateway, e.account, e.provider_event_id, e.kind, e.reference, e.gateway_ref, e.amount_minor, e.currency,
    e.dispute_ref, e.tries, e.due_at::text AS claimed_until,
    e.waits_until <= statement_timestamp() AS is_over
""",
    "int, float8",
    before=ROW_BY_ROW,
)

# By our reference where the event shows one, else by the gateway's. `number`: the hop that the event is about, if it was
# made at this gateway, with this account. What a merchant ordered is of the charge that the payment stands on, and so is an
# event that names the payment alone.
_MATCH = Prepared(
    "match_events",
    f"""
SELECT g.place, p.id AS payment_id, p.mode, p.state, p.amount_minor, p.currency, here.number, charge.status AS charge,
    CASE WHEN here.number >= {FIRST_ORDERED} THEN p.gateway_ref ELSE charge.gateway_ref END AS charge_ref,
    EXISTS (SELECT FROM attempts a WHERE a.payment_id = p.id) AS has_attempts
FROM json_to_recordset($1) AS g(
    place int, gateway text, account text, payment_id text, number int, gateway_ref text)
LEFT JOIN gateway_references r
    ON g.payment_id IS NULL AND r.gateway = ANY (ARRAY[g.gateway]) AND r.gateway_ref = ANY (ARRAY[g.gateway_ref])
JOIN payments p ON p.id = ANY (ARRAY[coalesce(g.payment_id, r.payment_id)])
LEFT JOIN LATERAL (
    SELECT a.number FROM attempts a
    WHERE a.payment_id = p.id AND a.gateway = g.gateway AND a.account IS NOT DISTINCT FROM g.account
        AND CASE WHEN g.number IS NULL THEN a.gateway_ref = coalesce(g.gateway_ref, p.gateway_ref)
            ELSE a.number = g.number END
    LIMIT 1
) here ON true
LEFT JOIN LATERAL (
    SELECT status, gateway_ref FROM attempts
    WHERE payment_id = p.id AND operation = 'process' AND number = here.number LIMIT 1
) charge ON true
""",
    before=ROW_BY_ROW,
)

# The LIMIT tells the planner how few there are. Otherwise it would read all events. What a gateway writes of a customer who
# was erased is not kept.
_SETTLE = Prepared(
    "settle_events",
    """
WITH settled AS (
    UPDATE gateway_events e
    SET status = n.status, reason = n.reason, payment_id = n.payment_id,
        due_at = statement_timestamp() + make_interval(secs => n.again_in_s),
        keep_until = CASE n.status WHEN 'unmatched' THEN least(e.keep_until, e.received_at + make_interval(secs => $3))
            ELSE e.keep_until END
    FROM (SELECT * FROM json_to_recordset($1) AS given(
        gateway text, provider_event_id text, claimed_until timestamptz, status text, reason text, payment_id text,
        again_in_s float8) LIMIT $2) n
    WHERE e.gateway = ANY (ARRAY[n.gateway]) AND e.provider_event_id = ANY (ARRAY[n.provider_event_id])
        AND e.due_at IS NOT DISTINCT FROM n.claimed_until
    RETURNING e.payment_id, e.body_id
), forgotten AS (
    DELETE FROM gateway_event_bodies b USING settled s JOIN payments p ON p.id = ANY (ARRAY[s.payment_id])
    WHERE b.id = ANY (ARRAY[s.body_id]) AND p.customer ? 'erased'
)
SELECT count(*) FROM settled
""",
    "json, int, float8",
    before=ROW_BY_ROW,
)

_RETRY = """
UPDATE gateway_events
SET status = 'waiting', reason = NULL, due_at = statement_timestamp(), tries = 0,
    waits_until = statement_timestamp() + make_interval(secs => %(wait_s)s)
WHERE (%(gateway)s IS NULL OR gateway = %(gateway)s)
    AND CASE WHEN %(ids)s::text[] IS NULL THEN status = 'unmatched' ELSE provider_event_id = ANY (%(ids)s::text[]) END
    AND status <> 'foreign'
"""

_BODY = """
SELECT b.id, b.sealed FROM gateway_events e JOIN gateway_event_bodies b ON b.id = e.body_id
WHERE e.gateway = %(gateway)s AND e.provider_event_id = %(event_id)s
"""


def keep(
    connection: Connection,
    ring: KeyRing,
    *,
    gateway: str,
    account: str | None,
    events: Sequence[NewEvent],
    body: bytes,
    are_evidence: bool = False,
) -> bool:
    """Keep the events that are new, and with them the body. Returns whether one of them is to be followed.

    `are_evidence`: nothing else tells what they tell, so they are kept for longer.
    """
    body_id = new_id(EVENT_BODY)
    sealed = ring.seal(body, _PLACE, body_id)
    rows = json.dumps([_row(new, are_evidence) for new in events])
    values = gateway, account, rows, MATCHED_WITHIN_S, body_id, key_id_of(sealed), sealed
    count = _KEEP.execute(connection, *values).scalar_one()
    crash_point("gateway_event.written")
    return bool(count)


def _row(new: NewEvent, is_evidence: bool) -> dict[str, Any]:
    return {
        "event_id": new.event_id,
        "kind": new.kind,
        "reference": new.reference,
        "gateway_ref": new.gateway_ref,
        "amount_minor": new.amount and new.amount.minor,
        "currency": new.amount and new.amount.currency,
        "status": new.status,
        "reason": new.reason,
        "dispute_ref": new.dispute_ref,
        "keep_s": EVIDENCE_KEPT_S if is_evidence and new.status == "waiting" else KEPT_S,
    }


def claim(connection: Connection, *, limit: int) -> list[ClaimedEvent]:
    """Claim up to `limit` due events, the oldest first, each for a minute."""
    rows = _CLAIM.execute(connection, limit, _LEASE_S)
    return [
        ClaimedEvent(
            gateway=row.gateway,
            account=row.account,
            event_id=row.provider_event_id,
            kind=row.kind,
            reference=row.reference,
            gateway_ref=row.gateway_ref,
            amount=None if row.amount_minor is None else Money(row.amount_minor, row.currency),
            tries=row.tries,
            claimed_until=row.claimed_until,
            is_over=row.is_over,
            dispute_ref=row.dispute_ref,
        )
        for row in rows
    ]


def match(
    connection: Connection, claimed: Sequence[ClaimedEvent], places: Sequence[tuple[str, int | None] | None]
) -> list[Matched | None]:
    """The payment of each event. `places`: the payment's id and the number that its reference names, if it names any."""
    given = [
        {
            "place": position,
            "gateway": event.gateway,
            "account": event.account,
            "payment_id": place and place[0],
            "number": place and place[1],
            "gateway_ref": event.gateway_ref,
        }
        for position, (event, place) in enumerate(zip(claimed, places, strict=True))
    ]
    found: list[Matched | None] = [None] * len(claimed)
    for row in _MATCH.execute(connection, json.dumps(given)):
        amount = Money(row.amount_minor, row.currency)
        found[row.place] = Matched(
            row.payment_id,
            row.mode,
            row.state,
            amount,
            row.has_attempts,
            row.number,
            row.charge,
            row.charge_ref,
        )
    return _with_orders(connection, claimed, places, found)


def _with_orders(
    connection: Connection,
    claimed: Sequence[ClaimedEvent],
    places: Sequence[tuple[str, int | None] | None],
    found: Sequence[Matched | None],
) -> list[Matched | None]:
    """The same, each with the capture, void or refund whose key its event names. Few do: the others cost nothing."""
    named = {
        position: (operation, place[0], place[1])
        for position, (event, place) in enumerate(zip(claimed, places, strict=True))
        if place is not None
        and place[1] is not None
        and (operation := ordered_in(event.reference or "")) is not None
    }
    if not named:
        return list(found)
    orders = orders_under(connection, list(named.values()))
    matched = list(found)
    for position, name in named.items():
        one, order = matched[position], orders.get(name)
        if one is not None and order is not None:
            matched[position] = replace(one, order=order[0], order_status=order[1])
    return matched


def settle(connection: Connection, followed: Sequence[Followed]) -> int:
    """Write down what became of the events; returns how many were still this worker's."""
    rows = [
        {
            "gateway": one.claimed.gateway,
            "provider_event_id": one.claimed.event_id,
            "claimed_until": one.claimed.claimed_until,
            "status": one.status,
            "reason": one.reason,
            "payment_id": one.payment_id,
            "again_in_s": one.again_in_s,
        }
        for one in followed
    ]
    settled: int = _SETTLE.execute(connection, json.dumps(rows), len(rows), KEPT_S).scalar_one()
    return settled


def retry(connection: Connection, *, gateway: str | None, ids: Sequence[str] | None) -> int:
    """Have these events followed anew, or all unmatched ones where `ids` is None; returns how many there are."""
    names = {"gateway": gateway, "ids": None if ids is None else list(ids), "wait_s": MATCHED_WITHIN_S}
    return connection.exec_driver_sql(_RETRY, names).rowcount


def body_of(connection: Connection, ring: KeyRing, gateway: str, event_id: str) -> bytes | None:
    """The body that the event came in; None if it is not kept any more. Raises CannotUnseal."""
    row = connection.exec_driver_sql(_BODY, {"gateway": gateway, "event_id": event_id}).one_or_none()
    return None if row is None else ring.unseal(bytes(row.sealed), _PLACE, row.id)
