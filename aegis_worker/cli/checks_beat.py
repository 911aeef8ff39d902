"""`aegis doctor`'s check of the schedule: whether beat sends its ticks, and whether workers carry them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis, RedisError

from aegis_worker.beat import STARTED, TICKS_KEY
from aegis_worker.celery import app as celery_app
from aegis_worker.persistence.database import Database
from aegis_worker.terminal.output import duration

from .checks import Check, ok, warn

# The reconciliation leaves a row in the database. It is due every minute; two may be missed.
_RECONCILE, _RECONCILED_LATE_S = "reconcile", 180.0
# A Redis that reconnects may delay even a tick that is due every second, so ticks are late only after this time.
_TICK_LATE_S = 30.0
_START = (
    "start beat (`celery -A aegis_worker.celery beat`) or `aegis relay`: lost hints stay lost without either"
)
_RESTART = "it is beat, not the workers: see its log, and restart it; `aegis relay` does its job meanwhile"
_WORKERS = "beat does its part: see that a worker takes the queue `maintenance`, and the workers' logs"

_LAST_RECONCILED = """
SELECT extract(epoch FROM clock_timestamp() - max(finished_at))::float8 FROM reconciliation_runs WHERE trigger = 'beat'
"""


def beat(database: Database, redis: Redis) -> Iterator[Check]:
    """Check the schedule by the time at which beat sent each tick, and by the rows that the reconciliation leaves."""
    with database.read() as connection:
        reconciled_s = connection.exec_driver_sql(_LAST_RECONCILED).scalar_one()
    yield judge(reconciled_s, _ages_s(redis))


def judge(reconciled_s: float | None, ages_s: Mapping[str, float] | None) -> Check:
    """Judge the schedule.

    `reconciled_s`: seconds since the last scheduled reconciliation, None for never. `ages_s`: seconds since each tick was
    sent; None while Redis can't be asked.
    """
    done = "has never reconciled" if reconciled_s is None else f"last reconciled {duration(reconciled_s)} ago"
    is_done = reconciled_s is not None and reconciled_s <= _RECONCILED_LATE_S
    ticks = {name: age_s for name, age_s in (ages_s or {}).items() if name in celery_app.conf.beat_schedule}
    if not ticks:
        # The ticks are unknown, or no beat runs. The relay keeps the schedule, too, so only the reconciliation counts.
        return (
            ok("beat", f"reconciled {duration(reconciled_s or 0)} ago")
            if is_done
            else warn("beat", done, _START)
        )
    late = {name: age_s for name, age_s in ticks.items() if age_s > _late_after_s(name)}
    if late and is_done and min(ticks.values()) > _RECONCILED_LATE_S:
        return ok(
            "beat",
            f"none; somebody else, such as `aegis relay`, reconciled {duration(reconciled_s or 0)} ago",
        )
    if late:
        shown = ", ".join(f"{name} {duration(age_s)} ago" for name, age_s in sorted(late.items()))
        return warn("beat", f"late ticks, last sent: {shown}", _RESTART)
    last = f"last tick {duration(min(ticks.values()))} ago"
    if is_done:
        return ok("beat", f"{last}, reconciled {duration(reconciled_s or 0)} ago")
    started_s = (ages_s or {}).get(STARTED, 0.0)
    if started_s < _RECONCILED_LATE_S:
        due_s = max(0.0, _every_s(_RECONCILE) - ticks.get(_RECONCILE, 0.0))
        return ok("beat", f"{last}, started {duration(started_s)} ago; reconciles in {duration(due_s)}")
    return warn("beat", f"{last}, but {done}", _WORKERS)


def _ages_s(redis: Redis) -> Mapping[str, float] | None:
    try:
        noted: Any = redis.hgetall(TICKS_KEY)
        seconds, microseconds = redis.time()
    except RedisError:
        return None
    now_ms = seconds * 1000 + microseconds / 1000
    return {name.decode(): max(0.0, now_ms - float(at_ms)) / 1000 for name, at_ms in noted.items()}


def _every_s(tick: str) -> float:
    return float(celery_app.conf.beat_schedule[tick]["schedule"])


def _late_after_s(tick: str) -> float:
    return 2 * _every_s(tick) + _TICK_LATE_S
