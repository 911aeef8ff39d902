"""Look after holds: have merchants told before one ends, and gateways asked after it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from aegis_worker.crash_points import crash_point
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.hold_rows import open_looks

_BATCH = 200


def look_after_holds(database: Database, release_before_s: float) -> int:
    """Give a batch of holds that something is due about their jobs; returns how many. Raises DatabaseUnavailable.

    `release_before_s`: so long before its end a hold is released by us; 0: never.
    """
    before = timedelta(seconds=release_before_s)
    opened = database.run(partial(open_looks, release_before=before, limit=_BATCH))
    if opened:
        crash_point("expiry.opened")
    return opened
