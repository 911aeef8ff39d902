"""What a PostgreSQL of tests does less of than an installation's: thousands of tests connect, and its processes idle."""

from __future__ import annotations

import psycopg2
from psycopg2 import sql
from sqlalchemy import make_url

from aegis_worker.lab.embedded.postgres import EmbeddedPostgres

# Each connection hashes its password as often as this says, on both sides: 4,096 times by default, which is more than
# half of what connecting costs.
_HASHINGS = "SET scram_iterations = 1"
# By default both wake five times a second. What tests commit is written by whoever commits it.
_IDLE = ("SET bgwriter_delay = '10s'", "SET wal_writer_delay = '10s'")


def spare(server: EmbeddedPostgres) -> None:
    """Have the server spend less on connections and on its own processes, from now on and after a restart."""
    url = make_url(server.url)
    superuser = url.set(drivername="postgresql", username="postgres")
    connection = psycopg2.connect(superuser.render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for change in (_HASHINGS, *_IDLE):
                cursor.execute(f"ALTER SYSTEM {change}")
            cursor.execute("SELECT pg_reload_conf()")
            cursor.execute(_HASHINGS)
            for role in ("postgres", str(url.username)):
                again = sql.SQL("ALTER ROLE {} PASSWORD {}")
                cursor.execute(again.format(sql.Identifier(role), sql.Literal(server.password)))
    finally:
        connection.close()
