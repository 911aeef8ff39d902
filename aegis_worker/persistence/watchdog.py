"""A bound on every wait for PostgreSQL's answer, kept by this process itself.

libpq waits in its own code for as long as the other side takes. PostgreSQL bounds the time of its statements, and the
kernel the time until data is acknowledged. Neither helps against a proxy or a middlebox that takes everything and never

answers. So each connection notes when it began to wait, and one thread of the process shuts down the socket of a
connection that has waited too long. libpq then returns at once, as it does when a server goes away.
The statement may have happened all the same: for example a COMMIT whose answer did not come.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any

import psycopg2
from psycopg2.extensions import connection as DriverConnection
from psycopg2.extensions import cursor as DriverCursor

from aegis_worker.observability.traced_statements import statement_name
from aegis_worker.observability.tracing import TRACING

_LOOK_EVERY_S, _OVERSLEPT_S = 0.25, 1.0
_CONNECT_S = 3


class SilentServer(psycopg2.OperationalError):
    """PostgreSQL took a statement and did not answer in time. Nobody knows whether it carried the statement out."""


class Watched(DriverConnection):
    """A connection whose waits for an answer are bounded. For one thread at a time."""

    wait: Wait

    def watch(self, answer_within_s: float) -> None:
        """Begin to bound its waits."""
        self.wait = Wait()
        self._answer_within_s = answer_within_s
        self._descriptor = self.fileno()
        self._socket_number = os.fstat(self._descriptor).st_ino
        _watchdog.watch(self)

    def cursor(self, *args: Any, **more: Any) -> Any:
        """A cursor whose waits are bounded, whichever kind is asked for."""
        return super().cursor(*args, **{**more, "cursor_factory": WatchedCursor})

    def commit(self) -> None:
        """As in psycopg2. Raises SilentServer; then the transaction may be committed or not."""
        with self.wait:
            super().commit()

    def rollback(self) -> None:
        """As psycopg2 has it. Raises SilentServer."""
        with self.wait:
            super().rollback()

    def look(self, now_s: float) -> None:
        """Cut the connection if its wait is too long. From the watchdog's thread."""
        since_s = self.wait.since_s
        if since_s is not None and now_s - since_s > self._answer_within_s:
            self.cut()

    def cut(self) -> None:
        """End the wait, and with it the connection. From any thread."""
        since_s = self.wait.since_s
        self.wait.cut_after_s = 0.0 if since_s is None else time.monotonic() - since_s
        # libpq may have closed its socket, and the descriptor may belong to something else by now, such as a call to a
        # gateway. So duplicate the descriptor first, and shut down only the socket that was checked. If the other side
        # was quicker, that socket is closed already.
        with suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as found:
            if os.fstat(found.fileno()).st_ino == self._socket_number:
                found.shutdown(socket.SHUT_RDWR)


class WatchedCursor(DriverCursor):
    """The cursor of a Watched connection."""

    def execute(self, query: Any, vars: Any = None) -> None:
        """As psycopg2 has it. Raises SilentServer."""
        if TRACING.current is None:
            with self.connection.wait:
                super().execute(query, vars)
        else:
            with TRACING.inside(statement_name(query), "postgresql"), self.connection.wait:
                super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        """As psycopg2 has it: a statement for each. Raises SilentServer."""
        for each in vars_list:
            self.execute(query, each)


def _watched(answer_within_s: float, dsn: str, **more: Any) -> Watched:
    # Not done in Watched.__init__, because the traceback of a failed one would keep its socket open as long as it lives.
    connection = Watched(dsn, **more)
    connection.watch(answer_within_s)
    return connection


def bounded(answer_within_s: float, *, application: str) -> dict[str, Any]:
    """Arguments of psycopg2.connect that bound every wait; options come on top of them."""
    return {
        "application_name": f"aegis-{application}",
        "connection_factory": partial(_watched, answer_within_s),
        # Holds for each address of the host, and covers all of connecting: TCP, TLS and authentication.
        "connect_timeout": _CONNECT_S,
        "keepalives_idle": 30,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": int(answer_within_s * 1000),
    }


class Wait:
    """A connection's wait for an answer. It does next to nothing, because every statement passes through it.

    `since_s`: when the wait began, by the monotonic clock; None if there is none. `cut_after_s`: its length when cut.
    """

    __slots__ = ("cut_after_s", "since_s")

    def __init__(self) -> None:
        self.since_s: float | None = None
        self.cut_after_s: float | None = None

    def __enter__(self) -> None:
        self.since_s = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.since_s = None
        if self.cut_after_s is not None and isinstance(error, psycopg2.Error):
            raise SilentServer(f"no answer within {self.cut_after_s:.1f} s") from error


class _Watchdog:
    """One thread a process, which looks at its connections a few times a second while there are any."""

    def __init__(self) -> None:
        self._begin_anew()
        # Threads don't survive a fork, and the parent's connections are not the child's to cut.
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._watched: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, connection: Watched) -> None:
        """Look at this connection too, for as long as it lives."""
        with self._lock:
            self._watched.add(connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look_on, name="database-watchdog", daemon=True)
                self._thread.start()

    def _look_on(self) -> None:
        lasts = True
        while lasts:
            slept_from_s = time.monotonic()
            time.sleep(_LOOK_EVERY_S)
            # If the process was frozen, or asleep with its host, answers may have come that it has not read yet. Give the
            # connections time to read them.
            if time.monotonic() - slept_from_s < _OVERSLEPT_S:
                lasts = self._looks_again()

    def _looks_again(self) -> bool:
        now_s = time.monotonic()
        with self._lock:
            connections = list(self._watched)
            if not connections:
                self._thread = None
        for connection in connections:
            connection.look(now_s)
        return bool(connections)


_watchdog = _Watchdog()
