"""The one path to a state change (design D5): rows, events, outbox, attempts and jobs of a batch in one statement.

Each change stands or falls by itself: a job whose fence is lost is left out and reported; a payment that moved since it
was read undoes the whole statement, and the caller decides again on what stands there now.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection

from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Event, Payment
from aegis_worker.errors import VersionConflict
from aegis_worker.ids import JOB, new_id

JobStatus = Literal["running", "waiting", "succeeded", "failed", "review"]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The payment's next job, made in the statement that ends this one."""

    operation: str
    queue: Literal["payments", "verify"]
    request: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobChange:
    """What becomes of the job. `running` renews the lease; `waiting` is due again after `run_in_s` in `queue`.

    `progress` forgets how often the job was claimed in vain: true once an answer was recorded, not when about to send.
    `follow_up` only with a status that ends the job: a payment has one open job.
    """

    status: JobStatus
    queue: Literal["payments", "verify"] = "payments"
    run_in_s: float = 0.0
    reason: str | None = None
    result: Mapping[str, Any] | None = None
    progress: bool = True
    follow_up: FollowUp | None = None


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt about to be sent: written before the call (design D3)."""

    operation: Operation
    number: int
    gateway: str
    gateway_key: str
    request_hash: str
    decision: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerAttempt:
    """What came of an attempt. `asked` counts a look-up, `not_found` an answer of absence, `sent_again` a replay.

    A replay starts the count of absences anew: a look-up before the last send proves nothing about it. `recheck_in_s`:
    the gateway is asked again then, lest a charge that was refused or absent comes about after all.
    """

    operation: Operation
    number: int
    status: str
    gateway_ref: str | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    latency_ms: float | None = None
    asked: bool = False
    sent_again: bool = False
    not_found: bool = False
    recheck_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that one step of one job changes. `payment` is the payment after `events`."""

    job_id: str
    lease_epoch: int
    payment: Payment
    version_before: int
    events: Sequence[Event]
    job: JobChange
    opened: OpenAttempt | None = None
    answered: AnswerAttempt | None = None
    # Written with the job, so that this change is known again where only the answer to its COMMIT was lost.
    number: int = field(default_factory=lambda: random.getrandbits(63))


