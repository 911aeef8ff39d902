"""Rechecks of charges that were given up, without waiting for their time."""

from __future__ import annotations

from aegis_worker.hints import NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.recheck import RecheckParts, recheck

LADDER_S = (900.0, 3600.0, 259_200.0)


def make_rechecks_due(database: Database) -> None:
    """Let the time pass until the next recheck of every charge."""
    due = "UPDATE attempts SET recheck_at = now() WHERE recheck_at IS NOT NULL"
    database.run(lambda tx: tx.exec_driver_sql(due))


def recheck_now(database: Database, parts: PipelineParts) -> dict[str, int]:
    """Ask about what is due."""
    return recheck(RecheckParts(database, parts.gateways, NoHints(), LADDER_S))


def rechecked(database: Database, parts: PipelineParts) -> dict[str, int]:
    """Let the next recheck come due and carry it out."""
    make_rechecks_due(database)
    return recheck_now(database, parts)
