"""Keep the read models: take in what events have changed, and make all of them anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from aegis_worker.persistence import projections
from aegis_worker.persistence.database import Database

# A statement takes a tenth of a second or so, and whoever reads payments meanwhile is not held up.
_SOME = 2000


def keep(database: Database, *, budget_s: float = 5.0) -> int:
    """Take in changes until none is left, or the budget is spent, or another process takes them in; how many there were.

    Raises DatabaseUnavailable; what was taken in by then stays so.
    """
    total, stop_at = 0, time.monotonic() + budget_s
    while time.monotonic() < stop_at:
        taken = database.run(partial(projections.take_in, limit=_SOME))
        total += taken or 0
        if taken is None or taken < _SOME:
            break
    return total


def rebuild(database: Database, *, goes_on: bool, done: Callable[[int], None] = lambda count: None) -> int:
    """Make the read models anew from all payments, in batches; how many payments they have.

    `goes_on`: from where a rebuild that did not end stopped. Until the end they lack payments, and say so. Changes are
    taken in meanwhile as always. `done` is told of each batch. Raises DatabaseUnavailable, after which it may go on.
    """
    with database.read() as connection:
        at = projections.lag(connection).rebuilding_to
    if not goes_on or at is None:
        database.run(projections.begin_rebuild)
        at = ""
    total = 0
    while True:
        taken, at = database.run(partial(projections.rebuild_some, after=at, limit=_SOME))
        total += taken
        done(taken)
        if taken < _SOME:
            return total
