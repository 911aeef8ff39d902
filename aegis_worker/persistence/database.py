"""The unit of work: one short transaction. It is retried if PostgreSQL allows that, and never spans a network call."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
from sqlalchemy import Connection, Engine, ExceptionContext, PoolProxiedConnection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from aegis_worker.errors import DatabaseUnavailable, DatabaseUnusable, LockTimeout
from aegis_worker.settings import Settings

from .engines import new_engine
from .prepared import Prepared
from .watchdog import SilentServer

T = TypeVar("T")

_TRIES = 4
_LOCK_TIMEOUT_MS = 2000
# A live server ends a statement at its timeout and says so. If nothing came this much later, the server is silent.
_TOLD_WITHIN_S = 2.0
# After a lost connection no new try begins later than this, so that slow connecting doesn't add up over several tries.
_TRY_WITHIN_S = 2.0

# Nothing was committed and the same statements may run again: serialization failure, deadlock.
_TRY_AGAIN = {"40001", "40P01"}
# The server is there but can't do the work now: shutting down, starting up, out of connections or disk, too slow.
_UNAVAILABLE = {"57P01", "57P02", "57P03", "53300", "53100", "57014"}
_LOCK_NOT_AVAILABLE, UNIQUE_VIOLATION = "55P03", "23505"
# The session is out of date and a new one helps: it is read-only although the server no longer is, or its prepared
# statements return other columns since a migration, or PostgreSQL doesn't know them any more.
_STALE_SESSION = {"25006", "0A000", "26000"}

# By PostgreSQL's code, what an operator has to change: rights, a search_path without a usable schema, missing tables.
_UNUSABLE = {
    "42501": "give the role of DATABASE_URL its rights on the schema, tables and sequences of AegisPay",
    "3F000": "the search_path of this role names no schema that is there and that it may use",
    "42P01": "the database has no schema of this version; run `aegis migrate`",
}
# While connecting, libpq passes on PostgreSQL's words and not its code. They are English unless lc_messages is set.
_ADVICE = {
    "could not translate host name": "correct the host in DATABASE_URL",
    "onnection refused": "start PostgreSQL, or correct host and port in DATABASE_URL",
    "password authentication failed": "correct user and password in DATABASE_URL",
    "no password supplied": "write the password into DATABASE_URL",
    "no pg_hba.conf entry": "allow this host and user in pg_hba.conf, or correct DATABASE_URL",
    "permission denied for database": "GRANT CONNECT on the database to the role of DATABASE_URL",
    "is not permitted to log in": "give the role of DATABASE_URL the right to LOGIN",
    "does not exist": "create it, or correct DATABASE_URL",
    "unrecognized configuration parameter": "correct ?options= in DATABASE_URL",
    "invalid value for parameter": "correct ?options= in DATABASE_URL",
    "invalid response to SSL negotiation": "what listens there is not PostgreSQL: correct DATABASE_URL",
    "server does not support SSL": "correct sslmode in DATABASE_URL, or turn on TLS in PostgreSQL",
}

_QUOTED = re.compile(r'".*"', re.DOTALL)
# Classes of errors that one value or one row caused. PostgreSQL may accept the statement's other rows.
_ABOUT_A_ROW = {"22", "23", "54"}


class Database:
    """PostgreSQL with a bounded pool. `run` is the unit of work for writing; `read` is for reading."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        event.listen(engine, "handle_error", _leave_a_stale_session)
        event.listen(engine, "handle_error", _keep_values_out)

    @classmethod
    def connect(
        cls, settings: Settings, *, application: str, pool_size: int | None = None, url: str | None = None
    ) -> Database:
        """A database all of whose waits are bounded: for connecting, the pool, a lock, a statement, and an answer.

        `url`: of another database than DATABASE_URL's.
        """
        engine = new_engine(
            url or settings.database_url,
            application=application,
            answer_within_s=settings.statement_timeout_s + _TOLD_WITHIN_S,
            session={
                "statement_timeout": int(settings.statement_timeout_s * 1000),
                "lock_timeout": _LOCK_TIMEOUT_MS,
                "idle_in_transaction_session_timeout": 10_000,
                # Our prepared statements are hot, and one plan of them is good for all values. PostgreSQL can't see how
                # many rows a LIMIT will let through, so by itself it would think planning anew each time cheaper.
                "plan_cache_mode": "force_generic_plan",
            },
            pool_size=pool_size or settings.pool_size,
            max_overflow=0,
            pool_timeout=3,
            pool_recycle=1800,
            pool_use_lifo=True,  # the same few sessions do the work, so that their plans and caches stay warm
        )
        return cls(engine)

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it; at most 4 times, after a deadlock or a lost connection.

        If the server took a statement and stayed silent, `work` is not run again, because the server may stay silent.
        If the connection is lost during COMMIT, nobody knows whether it happened. So `work` must be safe to repeat: it
        recognizes its own writes by a key, a fence or the number of the change. Raises DatabaseUnavailable (LockTimeout
        is one); running `work` again would then find whatever was committed.
        """

        def in_transaction() -> T:
            with self.engine.begin() as connection:
                return work(connection)

        return self._repeated(in_transaction)

    def run_alone(
        self, statement: Prepared, *values: Any, lock_timeout_ms: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a statement that is a unit of work by itself, in one round trip; returns its rows.

        It is repeated, and raises, as in `run`, so it must be as safe to repeat.
        """
        return self._repeated(lambda: self._alone(statement, values, lock_timeout_ms))

    def _repeated(self, attempt: Callable[[], T]) -> T:
        began_s = time.monotonic()
        for tries in range(1, _TRIES + 1):
            try:
                return attempt()
            except PoolTimeout as error:
                raise DatabaseUnavailable("no free database connection") from error
            except DBAPIError as error:
                if not _may_repeat(error):
                    raise translated(error) from error
                too_late = sqlstate(error) not in _TRY_AGAIN and time.monotonic() - began_s > _TRY_WITHIN_S
                if tries == _TRIES or too_late:
                    raise DatabaseUnavailable(_in_words(error)) from error
                time.sleep(random.uniform(0.01, 0.05) * 2**tries)
        raise AssertionError("unreachable")

    def _alone(
        self, statement: Prepared, values: tuple[Any, ...], lock_timeout_ms: int | None
    ) -> list[tuple[Any, ...]]:
        pooled = None
        try:
            pooled = self.engine.raw_connection()
            connection: Any = pooled.dbapi_connection
            return statement.run_alone(connection, pooled.info, *values, lock_timeout_ms=lock_timeout_ms)
        except psycopg2.Error as error:
            raise self._as_sqlalchemy_does(error, pooled) from error
        finally:
            if pooled is not None:
                pooled.close()

    def _as_sqlalchemy_does(self, error: psycopg2.Error, pooled: PoolProxiedConnection | None) -> DBAPIError:
        """Turn the error into the one that SQLAlchemy's connections raise, and treat the pool as they do."""
        dialect = self.engine.dialect
        _without_values(error)
        lost = pooled is not None and (
            error.pgcode in _STALE_SESSION or dialect.is_disconnect(error, pooled.dbapi_connection, None)
        )
        if pooled is not None and lost:
            pooled.invalidate(error)
            self.engine.dispose()  # if one connection is lost, the others usually are, too
        wrapped = DBAPIError.instance(
            None,
            None,
            error,
            psycopg2.Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        )
        assert isinstance(wrapped, DBAPIError)
        return wrapped

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading. Raises DatabaseUnavailable."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except PoolTimeout as error:
            raise DatabaseUnavailable("no free database connection") from error
        except DBAPIError as error:
            raise translated(error) from error

    def dispose(self) -> None:
        """Close the pool; after a fork, or at the end."""
        self.engine.dispose()


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's five-character error code, where the server gave one."""
    return getattr(error.orig, "pgcode", None)


