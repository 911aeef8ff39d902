"""Reconcile: find what is stuck, ask the gateways, repair what may be repaired, and write down what was found.

The verify ladder asks the gateways about payments in doubt. Reconciliation covers what no ladder does: hints that were
lost, payments that have no job, and ended payments about which we and the gateways may disagree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.comparison import Comparison
from aegis_worker.hints import Notifier
from aegis_worker.ids import JOB, PAYMENT, RECONCILIATION, first_id_at, new_id
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import FINDINGS
from aegis_worker.observability.tracing import TRACING
from aegis_worker.persistence import trails
from aegis_worker.persistence.asking import sync_now
from aegis_worker.persistence.claims import due_by_queue
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.ended_payments import ended_payments
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.comparing import compared
from aegis_worker.pipeline.exchanges import NOTHING_KEPT, Exchanges

# Bounds: jobs counted in a sweep, payments repaired in a run, payments compared in a page, mismatches kept.
_SWEEP_LIMIT, _REPAIR_LIMIT, _PAGE, _MISMATCHES_KEPT = 1000, 500, 200, 500
# A payment without an open job counts as an orphan only after it has not changed for this long.
_ORPHAN_AGE_S = 60
# What is found that should not be; the rest of what a run finds is on its way.
COUNTED_FINDINGS = ("payments_without_a_job", "mismatches", "unanswered")


@dataclass(frozen=True, slots=True)
class ReconcileParts:
    """What reconciliation works with. `verify_now` runs the verify queue here and returns when nothing is due."""

    database: Database
    gateways: Mapping[str, PaymentGateway]
    hints: Notifier
    verify_now: Callable[[], object]
    exchanges: Exchanges = NOTHING_KEPT


@dataclass(slots=True)
class ReconciliationRun:
    """What one run found and fixed, as it stands in `reconciliation_runs`."""

    id: str
    trigger: Literal["beat", "operator"]
    dry_run: bool
    since: datetime | None
    found: dict[str, int] = field(default_factory=dict)
    fixed: dict[str, int] = field(default_factory=dict)
    mismatches: list[dict[str, Any]] = field(default_factory=list)


def sweep(database: Database, hints: Notifier) -> dict[str, int]:
    """Send the hint of every queue that has due or abandoned jobs; returns how many, counted up to a bound.

    Captures and refunds whose gateway is to be asked again get their jobs first.
    """
    database.run(lambda connection: open_checks(connection, limit=_REPAIR_LIMIT))
    with database.read() as connection:
        due = due_by_queue(connection, limit=_SWEEP_LIMIT)
    if due:
        crash_point("sweep.found")
    for queue in due:
        hints.notify(queue)
    return due


_ORPHANS = """
SELECT p.id FROM payments p
WHERE p.unfinished AND p.state <> 'AUTHORIZED' AND p.frozen_at IS NULL
  AND p.updated_at < statement_timestamp() - make_interval(secs => %(age_s)s)
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.payment_id = p.id AND j.finished_at IS NULL)
LIMIT %(limit)s
"""

_GIVE_A_JOB = f"""
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, {trails.NAMES})
SELECT %(job_id)s, id, merchant_id, mode, 'process', 'payments', 'queued', {trails.OF_LAST_TRAIL}
FROM payments p {trails.LAST_TRAIL.format(payment_id="p.id")} WHERE id = %(payment_id)s
ON CONFLICT DO NOTHING
"""

_WAITING_FOR_AN_ANSWER = """
SELECT (
    SELECT count(*) FROM jobs
    WHERE queue = 'verify' AND status = 'waiting' AND finished_at IS NULL AND NOT in_review
) AS waiting, (SELECT count(*) FROM jobs WHERE in_review) AS review
"""

_ASK_NOW = """
UPDATE jobs SET run_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id IN (SELECT id FROM jobs
             WHERE queue = 'verify' AND status = 'waiting' AND finished_at IS NULL AND NOT in_review
             ORDER BY run_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""

_WRITE_DOWN = """
INSERT INTO reconciliation_runs (id, trigger, dry_run, since, found, fixed, mismatches, started_at, finished_at)
VALUES (%(id)s, %(trigger)s, %(dry_run)s, %(since)s, %(found)s::jsonb, %(fixed)s::jsonb, %(mismatches)s::jsonb,
        %(started_at)s, clock_timestamp())
ON CONFLICT (id) DO NOTHING
"""


def reconcile(
    parts: ReconcileParts,
    *,
    trigger: Literal["beat", "operator"],
    dry_run: bool = False,
    since: datetime | None = None,
) -> ReconciliationRun:
    """Run once. An operator's run asks about everything in doubt now; with `since`, it also compares ended payments.

    A dry run looks, asks about ended payments and writes only its own row. Raises DatabaseUnavailable.
    """
    run = ReconciliationRun(new_id(RECONCILIATION), trigger, dry_run, since)
    with parts.database.read() as connection:
        started_at = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    _look_for_lost_hints(parts, run)
    _look_for_orphans(parts, run)
    _look_at_doubt(parts, run)
    if since is not None:
        _compare(parts, run, since)
    crash_point("reconcile.repaired")
    parts.database.run(lambda connection: _write_down(connection, run, started_at))
    crash_point("reconcile.written")
    for kind in COUNTED_FINDINGS:
        if found := run.found.get(kind):
            METER.increment(FINDINGS, kind, by=found)
    return run


def _look_for_lost_hints(parts: ReconcileParts, run: ReconciliationRun) -> None:
    if run.dry_run:
        with parts.database.read() as connection:
            due = due_by_queue(connection, limit=_SWEEP_LIMIT)
    else:
        due = sweep(parts.database, parts.hints)
        run.fixed["hints_sent"] = len(due)
    run.found["due_jobs"] = sum(due.values())


def _look_for_orphans(parts: ReconcileParts, run: ReconciliationRun) -> None:
    with parts.database.read() as connection:
        orphans = connection.exec_driver_sql(_ORPHANS, {"age_s": _ORPHAN_AGE_S, "limit": _REPAIR_LIMIT}).all()
    run.found["payments_without_a_job"] = len(orphans)
    crash_point("reconcile.looked")
    if run.dry_run or not orphans:
        return

    def give_jobs(connection: Connection) -> int:
        rows = [{"job_id": new_id(JOB), "payment_id": payment_id} for (payment_id,) in orphans]
        return sum(connection.exec_driver_sql(_GIVE_A_JOB, row).rowcount for row in rows)

    run.fixed["jobs_given"] = parts.database.run(give_jobs)
    parts.hints.notify("payments")


def _look_at_doubt(parts: ReconcileParts, run: ReconciliationRun) -> None:
    waiting, review = _waiting_and_review(parts)
    run.found |= {"waiting_for_the_gateway": waiting, "in_review": review}
    if run.dry_run or run.trigger == "beat" or not waiting:
        return
    parts.database.run(lambda connection: connection.exec_driver_sql(_ASK_NOW, {"limit": _REPAIR_LIMIT}))
    parts.verify_now()
    still_waiting, _ = _waiting_and_review(parts)
    run.fixed["settled"] = max(0, waiting - still_waiting)


def _waiting_and_review(parts: ReconcileParts) -> tuple[int, int]:
    with parts.database.read() as connection:
        row = connection.exec_driver_sql(_WAITING_FOR_AN_ANSWER).one()
    return row.waiting, row.review


def _compare(parts: ReconcileParts, run: ReconciliationRun, since: datetime) -> None:
    """Ask about every charge of payments accepted since then that rest; report where the gateway disagrees.

    A payment with a charge too many, or with whose charge its gateway did more than we know, is asked about once more by a
    `sync`, which tells of it and follows the policy.
    """
    run.found |= {"compared": 0, "unanswered": 0, "mismatches": 0}

    ask = partial(compared, parts.gateways, parts.exchanges)
    with ThreadPoolExecutor(8, thread_name_prefix="compare") as pool:
        for page in ended_payments(parts.database, after=first_id_at(PAYMENT, since), page=_PAGE):
            for comparison in pool.map(TRACING.carried(ask), page):
                run.found["compared"] += 1
                _judge(parts, run, comparison)
            parts.exchanges.write()


def _judge(parts: ReconcileParts, run: ReconciliationRun, comparison: Comparison) -> None:
    if not comparison.is_answered:
        run.found["unanswered"] += 1
    elif comparison.differs:
        run.found["mismatches"] += 1
        if len(run.mismatches) < _MISMATCHES_KEPT:
            run.mismatches.append(asdict(comparison))
        if (comparison.is_charged_too_often or comparison.has_news) and not run.dry_run:
            parts.database.run(lambda connection: sync_now(connection, comparison.payment_id))
            parts.hints.notify("verify")
            run.fixed["asked_about"] = run.fixed.get("asked_about", 0) + 1


def _write_down(connection: Connection, run: ReconciliationRun, started_at: datetime) -> None:
    connection.exec_driver_sql(
        _WRITE_DOWN,
        {
            "id": run.id,
            "trigger": run.trigger,
            "dry_run": run.dry_run,
            "since": run.since,
            "found": json.dumps(run.found),
            "fixed": json.dumps(run.fixed),
            "mismatches": json.dumps(run.mismatches),
            "started_at": started_at,
        },
    )
