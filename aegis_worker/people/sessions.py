"""Sessions at the console: found by their token, listed, and ended."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from aegis_worker.domain.people import Person
from aegis_worker.errors import NotFound
from aegis_worker.persistence import audit_log, session_rows, user_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.session_rows import Session

from . import codes


def find(database: Database, token: str, *, idle_s: float, stays: bool) -> Person | None:
    """Who has an open session with this token, or None. `stays`: a person did something, so the session goes on for
    `idle_s`; a page that asks by itself keeps nobody logged in. Raises DatabaseUnavailable.
    """
    with database.read() as connection:
        found = session_rows.find(connection, codes.token_hash(token), idle_s)
    if found is None:
        return None
    person, is_noted_long_ago = found
    if stays and is_noted_long_ago:
        database.run(lambda tx: session_rows.seen(tx, person.session_id))
    return person


def list_sessions(database: Database, idle_s: float, name: str | None = None) -> Sequence[Session]:
    """Open sessions, the newest first, of everybody or of one user; at most 1000."""
    with database.read() as connection:
        return session_rows.open_sessions(connection, idle_s, name)


def end_session(
    database: Database, session_id: str, *, actor: str, reason: str, of: str | None = None
) -> bool:
    """End a session at once; False where it has ended. `of`: only if it is this user's. Raises InvalidReason."""
    reason = audit_log.checked_reason(reason)

    def work(connection: Connection) -> bool:
        user_id = None if of is None else _id_of(connection, of)
        ended = session_rows.end(connection, session_id=session_id, user_id=user_id)
        if ended:
            details = {"session_ids": ended, "reason": reason}
            audit_log.append(connection, actor=actor, action="session.ended", details=details)
        return bool(ended)

    return database.run(work)


def end_sessions_of(
    database: Database, name: str, *, actor: str, reason: str, besides: str | None = None
) -> int:
    """End all sessions of a user, `besides` left open; returns how many there were. Raises NotFound, InvalidReason."""
    reason = audit_log.checked_reason(reason)

    def work(connection: Connection) -> int:
        ended = session_rows.end(connection, user_id=_id_of(connection, name), besides=besides)
        if ended:
            details = {"user": name, "session_ids": ended, "reason": reason}
            audit_log.append(connection, actor=actor, action="session.ended", details=details)
        return len(ended)

    return database.run(work)


def _id_of(connection: Connection, name: str) -> str:
    user = user_rows.by_name(connection, name)
    if user is None:
        raise NotFound(f"there is no user {name}")
    return user.id
