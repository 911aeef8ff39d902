"""Logging in: name, password and the authenticator's code at once, so that nobody learns which of them was wrong.

Whoever can't log in costs and learns the same, whether or not there is a user of that name: as many statements, one
Argon2id, three codes compared. Only one who may log in costs a second transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import structlog
from sqlalchemy import Connection

from aegis_worker.domain.people import is_user_name
from aegis_worker.errors import CannotUnseal
from aegis_worker.ids import SESSION, new_id
from aegis_worker.persistence import audit_log, login_tries, session_rows, user_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.user_rows import User
from aegis_worker.sealing.ring import KeyRing, key_id_of

from . import codes, passwords, totp
from .users import PLACE

log = structlog.get_logger(__name__)

_LONGEST_AGENT = 200
_NOBODYS_ID = "nobody"


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody shows at the door, and from where. `code`: the authenticator's, or a recovery code."""

    name: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class LoginParts:
    """What logging in needs. `secret`: AEGIS_SECRET. `session_s`: how long a session lasts at the most."""

    database: Database
    ring: KeyRing
    secret: str = field(repr=False)
    session_s: float


def log_in(parts: LoginParts, shown: Shown, *, instead_of: str | None = None) -> str | None:
    """The token of a new session, or None: wrong, or tried too often. Ends the session `instead_of`, by its token.

    Raises DatabaseUnavailable.
    """
    name = shown.name if is_user_name(shown.name) else ""
    counted_at = login_tries.places(parts.secret, name, shown.address)

    def look(connection: Connection) -> tuple[bool, User | None, float, bool]:
        may_try = login_tries.count(connection, counted_at)
        user = user_rows.by_name(connection, name)
        recovers = user_rows.has_recovery_code(
            connection, user.id if user else _NOBODYS_ID, codes.code_hash(shown.code)
        )
        return may_try, user, user_rows.now_s(connection), recovers

    may_try, user, now_s, recovers = parts.database.run(look)
    if not may_try:
        log.warning("too many tries to log in", address=shown.address)
        return None
    is_right = passwords.is_right(shown.password, user.password_hash if user else None)
    step = totp.step_of(_secret_of(parts.ring, user), shown.code, now_s)
    if user is None or user.status != "active" or not is_right or (step is None and not recovers):
        log.info("login refused", address=shown.address)
        return None
    token = _let_in(parts, shown, user, step, instead_of)
    if token is None:
        log.info("login refused: the code was used before", address=shown.address)
    return token


def log_out(database: Database, session_id: str, *, actor: str) -> None:
    """End one's own session."""

    def work(connection: Connection) -> None:
        if session_rows.end(connection, session_id=session_id):
            details = {"session_id": session_id}
            audit_log.append(connection, actor=actor, action="session.logged_out", details=details)

    database.run(work)


def _let_in(
    parts: LoginParts,
    shown: Shown,
    user: User,
    step: int | None,
    instead_of: str | None,
) -> str | None:
    """Begin the session and use the code up, in one commit; None where somebody else used it meanwhile."""
    token, session_id = codes.new_token(), new_id(SESSION)
    row = {
        "id": session_id,
        "user_id": user.id,
        "token_hash": codes.token_hash(token),
        "address": shown.address,
        "agent": "".join(letter for letter in shown.agent if letter.isprintable())[:_LONGEST_AGENT],
    }

    # Hashing takes long, and nobody waits for it under the user's lock.
    renewed = _renewed(parts.ring, user, shown.password)

    def work(connection: Connection) -> None:
        if not session_rows.begin(connection, row, parts.session_s):
            return  # a repeat, after a commit whose answer got lost
        if step is not None:
            is_new = user_rows.take_step(connection, user, step)
        else:
            is_new = user_rows.use_recovery_code(connection, user, codes.code_hash(shown.code))
        if not is_new:
            raise _UsedBefore
        login_tries.forgive(connection, login_tries.places(parts.secret, user.name, shown.address))
        if renewed:
            user_rows.change(connection, user.id, **renewed)
        if instead_of is not None:
            session_rows.end_by_token(connection, codes.token_hash(instead_of))
        details = {"session_id": session_id, "by": "authenticator" if step is not None else "recovery code"}
        audit_log.append(
            connection, actor=f"console:{user.name}", action="session.logged_in", details=details
        )

    try:
        parts.database.run(work)
    except _UsedBefore:
        return None
    return token


class _UsedBefore(Exception):
    """The code was used meanwhile: nothing is committed."""


def _renewed(ring: KeyRing, user: User, password: str) -> dict[str, str | bytes]:
    """The password hashed and the secret sealed as is done today, where that was done otherwise before."""
    renewed: dict[str, str | bytes] = {}
    if user.password_hash is not None and passwords.is_outdated(user.password_hash):
        renewed["password_hash"] = passwords.rehashed(password)
    if key_id_of(user.sealed) != ring.ids[0]:
        secret = ring.unseal(user.sealed, PLACE, user.id)
        renewed["sealed"] = ring.seal(secret, PLACE, user.id)
    return renewed


def _secret_of(ring: KeyRing, user: User | None) -> str:
    """The secret of the user's authenticator; for nobody, and where its key is gone, one that nobody has."""
    try:
        sealed, place = (user.sealed, user.id) if user else (_nobodys(ring), _NOBODYS_ID)
        return ring.unseal(sealed, PLACE, place).decode()
    except CannotUnseal as error:
        log.error("an authenticator's secret can't be opened", error=str(error))
        return totp.new_secret()


@lru_cache(maxsize=4)
def _nobodys(ring: KeyRing) -> bytes:
    return ring.seal(totp.new_secret().encode(), PLACE, _NOBODYS_ID)
