"""`aegis doctor`'s checks of PostgreSQL: the server and its settings, and the work that waits in the tables."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import Connection

from aegis_worker.persistence import delivery_lag, outbox_rows
from aegis_worker.persistence.compatibility import fit
from aegis_worker.persistence.delivery_lag import DEAD_WITHIN_D
from aegis_worker.persistence.tables import metadata
from aegis_worker.settings import Settings
from aegis_worker.terminal.output import duration

from .checks import Check, fail, ok, warn

_OLDEST_VERSION = 16
_MOST_SKEW_S = 1.0
# Workers take up a due job within seconds, and beat looks for lost hints every 5 s.
_LATE_S, _VERY_LATE_S = 15, 60
_COUNT_LIMIT = 10_000

_SERVER = """
SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version,
    current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery() AS read_only,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0) AS usable,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS in_use
"""

# Settings under which PostgreSQL writes requests into its own log, with the values that prevent it. Roles and connections
# can override them, so they are read over this connection.
_KEEPS_REQUESTS_OUT = {
    "log_min_error_statement": ("panic",),
    "log_error_verbosity": ("terse",),
    "log_min_messages": ("log", "fatal", "panic"),
    "log_min_duration_statement": ("-1",),
    "log_min_duration_sample": ("-1",),
    "log_transaction_sample_rate": ("0",),
    "log_statement": ("none", "ddl"),
    "auto_explain.log_min_duration": ("-1",),
}

_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY (%(names)s)"

_DUE = """
SELECT count(*) AS due, coalesce(extract(epoch FROM statement_timestamp() - min(since)), 0)::float8 AS oldest_s FROM (
    SELECT coalesce(lease_until, run_at) AS since FROM jobs
    WHERE queue = %(queue)s AND finished_at IS NULL AND NOT in_review AND run_at <= statement_timestamp()
        AND (status IN ('queued', 'waiting') OR lease_until < statement_timestamp())
    ORDER BY run_at LIMIT %(limit)s
) due
"""

_OPEN = """
SELECT (SELECT count(*) FROM jobs WHERE in_review) AS review,
    (SELECT count(*) FROM jobs WHERE in_review AND review_kind = 'fraud') AS held_back, (
    SELECT count(*) FROM jobs
    WHERE queue = 'verify' AND status = 'waiting' AND finished_at IS NULL AND NOT in_review
) AS in_doubt
"""


# The rights on a table that AegisPay needs and the role lacks.
_MAY = """
SELECT wanted FROM unnest(%(rights)s::text[]) wanted
WHERE NOT coalesce(has_table_privilege(to_regclass(%(table)s), wanted), true) ORDER BY wanted
"""
_RIGHTS = {"SELECT", "INSERT"}
_ONLY_ADDED_TO = {"payment_events", "payment_snapshots", "audit_log", "routing_versions", "rules_versions"}


def server(connection: Connection, settings: Settings) -> Iterator[Check]:
    """Version, durability, whether the server accepts writes, and free connections."""
    row = connection.exec_driver_sql(_SERVER).one()
    if row.major < _OLDEST_VERSION:
        yield fail(
            "PostgreSQL", f"version {row.version}", f"upgrade to PostgreSQL {_OLDEST_VERSION} or newer"
        )
    else:
        yield ok("PostgreSQL", f"version {row.version}")
    if row.synchronous_commit == "off" or row.fsync == "off" or row.full_page_writes == "off":
        seen = f"synchronous_commit {row.synchronous_commit}, fsync {row.fsync}, full_page_writes {row.full_page_writes}"
        yield fail(
            "durability", seen, "turn all three on: a power cut would lose payments that were accepted"
        )
    else:
        yield ok("durability", f"synchronous_commit {row.synchronous_commit}, fsync on")
    if row.read_only:
        yield fail(
            "writing",
            "the database is read-only",
            "point DATABASE_URL at the primary, or end its read-only mode",
        )
    else:
        yield ok("writing", "allowed")
    free, seen = row.usable - row.in_use, f"{row.in_use} of {row.usable} in use"
    if free < settings.pool_size:
        yield fail(
            "connections",
            seen,
            f"raise max_connections or run fewer processes: each may take {settings.pool_size} (AEGIS_POOL_SIZE)",
        )
    elif free < row.usable // 4:
        yield warn("connections", seen, "raise max_connections before more processes are started")
    else:
        yield ok("connections", seen)


def log_of_requests(connection: Connection) -> Iterator[Check]:
    """Whether PostgreSQL's own log may record requests: e-mail addresses, tokens, whatever merchants send."""
    found = connection.exec_driver_sql(_SETTINGS, {"names": list(_KEEPS_REQUESTS_OUT)}).all()
    wrong = {
        row.name: _KEEPS_REQUESTS_OUT[row.name][0]
        for row in found
        if row.setting not in _KEEPS_REQUESTS_OUT[row.name]
    }
    if not wrong:
        yield ok("PostgreSQL's log", "holds no requests")
        return
    role = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar_one()
    statements = " ".join(f"ALTER ROLE {role} SET {name} = {value};" for name, value in sorted(wrong.items()))
    yield warn(
        "PostgreSQL's log",
        f"may hold whole requests, with e-mail addresses and tokens, because of {', '.join(sorted(wrong))}",
        f"as a superuser, and then restart AegisPay: {statements}",
    )