def refuses_a_row(error: DBAPIError) -> bool:
    """Whether a value of one row caused the error, and not the server or the statement."""
    return (sqlstate(error) or "")[:2] in _ABOUT_A_ROW


def _may_repeat(error: DBAPIError) -> bool:
    if isinstance(error.orig, SilentServer):
        return False
    return error.connection_invalidated or sqlstate(error) in _TRY_AGAIN or _could_not_connect(error)


def _could_not_connect(error: DBAPIError) -> bool:
    return type(error.orig).__name__ == "OperationalError" and sqlstate(error) is None


def _leave_a_stale_session(context: ExceptionContext) -> None:
    """Treat a stale session as a lost connection."""
    if isinstance(context.sqlalchemy_exception, DBAPIError):
        context.is_disconnect |= sqlstate(context.sqlalchemy_exception) in _STALE_SESSION


def _keep_values_out(context: ExceptionContext) -> None:
    """Remove the values of rows from an error's text, because texts are logged and reported."""
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and isinstance(error.orig, psycopg2.Error):
        before = str(error.orig)
        _without_values(error.orig)
        error.args = tuple(str(part).replace(before, str(error.orig)) for part in error.args)


def _without_values(error: psycopg2.Error) -> None:
    """Keep the first line of what PostgreSQL said. The details show rows, and an error about a value quotes it."""
    said = error.diag.message_primary
    if said:
        is_about_a_value = (error.pgcode or "").startswith("22")
        error.args = (_QUOTED.sub('"…"', said) if is_about_a_value else said,)


def translated(error: DBAPIError) -> Exception:
    """Our own error that says what the caller may do, or the error itself if we have none for it."""
    state = sqlstate(error)
    if state == _LOCK_NOT_AVAILABLE:
        return LockTimeout(f"PostgreSQL: {_first_line(error)}")
    if state in _UNUSABLE:
        return DatabaseUnusable(f"PostgreSQL: {_first_line(error)}: {_UNUSABLE[state]}")
    if isinstance(error.orig, SilentServer) or _may_repeat(error) or state in _UNAVAILABLE:
        return DatabaseUnavailable(_in_words(error))
    return error


def _in_words(error: DBAPIError) -> str:
    line = _first_line(error)
    advice = next((advice for words, advice in _ADVICE.items() if words in line), None)
    return f"PostgreSQL: {line}" + (f": {advice}" if advice and sqlstate(error) is None else "")


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().split("\n", 1)[0]