_RECORD = """
WITH change AS (
    SELECT * FROM json_to_recordset(%(changes)s::json) AS x(
        number bigint, job_id text, lease_epoch int, job_status text, queue text, run_in_s float8, reason text,
        result jsonb, progress boolean,
        payment_id text, version_before int, version int, state text, authorized_minor bigint,
        captured_minor bigint, refunded_minor bigint, gateway text, gateway_ref text, certainty text,
        last_error jsonb, next_action jsonb)
), held AS (
    UPDATE jobs j
    SET last_change = c.number, status = c.job_status, queue = c.queue, reason = c.reason,
        result = coalesce(c.result, j.result),
        run_at = CASE c.job_status
            WHEN 'waiting' THEN clock_timestamp() + make_interval(secs => c.run_in_s) ELSE j.run_at END,
        lease_until = CASE c.job_status
            WHEN 'running' THEN clock_timestamp() + make_interval(secs => %(lease_s)s) END,
        claim_count = CASE WHEN c.progress THEN 0 ELSE j.claim_count END,
        updated_at = clock_timestamp(),
        finished_at = CASE WHEN c.job_status IN ('succeeded', 'failed') THEN clock_timestamp() END
    FROM change c
    WHERE j.id = c.job_id AND j.lease_epoch = c.lease_epoch AND j.status = 'running'
        AND j.last_change IS DISTINCT FROM c.number
        AND NOT EXISTS (SELECT FROM payments f WHERE f.id = c.payment_id AND f.frozen_at IS NOT NULL)
    RETURNING c.payment_id, j.merchant_id
), moved AS (
    UPDATE payments p
    SET state = c.state, version = c.version, authorized_minor = c.authorized_minor,
        captured_minor = c.captured_minor, refunded_minor = c.refunded_minor, gateway = c.gateway,
        gateway_ref = c.gateway_ref, certainty = c.certainty, last_error = c.last_error,
        next_action = c.next_action, updated_at = clock_timestamp()
    FROM change c JOIN held h ON h.payment_id = c.payment_id
    WHERE p.id = c.payment_id AND p.version = c.version_before AND c.version > c.version_before
    RETURNING p.id, p.merchant_id
), told AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    SELECT e.payment_id, e.seq, e.type, e.data
    FROM json_to_recordset(%(events)s::json) AS e(payment_id text, seq int, type text, data jsonb)
    JOIN moved m ON m.id = e.payment_id
    ORDER BY e.payment_id, e.seq
    RETURNING payment_id, seq
), to_deliver AS (
    INSERT INTO outbox (payment_id, seq, merchant_id)
    SELECT t.payment_id, t.seq, m.merchant_id FROM told t JOIN moved m ON m.id = t.payment_id
), answered AS (
    UPDATE attempts a
    SET status = n.status, gateway_ref = coalesce(n.gateway_ref, a.gateway_ref), outcome = n.outcome,
        latency_ms = coalesce(n.latency_ms, a.latency_ms),
        answered_at = CASE WHEN n.status <> 'SENT' THEN clock_timestamp() END,
        sends = a.sends + n.sent_again::int, checks = a.checks + n.asked::int,
        last_checked_at = CASE WHEN n.asked THEN clock_timestamp() ELSE a.last_checked_at END,
        not_found_count = CASE WHEN n.sent_again THEN 0 ELSE a.not_found_count + n.not_found::int END,
        first_not_found_at = CASE WHEN n.sent_again THEN NULL
            WHEN n.not_found THEN coalesce(a.first_not_found_at, clock_timestamp()) ELSE a.first_not_found_at END,
        recheck_at = CASE WHEN n.status <> 'APPROVED'
            THEN coalesce(clock_timestamp() + make_interval(secs => n.recheck_in_s), a.recheck_at) END
    FROM json_to_recordset(%(answered)s::json) AS n(
        payment_id text, operation text, number int, status text, gateway_ref text, outcome jsonb,
        latency_ms float8, asked boolean, sent_again boolean, not_found boolean, recheck_in_s float8)
    JOIN held h ON h.payment_id = n.payment_id
    WHERE a.payment_id = n.payment_id AND a.operation = n.operation AND a.number = n.number
), opened AS (
    INSERT INTO attempts (payment_id, operation, number, gateway, gateway_key, request_hash, status, decision,
        lease_epoch)
    SELECT o.payment_id, o.operation, o.number, o.gateway, o.gateway_key, o.request_hash, 'SENT', o.decision,
        o.lease_epoch
    FROM json_to_recordset(%(opened)s::json) AS o(
        payment_id text, operation text, number int, gateway text, gateway_key text, request_hash text,
        decision jsonb, lease_epoch int)
    JOIN held h ON h.payment_id = o.payment_id
), following AS (
    INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status, request)
    SELECT f.id, h.payment_id, h.merchant_id, f.operation, f.queue, 'queued', f.request
    FROM json_to_recordset(%(following)s::json) AS f(
        id text, payment_id text, operation text, queue text, request jsonb)
    JOIN held h ON h.payment_id = f.payment_id
)
SELECT c.job_id, c.payment_id, c.version = c.version_before OR m.id IS NOT NULL AS stands
FROM change c JOIN held h ON h.payment_id = c.payment_id LEFT JOIN moved m ON m.id = c.payment_id
"""

# A statement of its own: it sees what another transaction committed while the one above waited for its rows. The lease
# begins anew, as it does for what is written now.
_WRITTEN_BEFORE = """
UPDATE jobs j
SET lease_until = CASE j.status WHEN 'running' THEN clock_timestamp() + make_interval(secs => %(lease_s)s) END
FROM unnest(%(ids)s::text[], %(epochs)s::int[], %(numbers)s::bigint[]) AS mine(id, lease_epoch, number)
WHERE j.id = mine.id AND j.lease_epoch = mine.lease_epoch AND j.last_change = mine.number
RETURNING j.id
"""


