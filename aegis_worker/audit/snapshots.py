"""Snapshots of long histories, so that nothing has to be folded from its start. They speed up; the events decide."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection

from aegis_worker.domain.replay import snapshot

from .checks import folded, violations
from .subjects import read_subjects
from .violations import Bounds

_KEEP = """
INSERT INTO payment_snapshots (payment_id, seq, state, at)
SELECT payment_id, seq, %(state)s::jsonb, at FROM payment_events WHERE payment_id = %(payment_id)s AND seq = %(seq)s
ON CONFLICT DO NOTHING
"""


def keep_snapshots(connection: Connection, payment_ids: Sequence[str], bounds: Bounds) -> int:
    """Keep a snapshot of each payment with which the audit finds no fault; returns how many were kept."""
    kept = 0
    for subject in read_subjects(connection, bounds=bounds, limit=len(payment_ids), only=payment_ids):
        if not violations(subject, bounds):
            state = json.dumps(snapshot(folded(subject)))
            names = {"payment_id": subject.payment.id, "seq": subject.last_seq, "state": state}
            kept += connection.exec_driver_sql(_KEEP, names).rowcount
    return kept
