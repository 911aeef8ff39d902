"""Payments of the past: copies of those that there are, with their events, jobs and attempts, as if accepted earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table

from aegis_worker.persistence.database import Database
from aegis_worker.persistence.tables.payments import attempts, jobs, payment_events, payments

# One row for each copy: which payment it is of, its own id, and by how long everything of it is earlier.
_COPIES = """
CREATE TEMPORARY TABLE copies ON COMMIT DROP AS
SELECT of_id, 'pay_' || replace(uuidv7(-earlier)::text, '-', '') AS id, earlier FROM (
    SELECT (%(of)s)[1 + n %% cardinality(%(of)s)] AS of_id,
        make_interval(mins => minute::int, secs => random() * 59) AS earlier
    FROM unnest(%(each_minute)s) WITH ORDINALITY m(payments, minute), generate_series(1, m.payments) n
) c
"""
_ID = "c.id"
# What is another's in a copy, by table. All times are earlier by the same span.
_OWN: Mapping[Table, Mapping[str, str]] = {
    payments: {"id": _ID, "reference": "NULL"},
    payment_events: {"payment_id": _ID},
    jobs: {"id": "'job_' || replace(uuidv7(-c.earlier)::text, '-', '')", "payment_id": _ID},
    attempts: {"payment_id": _ID, "gateway_key": "c.id || '-p1'"},
}


def copied_into_the_past(database: Database, of: Sequence[str], each_minute: Sequence[int]) -> None:
    """Copy payments that have ended, in turn: so many a minute ago, so many two minutes ago, and so on.

    The audit would find that copies share what a gateway gave to one.
    """

    def work(connection: Connection) -> None:
        connection.exec_driver_sql(_COPIES, {"of": list(of), "each_minute": list(each_minute)})
        for table, own in _OWN.items():
            connection.exec_driver_sql(_copy(table, own))

    database.run(work)


def _copy(table: Table, own: Mapping[str, str]) -> str:
    columns = [column for column in table.columns if column.computed is None]
    values = [
        own.get(column.name)
        or (f"t.{column.name} - c.earlier" if str(column.type) == "TIMESTAMP" else f"t.{column.name}")
        for column in columns
    ]
    names, whose = ", ".join(column.name for column in columns), "id" if table is payments else "payment_id"
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values)} "
        f"FROM {table.name} t JOIN copies c ON c.of_id = t.{whose}"
    )
