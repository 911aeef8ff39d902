"""Users of the console: added, given roles, disabled, and let choose password and authenticator anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.people import NAME_RULE, ROLES, Role, is_user_name
from aegis_worker.errors import NotFound, UserRefused
from aegis_worker.ids import USER, new_id
from aegis_worker.persistence import audit_log, session_rows, user_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.user_rows import User
from aegis_worker.sealing.ring import KeyRing

from . import codes, totp

CODE_FOR_S = 86_400.0
"""How long a welcome code is good."""

PLACE = "console_users"
"""Where authenticators' secrets are sealed for, with the user's id."""


@dataclass(frozen=True, slots=True)
class Welcomed:
    """A user who is to choose a password, and the code that this takes. The code is shown this once."""

    name: str
    role: Role
    code: str = field(repr=False)


def list_users(database: Database) -> Sequence[User]:
    """Users by their names, disabled ones too; at most 1000."""
    with database.read() as connection:
        return user_rows.listed(connection)


def add_user(
    database: Database, ring: KeyRing, name: str, role: Role, *, actor: str, reason: str
) -> Welcomed:
    """Add a user. Raises UserRefused for a name that can't be one or that somebody has or had, InvalidReason."""
    if not is_user_name(name):
        raise UserRefused(f"a user's name has {NAME_RULE}")
    _check_role(role)
    code, id_, reason = codes.new_welcome_code(), new_id(USER), audit_log.checked_reason(reason)
    row = {
        "id": id_,
        "name": name,
        "role": role,
        "sealed": _new_secret(ring, id_),
        "code_hash": codes.code_hash(code),
    }

    def work(connection: Connection) -> None:
        before = user_rows.by_name(connection, name)
        if before is not None and before.id == id_:
            return  # a repeat, after a commit whose answer got lost
        if before is not None:
            raise UserRefused(f"there is, or was, a user {name}: names are never given twice")
        user_rows.add(connection, row, CODE_FOR_S)
        _tell(connection, actor, "user.added", name, reason, role=role)

    database.run(work)
    return Welcomed(name, role, code)


def set_role(database: Database, name: str, role: Role, *, actor: str, reason: str) -> bool:
    """Give a user another role, at once; False where it is theirs already.

    Raises NotFound, InvalidReason, and UserRefused where nobody would be left at the console who may give roles.
    """
    reason = audit_log.checked_reason(reason)
    _check_role(role)

    def work(connection: Connection) -> bool:
        user = _found(connection, name)
        if user.role == role:
            return False
        _leave_an_admin(connection, user, actor)
        user_rows.change(connection, user.id, role=role)
        _tell(connection, actor, "user.role", name, reason, role=role, before=user.role)
        return True

    return database.run(work)


def disable_user(database: Database, name: str, *, actor: str, reason: str) -> bool:
    """Keep a user out from now on, and end their sessions; False where that was done before. Raises as `set_role` does."""
    reason = audit_log.checked_reason(reason)

    def work(connection: Connection) -> bool:
        user = _found(connection, name)
        if user.status == "disabled":
            return False
        _leave_an_admin(connection, user, actor)
        gone = {"password_hash": None, "code_hash": None, "code_until": None}
        user_rows.change(connection, user.id, status="disabled", **gone)
        user_rows.put_recovery_codes(connection, user.id, ())
        ended = session_rows.end(connection, user_id=user.id)
        _tell(connection, actor, "user.disabled", name, reason, sessions_ended=len(ended))
        return True

    return database.run(work)


def reset_user(database: Database, ring: KeyRing, name: str, *, actor: str, reason: str) -> Welcomed:
    """Have a user choose password and authenticator anew, and end their sessions. A disabled user is let in again so.

    Raises as `set_role` does.
    """
    code, reason = codes.new_welcome_code(), audit_log.checked_reason(reason)

    def work(connection: Connection) -> Role:
        user = _found(connection, name)
        _leave_an_admin(connection, user, actor)
        user_rows.invite(connection, user.id, codes.code_hash(code), _new_secret(ring, user.id), CODE_FOR_S)
        ended = session_rows.end(connection, user_id=user.id)
        _tell(connection, actor, "user.reset", name, reason, sessions_ended=len(ended), before=user.status)
        return user.role

    return Welcomed(name, database.run(work), code)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise UserRefused(f"a role is one of {', '.join(ROLES)}")


def _new_secret(ring: KeyRing, user_id: str) -> bytes:
    return ring.seal(totp.new_secret().encode(), PLACE, user_id)


def _found(connection: Connection, name: str) -> User:
    user = user_rows.by_name(connection, name, lock=True)
    if user is None:
        raise NotFound(f"there is no user {name}")
    return user


def _leave_an_admin(connection: Connection, user: User, actor: str) -> None:
    """Who has a shell can always add another admin; whoever is at the console can't."""
    is_one = user.role == "admin" and user.status == "active"
    if is_one and actor.startswith("console:") and not user_rows.active_admins(connection, besides=user.id):
        raise UserRefused(f"{user.name} is the only admin: make somebody else one first")


def _tell(connection: Connection, actor: str, action: str, name: str, reason: str, **more: Any) -> None:
    audit_log.append(connection, actor=actor, action=action, details={"user": name, "reason": reason, **more})
