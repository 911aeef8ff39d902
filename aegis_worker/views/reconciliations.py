"""The JSON form of a run of reconciliation."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.reconciliations import StoredRun

from .values import rfc3339_or_none


def run_body(run: StoredRun) -> dict[str, Any]:
    """What one run looked at, found and repaired."""
    return {
        "id": run.id,
        "object": "reconciliation",
        "trigger": run.trigger,
        "dry_run": run.dry_run,
        "since": rfc3339_or_none(run.since),
        "found": dict(run.found),
        "fixed": dict(run.fixed),
        "mismatches": [dict(each) for each in run.mismatches],
        "started_at": rfc3339(run.started_at),
        "finished_at": rfc3339_or_none(run.finished_at),
    }