def record(connection: Connection, changes: Sequence[Change], *, lease_s: float) -> set[str]:
    """Write the changes; returns the ids of the jobs whose change stands. The rest lost their fence and wrote nothing.

    Writing the same changes again is safe: what stands already is left as it is and counts as written.

    Freezing a payment takes its job's fence; one that is frozen all the same is not written to either.

    Raises VersionConflict, with nothing written, when a payment of a held job is not at the version it was read at.
    """
    if not changes:
        return set()
    rows = connection.exec_driver_sql(_RECORD, _parameters(changes, lease_s)).all()
    conflicts = [row.payment_id for row in rows if not row.stands]
    if conflicts:
        raise VersionConflict(conflicts)
    written = {row.job_id for row in rows}
    missing = [change for change in changes if change.job_id not in written]
    return written | _written_before(connection, missing, lease_s) if missing else written


def _written_before(connection: Connection, changes: Sequence[Change], lease_s: float) -> set[str]:
    parameters = {
        "lease_s": lease_s,
        "ids": [change.job_id for change in changes],
        "epochs": [change.lease_epoch for change in changes],
        "numbers": [change.number for change in changes],
    }
    return set(connection.exec_driver_sql(_WRITTEN_BEFORE, parameters).scalars())


def _parameters(changes: Sequence[Change], lease_s: float) -> dict[str, Any]:
    return {
        "lease_s": lease_s,
        "changes": json.dumps([_change_row(change) for change in changes]),
        "events": json.dumps(
            [
                {
                    "payment_id": event.payment_id,
                    "seq": event.seq,
                    "type": event.type,
                    "data": dict(event.data),
                }
                for change in changes
                for event in change.events
            ]
        ),
        "answered": json.dumps(
            [
                _answer_row(change.payment.id, change.answered)
                for change in changes
                if change.answered is not None
            ]
        ),
        "opened": json.dumps(
            [_open_row(change, change.opened) for change in changes if change.opened is not None]
        ),
        "following": json.dumps(
            [
                {"id": new_id(JOB), "payment_id": change.payment.id, **asdict(change.job.follow_up)}
                for change in changes
                if change.job.follow_up is not None
            ]
        ),
    }


def _change_row(change: Change) -> dict[str, Any]:
    payment, job = change.payment, change.job
    return {
        "number": change.number,
        "job_id": change.job_id,
        "lease_epoch": change.lease_epoch,
        "job_status": job.status,
        "queue": job.queue,
        "run_in_s": job.run_in_s,
        "reason": job.reason,
        "result": job.result,
        "progress": job.progress,
        "payment_id": payment.id,
        "version_before": change.version_before,
        "version": payment.version,
        "state": payment.state,
        "authorized_minor": payment.authorized_minor,
        "captured_minor": payment.captured_minor,
        "refunded_minor": payment.refunded_minor,
        "gateway": payment.gateway,
        "gateway_ref": payment.gateway_ref,
        "certainty": payment.certainty,
        "last_error": payment.last_error,
        "next_action": payment.next_action,
    }


def _answer_row(payment_id: str, answer: AnswerAttempt) -> dict[str, Any]:
    return {
        "payment_id": payment_id,
        "operation": answer.operation,
        "number": answer.number,
        "status": answer.status,
        "gateway_ref": answer.gateway_ref,
        "outcome": dict(answer.outcome),
        "latency_ms": answer.latency_ms,
        "asked": answer.asked,
        "sent_again": answer.sent_again,
        "not_found": answer.not_found,
        "recheck_in_s": answer.recheck_in_s,
    }


def _open_row(change: Change, attempt: OpenAttempt) -> dict[str, Any]:
    return {
        "payment_id": change.payment.id,
        "operation": attempt.operation,
        "number": attempt.number,
        "gateway": attempt.gateway,
        "gateway_key": attempt.gateway_key,
        "request_hash": attempt.request_hash,
        "decision": dict(attempt.decision),
        "lease_epoch": change.lease_epoch,
    }
