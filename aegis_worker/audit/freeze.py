"""Freezing: if a payment's events don't lead to its row, nothing touches the payment until a person has looked at it.

The way out is an operator's resolution, `review.rebuild`.
"""

from __future__ import annotations

from sqlalchemy import Connection

from aegis_worker.ids import JOB, new_id

from .checks import violations
from .subjects import read_subjects
from .violations import Bounds, Violation

# Lock the job before the payment, as `record` does. In the other order the two could deadlock.
_LOCK_JOB = """
SELECT id FROM jobs WHERE payment_id = %(payment_id)s AND status IN ('queued', 'running', 'waiting', 'review')
FOR UPDATE
"""
_LOCK_PAYMENT = "SELECT id FROM payments WHERE id = %(payment_id)s FOR UPDATE"

_FREEZE = "UPDATE payments SET frozen_at = clock_timestamp() WHERE id = %(payment_id)s AND frozen_at IS NULL"

# Raising the fence makes a worker that holds the job a zombie, so that its result is dropped.
_FENCE_OFF = """
UPDATE jobs SET status = 'review', lease_epoch = lease_epoch + 1, lease_until = NULL, reason = %(reason)s,
    updated_at = clock_timestamp()
WHERE payment_id = %(payment_id)s AND status IN ('queued', 'running', 'waiting', 'review')
    AND (status <> 'review' OR reason IS DISTINCT FROM %(reason)s)
"""
_JOB_IN_REVIEW = """
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, reason)
SELECT %(job_id)s, id, merchant_id, mode, 'sync', 'verify', 'review', %(reason)s FROM payments WHERE id = %(payment_id)s
ON CONFLICT DO NOTHING
"""

_REASON = "frozen by the audit: "


def freeze_if_broken(connection: Connection, payment_id: str, bounds: Bounds) -> tuple[bool, list[Violation]]:
    """Look again at a payment's whole history while its rows are locked, and freeze the payment if that is broken.

    Returns whether it is frozen now, and what is wrong with it. Its open job goes to review under a raised fence; if it
    has none, a job in review is made.
    """
    names = {"payment_id": payment_id, "job_id": new_id(JOB)}
    connection.exec_driver_sql(_LOCK_JOB, names)
    connection.exec_driver_sql(_LOCK_PAYMENT, names)
    found = _look_again(connection, payment_id, bounds)
    broken = [violation for violation in found if violation.breaks_history]
    if not broken:
        return False, found
    names["reason"] = _REASON + "; ".join(violation.summary for violation in broken)
    for statement in (_FREEZE, _FENCE_OFF, _JOB_IN_REVIEW):
        connection.exec_driver_sql(statement, names)
    return True, found


def _look_again(connection: Connection, payment_id: str, bounds: Bounds) -> list[Violation]:
    subjects = read_subjects(connection, bounds=bounds, limit=1, only=[payment_id], whole=True)
    return [violation for subject in subjects for violation in violations(subject, bounds)]
