"""A bound on waits of unknown length: a migration may take an hour, and other processes wait until it is done.

While a statement takes long, we ask PostgreSQL over another connection whether it is still working on the statement. If
it isn't, or if it can't be asked, no answer will come, so the wait is cut short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from .engines import new_engine
from .watchdog import Watched

_ASK_EVERY_S, _ANSWER_S = 10.0, 5.0
# An answer that was on its way while we asked PostgreSQL has arrived after this many seconds.
_ARRIVES_S = 2.0
_IS_AT_WORK = text("SELECT state = 'active' FROM pg_stat_activity WHERE pid = :pid")


@contextmanager
def stays_at_work(connection: Connection, database_url: str) -> Iterator[None]:
    """Within this context `connection` waits only while PostgreSQL works on its statement, give or take 20 s."""
    watched = connection.connection.dbapi_connection
    assert isinstance(watched, Watched)
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    connection.rollback()
    ended = threading.Event()
    looker = threading.Thread(
        target=_look_on, args=(watched, pid, database_url, ended), name="at-work", daemon=True
    )
    looker.start()
    try:
        yield
    finally:
        ended.set()
        looker.join()


def _look_on(watched: Watched, pid: int, database_url: str, ended: threading.Event) -> None:
    while not ended.wait(1.0):
        since_s = watched.wait.since_s
        if since_s is None or time.monotonic() - since_s < _ASK_EVERY_S:
            continue
        if not _is_at_work(pid, database_url):
            ended.wait(_ARRIVES_S)
            if watched.wait.since_s == since_s:
                watched.cut()
                return
        ended.wait(_ASK_EVERY_S)


def _is_at_work(pid: int, database_url: str) -> bool:
    engine = new_engine(database_url, application="migrate", answer_within_s=_ANSWER_S)
    try:
        with engine.connect() as connection:
            return bool(connection.execute(_IS_AT_WORK, {"pid": pid}).scalar())
    except DBAPIError:
        return False
    finally:
        engine.dispose()
