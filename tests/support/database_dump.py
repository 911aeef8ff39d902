"""Everything that stands in the database, as text: to look for what must not stand there."""

from __future__ import annotations

from aegis_worker.persistence.database import Database

_TABLES = """
SELECT quote_ident(table_name) FROM information_schema.tables
WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


def everything_in(database: Database) -> str:
    """Every row of every table."""
    with database.read() as connection:
        tables = connection.exec_driver_sql(_TABLES).scalars().all()
        return "\n".join(
            str(connection.exec_driver_sql(f"SELECT json_agg(t)::text FROM {table} t").scalar())
            for table in tables
        )
