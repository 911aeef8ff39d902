"""The rows of users and of their recovery codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from aegis_worker.domain.people import Role, UserStatus

from .tables.people import console_recovery_codes, console_users

_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class User:
    """One user as stored. `sealed`: the authenticator's secret; `last_step`: the newest period whose code was taken.

    `code_until`: until when the welcome code is good, where there is one.
    """

    id: str
    name: str
    role: Role
    status: UserStatus
    password_hash: str | None
    sealed: bytes
    last_step: int
    code_until: datetime | None
    created_at: datetime


_COLUMNS = [console_users.c[field.name] for field in fields(User)]


def add(connection: Connection, row: Mapping[str, Any], code_for_s: float) -> None:
    """Insert an invited user, with a welcome code that is good for so many seconds."""
    until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, code_for_s)
    connection.execute(insert(console_users).values(**row, status="invited", code_until=until))


def by_name(connection: Connection, name: str, *, lock: bool = False) -> User | None:
    """The user of this name, or None."""
    statement = select(*_COLUMNS).where(console_users.c.name == name)
    return _one(connection, statement.with_for_update() if lock else statement)


def by_code(connection: Connection, code_hash: bytes, *, lock: bool = False) -> User | None:
    """The user who was given this welcome code, where it is still good; or None."""
    columns = console_users.c
    statement = select(*_COLUMNS).where(
        columns.code_hash == code_hash,
        columns.status == "invited",
        columns.code_until > func.clock_timestamp(),
    )
    return _one(connection, statement.with_for_update() if lock else statement)


def listed(connection: Connection) -> Sequence[User]:
    """Users by their names; at most 1000."""
    statement = select(*_COLUMNS).order_by(console_users.c.name).limit(_MOST_LISTED)
    return [_user(row) for row in connection.execute(statement).mappings()]


def active_admins(connection: Connection, *, besides: str) -> int:
    """How many admins can log in, without the one of this id. Locks them, so that two can't take each other's role."""
    columns = console_users.c
    statement = select(columns.id).where(
        columns.role == "admin", columns.status == "active", columns.id != besides
    )
    return len(connection.execute(statement.order_by(columns.id).limit(_MOST_LISTED).with_for_update()).all())


def change(connection: Connection, user_id: str, **values: Any) -> None:
    """Set columns of a user."""
    statement = update(console_users).where(console_users.c.id == user_id)
    connection.execute(statement.values(**values, changed_at=func.clock_timestamp()))


def invite(connection: Connection, user_id: str, code_hash: bytes, sealed: bytes, code_for_s: float) -> None:
    """Have the user choose a password and an authenticator anew; what there was is good no more."""
    until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, code_for_s)
    credentials = {"password_hash": None, "sealed": sealed, "code_hash": code_hash, "code_until": until}
    change(connection, user_id, status="invited", **credentials)
    put_recovery_codes(connection, user_id, ())


def take_step(connection: Connection, user: User, step: int) -> bool:
    """Note that the code of this period was taken, once; False where it was before, or the password is another now."""
    columns = console_users.c
    statement = update(console_users).where(
        columns.id == user.id,
        columns.status == "active",
        columns.password_hash == user.password_hash,
        columns.last_step < step,
    )
    return connection.execute(statement.values(last_step=step)).rowcount == 1


def has_recovery_code(connection: Connection, user_id: str, code_hash: bytes) -> bool:
    """Whether this is a code that the user may still use."""
    columns = console_recovery_codes.c
    statement = select(columns.user_id).where(columns.user_id == user_id, columns.code_hash == code_hash)
    return connection.execute(statement).one_or_none() is not None


def use_recovery_code(connection: Connection, user: User, code_hash: bytes) -> bool:
    """Use a recovery code up; False where that happened before, or the password is another now."""
    columns = console_recovery_codes.c
    still = select(console_users.c.id).where(
        console_users.c.id == user.id,
        console_users.c.status == "active",
        console_users.c.password_hash == user.password_hash,
    )
    if connection.execute(still.with_for_update()).one_or_none() is None:
        return False
    statement = console_recovery_codes.delete().where(
        columns.user_id == user.id, columns.code_hash == code_hash
    )
    return connection.execute(statement).rowcount == 1


def put_recovery_codes(connection: Connection, user_id: str, hashes: Sequence[bytes]) -> None:
    """Give the user these recovery codes in place of any before."""
    connection.execute(console_recovery_codes.delete().where(console_recovery_codes.c.user_id == user_id))
    if hashes:
        rows = [{"user_id": user_id, "code_hash": one} for one in hashes]
        connection.execute(insert(console_recovery_codes).values(rows))


def recovery_codes_left(connection: Connection, user_id: str) -> int:
    """How many recovery codes the user has."""
    statement = select(func.count()).where(console_recovery_codes.c.user_id == user_id)
    return int(connection.execute(statement).scalar_one())


def now_s(connection: Connection) -> float:
    """Seconds since 1970, by PostgreSQL's clock."""
    statement = "SELECT extract(epoch FROM clock_timestamp())"
    return float(connection.exec_driver_sql(statement).scalar_one())


def _one(connection: Connection, statement: Any) -> User | None:
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _user(row)


def _user(row: Mapping[Any, Any]) -> User:
    return User(**{**row, "sealed": bytes(row["sealed"])})
