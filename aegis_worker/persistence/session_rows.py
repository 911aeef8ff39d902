"""The rows of people's sessions at the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.people import Person, Role

_INSERT = """
INSERT INTO console_sessions (id, user_id, token_hash, address, agent, ends_at)
VALUES (%(id)s, %(user_id)s, %(token_hash)s, %(address)s, %(agent)s,
    clock_timestamp() + make_interval(secs => %(lasts_s)s))
ON CONFLICT (id) DO NOTHING
"""

# Noted once a minute at most, because each request would else be a write.
_NOTED_EVERY_S = 60.0
_FIND = """
SELECT s.id, s.user_id, u.name, u.role,
    s.seen_at < clock_timestamp() - make_interval(secs => %(noted_every_s)s) AS is_noted_long_ago
FROM console_sessions s JOIN console_users u ON u.id = s.user_id
WHERE s.token_hash = %(token_hash)s AND s.ended_at IS NULL AND s.ends_at > clock_timestamp()
    AND s.seen_at > clock_timestamp() - make_interval(secs => %(idle_s)s) AND u.status = 'active'
"""
_SEEN = "UPDATE console_sessions SET seen_at = clock_timestamp() WHERE id = %(id)s AND ended_at IS NULL"
_END = """
UPDATE console_sessions SET ended_at = clock_timestamp()
WHERE ended_at IS NULL AND (%(id)s::text IS NULL OR id = %(id)s) AND (%(user_id)s::text IS NULL OR user_id = %(user_id)s)
    AND id IS DISTINCT FROM %(besides)s
RETURNING id
"""
_END_BY_TOKEN = """
UPDATE console_sessions SET ended_at = clock_timestamp() WHERE ended_at IS NULL AND token_hash = %(token_hash)s
"""
_LIST = """
SELECT s.id, u.name, u.role, s.address, s.agent, s.created_at, s.seen_at,
    least(s.ends_at, s.seen_at + make_interval(secs => %(idle_s)s)) AS ends_at
FROM console_sessions s JOIN console_users u ON u.id = s.user_id
WHERE s.ended_at IS NULL AND s.ends_at > clock_timestamp() AND u.status = 'active'
    AND s.seen_at > clock_timestamp() - make_interval(secs => %(idle_s)s)
    AND (%(name)s::text IS NULL OR u.name = %(name)s)
ORDER BY s.created_at DESC LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is open. `address` and `agent`: from where and with which browser somebody logged in.

    `ends_at`: when it ends if nothing more is done in it.
    """

    id: str
    name: str
    role: Role
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


def begin(connection: Connection, row: Mapping[str, Any], lasts_s: float) -> bool:
    """Insert a session; False where its id is there already, after a commit whose answer got lost."""
    return connection.exec_driver_sql(_INSERT, {**row, "lasts_s": lasts_s}).rowcount == 1


def find(connection: Connection, token_hash: bytes, idle_s: float) -> tuple[Person, bool] | None:
    """Whose open session has this token, and whether it was noted long ago that somebody is there; or None."""
    row = connection.exec_driver_sql(
        _FIND, {"token_hash": token_hash, "idle_s": idle_s, "noted_every_s": min(_NOTED_EVERY_S, idle_s / 4)}
    ).one_or_none()
    return None if row is None else (Person(row.name, row.role, row.user_id, row.id), row.is_noted_long_ago)


def seen(connection: Connection, session_id: str) -> None:
    """Note that somebody did something in the session just now."""
    connection.exec_driver_sql(_SEEN, {"id": session_id})


def end(
    connection: Connection,
    *,
    session_id: str | None = None,
    user_id: str | None = None,
    besides: str | None = None,
) -> list[str]:
    """End the session of this id, or those of a user, `besides` left open; returns the ids of those that were open."""
    if session_id is None and user_id is None:
        raise ValueError("whose sessions?")
    values = {"id": session_id, "user_id": user_id, "besides": besides}
    return [row.id for row in connection.exec_driver_sql(_END, values)]


def end_by_token(connection: Connection, token_hash: bytes) -> None:
    """End the session that has this token, where one is open."""
    connection.exec_driver_sql(_END_BY_TOKEN, {"token_hash": token_hash})


def open_sessions(connection: Connection, idle_s: float, name: str | None = None) -> Sequence[Session]:
    """Open sessions, the newest first, of everybody or of one user; at most 1000."""
    rows = connection.exec_driver_sql(_LIST, {"idle_s": idle_s, "name": name}).mappings()
    return [Session(**row) for row in rows]
