"""What payers brought back from an action, sealed until the gateway's answer to it is settled (`confirms`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from aegis_worker.domain.changes import AnswerAttempt, Change
from aegis_worker.domain.confirms import Confirm, KeptConfirm
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Operation
from aegis_worker.errors import CannotUnseal
from aegis_worker.sealing.ring import KeyRing

_PLACE = "confirms"

_ADD = """
INSERT INTO confirms (payment_id, number, digest, sealed)
VALUES (%(payment_id)s, %(number)s, %(digest)s, %(sealed)s)
"""

_OF_PAYMENT = """
SELECT number, encode(digest, 'hex') AS digest, sealed IS NOT NULL AS is_open FROM confirms
WHERE payment_id = %(payment_id)s ORDER BY number
"""

_OF_JOBS = """
SELECT c.payment_id, c.number, encode(c.digest, 'hex') AS digest, c.sealed
FROM confirms c JOIN unnest(%(payments)s::text[], %(numbers)s::int[]) AS asked(payment_id, number)
    USING (payment_id, number)
"""

_ERASE = """
UPDATE confirms c SET sealed = NULL FROM unnest(%(payments)s::text[], %(numbers)s::int[]) AS ended(payment_id, number)
WHERE c.payment_id = ended.payment_id AND c.number = ended.number
"""

# A job that runs keeps its queue and its lease; whoever holds it makes it due (`confirm_seen` in record.sql).
_WAKE = """
UPDATE jobs
SET request = coalesce(request, '{}') || jsonb_build_object('confirm', %(number)s::int),
    run_at = CASE WHEN status = 'running' THEN run_at ELSE clock_timestamp() END,
    queue = CASE WHEN status = 'running' THEN queue ELSE 'payments' END,
    status = CASE WHEN status = 'review' THEN 'waiting' ELSE status END,
    updated_at = clock_timestamp()
WHERE id = %(job_id)s
"""


def kept_confirms(connection: Connection, payment_id: str) -> list[KeptConfirm]:
    """The payment's confirms, the first one first."""
    rows = connection.exec_driver_sql(_OF_PAYMENT, {"payment_id": payment_id})
    return [KeptConfirm(row.number, row.digest, row.is_open) for row in rows]


def add_confirm(
    connection: Connection, ring: KeyRing, payment_id: str, job_id: str, number: int, digest: bytes, data: Any
) -> None:
    """Keep what the payer brought back, and make the job due that hands it to the gateway."""
    sealed = ring.seal(json.dumps(data).encode(), _PLACE, payment_id, str(number))
    names = {"payment_id": payment_id, "number": number, "digest": digest, "sealed": sealed}
    connection.exec_driver_sql(_ADD, names)
    connection.exec_driver_sql(_WAKE, {"job_id": job_id, "number": number})


def with_confirms(connection: Connection, ring: KeyRing, jobs: list[ClaimedJob]) -> list[ClaimedJob]:
    """The jobs, each with the confirm that it names. Makes no statement where none does."""
    asked = {job.payment.id: number for job in jobs if (number := (job.request or {}).get("confirm"))}
    if not asked:
        return jobs
    names = {"payments": list(asked), "numbers": list(asked.values())}
    rows = connection.exec_driver_sql(_OF_JOBS, names).mappings()
    found = {
        row["payment_id"]: _opened(ring, row["payment_id"], row["number"], row["digest"], row["sealed"])
        for row in rows
    }
    return [replace(job, confirm=found.get(job.payment.id)) for job in jobs]


def _opened(ring: KeyRing, payment_id: str, number: int, digest: str, sealed: Any) -> Confirm:
    if sealed is None:
        return Confirm(number, digest, unreadable="it is erased")
    try:
        data = json.loads(ring.unseal(bytes(sealed), _PLACE, payment_id, str(number)))
    except CannotUnseal as error:
        return Confirm(number, digest, unreadable=str(error))
    return Confirm(number, digest, data)


def erase_confirms(connection: Connection, changes: Sequence[Change]) -> None:
    """Erase what was brought back with the confirms that the changes end. Makes no statement where there is none."""
    ended = [(change.payment.id, number) for change in changes if (number := _ended(change)) is not None]
    if ended:
        names = {"payments": [one[0] for one in ended], "numbers": [one[1] for one in ended]}
        connection.exec_driver_sql(_ERASE, names)


def _ended(change: Change) -> int | None:
    for one in (change.beside, change.answered):
        if one is not None and _is_ended_confirm(one):
            return one.number
    return None


def _is_ended_confirm(answer: AnswerAttempt) -> bool:
    return answer.operation is Operation.CONFIRM and answer.status in ("APPROVED", "DECLINED")