def schema(connection: Connection) -> Iterator[Check]:
    """Whether this version can work with the schema."""
    found = fit(connection)
    if found.works:
        yield ok("schema", found.seen)
    else:
        yield fail("schema", found.seen, found.advice or "do what it says")


def rights(connection: Connection) -> Iterator[Check]:
    """Whether this role has the rights that AegisPay needs on each table."""
    missing: dict[str, list[str]] = {}
    for name in metadata.tables:
        wanted = _RIGHTS | ({"UPDATE"} if name not in _ONLY_ADDED_TO else set())
        found = connection.exec_driver_sql(_MAY, {"table": name, "rights": sorted(wanted)}).scalars()
        for right in found:
            missing.setdefault(right, []).append(name)
    if missing:
        seen = "; ".join(f"no {right} on {', '.join(names)}" for right, names in sorted(missing.items()))
        grants = "; ".join(f"GRANT {right} ON {', '.join(names)}" for right, names in sorted(missing.items()))
        yield fail("rights", seen, f"{grants} TO the role of DATABASE_URL")
    else:
        yield ok("rights", "the role may read and write every table")


def clock(connection: Connection) -> Iterator[Check]:
    """The difference between this host's clock and PostgreSQL's, as exactly as the time of the query allows."""
    asked = time.time()
    there = float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())
    yield skew("clock, PostgreSQL", there, asked, time.time())


def skew(name: str, there: float, asked: float, answered: float) -> Check:
    """The check of a clock that said `there` at some time between `asked` and `answered`; all in Unix seconds."""
    ahead_s = max(there - answered, 0.0) or min(there - asked, 0.0)
    if abs(ahead_s) > _MOST_SKEW_S:
        seen = f"{duration(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} this host"
        return warn(name, seen, "set the clocks by NTP: signatures of webhooks and log times depend on them")
    return ok(name, "agrees with this host within 1 s")


def due_jobs(connection: Connection) -> Iterator[Check]:
    """Jobs in each queue that are overdue."""
    for queue in ("payments", "verify"):
        row = connection.exec_driver_sql(_DUE, {"queue": queue, "limit": _COUNT_LIMIT}).one()
        name = f"due jobs, {queue}"
        seen = f"{_bounded(row.due)}, the oldest for {duration(row.oldest_s)}" if row.due else "none"
        if row.oldest_s > _VERY_LATE_S:
            yield fail(
                name,
                seen,
                "nobody works on them: see `workers` and `beat` for what is missing; `aegis relay` needs no Redis",
            )
        elif row.oldest_s > _LATE_S:
            yield warn(name, seen, "workers are behind: add processes, or look at the gateways' latency")
        else:
            yield ok(name, seen)


def open_jobs(connection: Connection) -> Iterator[Check]:
    """Jobs that wait for a person, and the number of jobs in doubt."""
    row = connection.exec_driver_sql(_OPEN).one()
    if row.review:
        advice = "`aegis reviews` shows each with its evidence; then decide with `aegis resolve ID`"
        held_back = f", {row.held_back} of them held back before they are sent" if row.held_back else ""
        yield warn("reviews", f"{row.review} wait for a person{held_back}", advice)
    else:
        yield ok("reviews", "none wait")
    yield ok(
        "asked about later", f"{row.in_doubt} pending, in doubt or with the payer" if row.in_doubt else "none"
    )


def outbox(connection: Connection) -> Iterator[Check]:
    """Events that are not delivered yet."""
    lag = outbox_rows.lag(connection)
    seen = (
        f"{lag['pending']} events, the oldest {duration(lag['oldest_age_s'])} old"
        if lag["pending"]
        else "empty"
    )
    if lag["oldest_age_s"] > _VERY_LATE_S:
        yield warn(
            "outbox",
            seen,
            "events are late: is Redis up, does a worker take the queue `outbox`? See `aegis outbox`",
        )
    else:
        yield ok("outbox", seen)


def webhooks(connection: Connection) -> Iterator[Check]:
    """Webhook deliveries that wait, and those that were given up."""
    found = delivery_lag.lag(connection)
    seen = f"{found['pending']} wait, {found['dead']} dead in {DEAD_WITHIN_D} days"
    if found["cancelled"]:
        seen += f", {found['cancelled']} cancelled with their endpoint"
    if found["dead"]:
        advice = "see why with `aegis outbox deliveries --status dead`, then `aegis outbox redeliver EVENT`"
        yield warn("webhooks", seen, advice)
    else:
        yield ok("webhooks", seen)


def _bounded(count: int) -> str:
    return f"{_COUNT_LIMIT} or more" if count >= _COUNT_LIMIT else str(count)
