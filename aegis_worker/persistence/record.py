"""The one path to a state change (design D5): rows, events, outbox, attempts and jobs of a batch in one statement.

A job whose fence is lost is left out and reported, and the other changes stand. If a payment has changed since it was
read, the whole statement is undone, and the caller decides again on the payment as it is now. The same happens if a
gateway's reference already belongs to another payment, because one (gateway, gateway_ref) belongs to at most one payment
(design D18).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.json import Encoder
from msgspec.structs import asdict
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.domain.changes import AnswerAttempt, Change, OpenAttempt
from aegis_worker.errors import ReferenceTaken, VersionConflict
from aegis_worker.ids import JOB, new_id

from .entity_rows import open_next, write_entities
from .prepared import ROW_BY_ROW, Prepared
from .statement_files import text_of
from .tables.payments import gateway_references

_RECORD = Prepared("record", text_of("record"), "json, int", before=ROW_BY_ROW)

_ENCODER = Encoder()

# Charges that a gateway showed beside the one that was asked about. Writing it again is safe.
_FOUND = """
WITH found AS (
    INSERT INTO attempts (payment_id, operation, number, gateway, account, gateway_key, request_hash, status, gateway_ref,
        outcome, decision, lease_epoch, answered_at)
    SELECT n.payment_id, 'process', n.number, n.gateway, n.account, n.gateway_key, n.request_hash, 'APPROVED',
        n.gateway_ref, n.outcome, '{"because": "its gateway showed it under the reference of another charge"}',
        n.lease_epoch, clock_timestamp()
    FROM json_to_recordset(%(rows)s::json) AS n(payment_id text, number int, gateway text, account text, gateway_key text,
        request_hash text, gateway_ref text, outcome jsonb, lease_epoch int)
    ON CONFLICT DO NOTHING
    RETURNING payment_id, gateway, gateway_ref
)
INSERT INTO gateway_references AS r (gateway, gateway_ref, payment_id)
SELECT gateway, gateway_ref, payment_id FROM found
ON CONFLICT (gateway, gateway_ref) DO UPDATE SET payment_id = NULL WHERE r.payment_id <> excluded.payment_id
"""

# A separate statement, because it has to see what another transaction committed while the one above waited for its rows.
# The lease begins anew, as it does for a change that is written now.
_WRITTEN_BEFORE = """
UPDATE jobs j
SET lease_until = CASE j.status WHEN 'running' THEN clock_timestamp() + make_interval(secs => %(lease_s)s) END
FROM unnest(%(ids)s::text[], %(epochs)s::int[], %(numbers)s::bigint[]) AS mine(id, lease_epoch, number)
WHERE j.id = mine.id AND j.lease_epoch = mine.lease_epoch AND j.last_change = mine.number
RETURNING j.id
"""


class _Answered(Struct, omit_defaults=True):
    operation: str
    number: int
    status: str
    outcome: dict[str, Any]
    gateway_ref: str | None = None
    latency_ms: float | None = None
    asked: bool = False
    sent_again: bool = False
    not_found: bool = False
    recheck_in_s: float | None = None


class _Row(Struct, omit_defaults=True):
    """A change as `record.sql` reads it. Fields with their usual value are left out, because PostgreSQL takes time to read
    each of them.
    """

    number: int
    job_id: str
    lease_epoch: int
    lease_s: float
    job_status: str
    queue: str
    run_in_s: float
    payment_id: str
    version_before: int
    version: int
    state: str
    certainty: str
    events: list[dict[str, Any]]
    reason: str | None = None
    result: Any = None
    progress: bool = False
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    capturing_minor: int = 0
    refunding_minor: int = 0
    closing: bool = False
    cancelling: bool = False
    capture_before: str | None = None
    gateway: str | None = None
    gateway_ref: str | None = None
    last_error: Any = None
    next_action: Any = None
    screening: Any = None
    answered: list[_Answered] | None = None
    opened: dict[str, Any] | None = None
    confirm_seen: int | None = None
    follow_up: dict[str, Any] | None = None
    review_kind: str | None = None


def record(connection: Connection, changes: Sequence[Change], *, lease_s: float) -> set[str]:
    """Write the changes; returns the ids of the jobs whose change stands. The rest lost their fence and wrote nothing.

    Writing the same changes again is safe: a change that stands already is left as it is and counts as written.

    Freezing a payment raises its job's fence. A frozen payment is not written to even if the fence is still held.
    Raises VersionConflict, with nothing written, if a payment of a held job is not at the version it was read at;
    ReferenceTaken, likewise, if a payment was given a reference that belongs to another one.
    """
    if not changes:
        return set()
    rows_in = _as_json(changes, lease_s)
    try:
        rows = _RECORD.execute(connection, rows_in, len(changes)).all()
    except DBAPIError as error:
        if _is_of_references(error):
            raise ReferenceTaken([change.payment.id for change in changes]) from error
        raise
    conflicts = [row.payment_id for row in rows if not row.stands]
    if conflicts:
        raise VersionConflict(conflicts)
    written = {row.job_id for row in rows}
    missing = [change for change in changes if change.job_id not in written]
    if missing:
        written |= _written_before(connection, missing, lease_s)
    found = [change for change in changes if change.found and change.job_id in written]
    if found:
        _write_found(connection, found)
    of_orders = [change for change in changes if change.entities or change.hands_on]
    if of_orders:
        standing = [change for change in of_orders if change.job_id in written]
        write_entities(connection, standing)
        open_next(connection, standing)
    return written


def _write_found(connection: Connection, changes: Sequence[Change]) -> None:
    rows = [
        {
            **asdict(one),
            "outcome": one.outcome.to_json(),
            "payment_id": change.payment.id,
            "lease_epoch": change.lease_epoch,
        }
        for change in changes
        for one in change.found
    ]
    try:
        connection.exec_driver_sql(_FOUND, {"rows": json.dumps(rows)})
    except DBAPIError as error:
        if _is_of_references(error):
            raise ReferenceTaken([change.payment.id for change in changes]) from error
        raise


def _is_of_references(error: DBAPIError) -> bool:
    diagnosis = getattr(error.orig, "diag", None)
    return getattr(diagnosis, "table_name", None) == gateway_references.name


def _written_before(connection: Connection, changes: Sequence[Change], lease_s: float) -> set[str]:
    parameters = {
        "lease_s": lease_s,
        "ids": [change.job_id for change in changes],
        "epochs": [change.lease_epoch for change in changes],
        "numbers": [change.number for change in changes],
    }
    return set(connection.exec_driver_sql(_WRITTEN_BEFORE, parameters).scalars())


def _as_json(changes: Sequence[Change], lease_s: float) -> str:
    """The changes as one document. What PostgreSQL can't keep, it refuses: NaN, infinities and half a surrogate pair.

    msgspec takes an eighth of the time of json, but it writes null for NaN and infinities. Only what another version
    stored may hold such a number, so json writes that.
    """
    rows = [_row(change, lease_s) for change in changes]
    if not any(_keeps_foreign_values(change) for change in changes):
        with suppress(UnicodeEncodeError):
            return _ENCODER.encode(rows).decode()
    return json.dumps(to_builtins(rows))


def _keeps_foreign_values(change: Change) -> bool:
    unread = () if change.answered is None else change.answered.outcome.unread
    return any(value is not None for _, value in unread)


def _row(change: Change, lease_s: float) -> _Row:
    payment, job = change.payment, change.job
    return _Row(
        number=change.number,
        job_id=change.job_id,
        lease_epoch=change.lease_epoch,
        lease_s=lease_s,
        job_status=job.status,
        queue=job.queue,
        run_in_s=job.run_in_s,
        reason=job.reason,
        result=job.result,
        progress=job.progress,
        payment_id=payment.id,
        version_before=change.version_before,
        version=payment.version,
        state=payment.state,
        authorized_minor=payment.authorized_minor,
        captured_minor=payment.captured_minor,
        refunded_minor=payment.refunded_minor,
        capturing_minor=payment.capturing_minor,
        refunding_minor=payment.refunding_minor,
        closing=payment.closing,
        cancelling=payment.cancelling,
        capture_before=payment.capture_before,
        gateway=payment.gateway,
        gateway_ref=payment.gateway_ref,
        certainty=payment.certainty,
        last_error=payment.last_error,
        next_action=payment.next_action,
        screening=payment.screening,
        events=[{"seq": event.seq, "type": event.type, "data": dict(event.data)} for event in change.events],
        answered=[_answered(one) for one in (change.answered, change.beside) if one] or None,
        opened=None if change.opened is None else _opened(change.opened),
        confirm_seen=change.confirm_seen,
        review_kind=job.review_kind if job.status == "review" else None,
        follow_up=None if job.follow_up is None else {"id": new_id(JOB), **asdict(job.follow_up)},
    )


def _answered(answer: AnswerAttempt) -> _Answered:
    return _Answered(
        operation=answer.operation,
        number=answer.number,
        status=answer.status,
        gateway_ref=answer.gateway_ref,
        outcome=answer.outcome.to_json(),
        latency_ms=answer.latency_ms,
        asked=answer.asked,
        sent_again=answer.sent_again,
        not_found=answer.not_found,
        recheck_in_s=answer.recheck_in_s,
    )


def _opened(attempt: OpenAttempt) -> dict[str, Any]:
    return {
        "operation": attempt.operation,
        "number": attempt.number,
        "gateway": attempt.gateway,
        "gateway_key": attempt.gateway_key,
        "request_hash": attempt.request_hash,
        "decision": dict(attempt.decision),
        "account": attempt.account,
    }
