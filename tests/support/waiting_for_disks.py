"""Whether a PostgreSQL of tests waits for its disk with each commit.

Tests end processes, never the machine, so a server that does not wait loses nothing that they look at: what it has
committed is in the operating system's hands. Several servers on one disk wait for it far longer than for their work.
"""

from __future__ import annotations

import psycopg2
from sqlalchemy import make_url

from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from support.installation import SOON_S, wait_until


def wait_for_disk(server: EmbeddedPostgres, yes: bool) -> None:
    """Have the server wait for its disk with each commit, as it does by itself, or not, from now on and after a restart."""
    wanted, change = ("on", "RESET fsync") if yes else ("off", "SET fsync = off")
    url = make_url(server.url).set(drivername="postgresql", username="postgres")
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER SYSTEM {change}")
            cursor.execute("SELECT pg_reload_conf()")

            def is_so() -> bool:
                cursor.execute("SHOW fsync")
                return bool(cursor.fetchone() == (wanted,))

            wait_until(is_so, SOON_S)
    finally:
        connection.close()
