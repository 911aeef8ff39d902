"""Have a gateway asked now, about a payment or about one charge that was given up."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection

from aegis_worker.domain.jobs import must_answer
from aegis_worker.domain.trails import Trail
from aegis_worker.ids import JOB, new_id

from . import trails

# A job that is running or waits to send is left as it is, because it will hear from the gateway anyway; so is one in review
# of which no gateway has heard.
_ASKS = "(status = 'review' AND review_kind IS DISTINCT FROM 'fraud')"
_OPEN_JOB = f"""
UPDATE jobs
SET run_at = CASE WHEN queue = 'verify' OR {_ASKS} THEN clock_timestamp() ELSE run_at END,
    queue = CASE WHEN {_ASKS} THEN 'verify' ELSE queue END,
    status = CASE WHEN {_ASKS} THEN 'waiting' ELSE status END,
    updated_at = CASE WHEN status = 'review' AND NOT {_ASKS} THEN updated_at ELSE clock_timestamp() END
WHERE payment_id = %(payment_id)s AND status IN ('queued', 'running', 'waiting', 'review')
    AND EXISTS (SELECT FROM payments WHERE id = %(payment_id)s AND frozen_at IS NULL)
RETURNING id
"""

_NEW_JOB = f"""
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, request, {trails.NAMES})
SELECT %(job_id)s, id, merchant_id, mode, 'sync', 'verify', 'queued', %(request)s::jsonb,
    coalesce(%(correlation_id)s, trail.correlation_id),
    CASE WHEN %(correlation_id)s IS NULL THEN trail.traceparent ELSE %(traceparent)s END
FROM payments p {trails.LAST_TRAIL.format(payment_id="p.id")}
WHERE id = %(payment_id)s AND frozen_at IS NULL
ON CONFLICT DO NOTHING
RETURNING id
"""


def ask_now(connection: Connection, payment_id: str, trail: Trail | None = None) -> str | None:
    """Make the payment's open job due, or give it a `sync` job. Returns the job's id.

    `trail`: of who asks for it; None: a new job goes on with the trail of the payment's last one.
    None when there is no such payment, when it is frozen, or when jobs open and close faster than this can look.
    """
    names = {"payment_id": payment_id, "job_id": new_id(JOB), "request": None, **trails.parameters(trail)}
    # The third statement is for a sync that another transaction opened between the first two.
    for statement in (_OPEN_JOB, _NEW_JOB, _OPEN_JOB):
        row = connection.exec_driver_sql(statement, names).one_or_none()
        if row is not None:
            return str(row.id)
    return None


# The order is that of the partial index of what is in doubt. Whoever is asked about already, or was a moment ago, is left
# as it is, so that a form that is sent twice climbs no further rung; so is what waits for a person.
_DOUBTS_NOW = """
UPDATE jobs SET run_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id IN (
    SELECT j.id FROM payments p JOIN jobs j ON j.payment_id = p.id AND j.finished_at IS NULL
    WHERE p.certainty = 'unknown' AND p.frozen_at IS NULL AND j.status = 'waiting' AND j.queue = 'verify'
        AND j.run_at > clock_timestamp() AND j.updated_at < clock_timestamp() - interval '10 seconds'
        AND (%(payment_ids)s::text[] IS NULL OR p.id = ANY(%(payment_ids)s::text[]))
    ORDER BY p.id LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
)
RETURNING payment_id
"""


def ask_about_doubts_now(
    connection: Connection, payment_ids: Sequence[str] | None, *, limit: int
) -> Sequence[str]:
    """Make the look-ups due of these payments, or of the oldest that are in doubt where None is given. Returns their ids.

    Leaves alone what isn't in doubt, waits for a person, or was asked about in the last 10 s.
    """
    names = {"payment_ids": None if payment_ids is None else list(payment_ids), "limit": limit}
    return sorted(connection.exec_driver_sql(_DOUBTS_NOW, names).scalars())


_HELD = "SELECT EXISTS (SELECT FROM jobs WHERE payment_id = %(payment_id)s AND status = 'running')"


def is_held(connection: Connection, payment_id: str) -> bool:
    """Whether a worker holds the payment's open job, and may have asked already. After `ask_now` none can take it before
    the end of the transaction.
    """
    return bool(connection.exec_driver_sql(_HELD, {"payment_id": payment_id}).scalar_one())


# A sync that has begun may have asked before what it is to hear of.
_SYNC_AGAIN = """
UPDATE jobs
SET run_at = clock_timestamp(), queue = 'verify', status = CASE status WHEN 'queued' THEN status ELSE 'waiting' END,
    request = coalesce(%(request)s::jsonb, request), updated_at = clock_timestamp()
WHERE payment_id = %(payment_id)s AND operation = 'sync' AND status IN ('queued', 'waiting', 'review')
    AND EXISTS (SELECT FROM payments WHERE id = %(payment_id)s AND frozen_at IS NULL)
RETURNING id
"""


def sync_now(connection: Connection, payment_id: str, because: str | None = None) -> bool:
    """Have a `sync` of the payment ask its gateway from now on. False where that can't be, because of another open job.

    `because`: why it must not end without an answer: a person is told where it finds none.
    """
    request = None if because is None else json.dumps(must_answer(because))
    names = {
        "payment_id": payment_id,
        "job_id": new_id(JOB),
        "request": request,
        **trails.parameters(None),
    }
    return any(
        connection.exec_driver_sql(statement, names).one_or_none() is not None
        for statement in (_SYNC_AGAIN, _NEW_JOB)
    )


# So often a charge that was given up, and is told of, is looked for anew. Further events have it looked for once each.
_LADDERS = 10
# A charge that stands, and was heard of under another reference as well, may have a twin. What it was heard of as is kept,
# because some gateways can't be asked for it. The looks begin anew: a look-up may show only later what was told of by now.
_RECHECK_NOW = f"""
UPDATE attempts a
SET recheck_at = clock_timestamp(),
    rechecks = CASE WHEN a.status <> 'APPROVED' AND coalesce((a.outcome->>'told')::int, 0) >= {_LADDERS}
        THEN a.rechecks ELSE 0 END,
    outcome = coalesce(a.outcome, '{{}}') || CASE WHEN a.status = 'APPROVED'
        THEN jsonb_build_object('twin', 'its gateway has told of it as ' || c.gateway_ref || ' too')
        ELSE jsonb_build_object('told', coalesce((a.outcome->>'told')::int, 0) + 1) END
FROM json_to_recordset(%(charges)s::json) AS c(payment_id text, number int, gateway_ref text)
WHERE a.payment_id = c.payment_id AND a.number = c.number AND a.operation = 'process'
  AND (a.status IN ('DECLINED', 'NOT_SENT') OR (a.status = 'APPROVED' AND a.gateway_ref <> c.gateway_ref))
"""


def recheck_now(connection: Connection, charges: Sequence[tuple[str, int, str | None]]) -> None:
    """Have gateways asked soon about those of the charges (payment, number, reference) that were given up as refused or
    absent, and about those that stand under another reference than this one.
    """
    rows = [
        {"payment_id": payment_id, "number": number, "gateway_ref": gateway_ref}
        for payment_id, number, gateway_ref in charges
    ]
    connection.exec_driver_sql(_RECHECK_NOW, {"charges": json.dumps(rows)})
