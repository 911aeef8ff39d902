"""Another password, for somebody who is logged in and shows the old one and the authenticator once more."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from aegis_worker.domain.people import Person
from aegis_worker.errors import CredentialRefused
from aegis_worker.persistence import audit_log, login_tries, session_rows, user_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.user_rows import User
from aegis_worker.sealing.ring import KeyRing

from . import passwords, totp
from .users import PLACE

_WRONG = "password and code don't go together, or the code was used before: wait for the next one"


@dataclass(frozen=True, slots=True)
class Exchange:
    """The password that holds, the one that is to hold, and the authenticator's code."""

    old: str = field(repr=False)
    new: str = field(repr=False)
    code: str = field(repr=False)


def change_password(
    database: Database, ring: KeyRing, secret: str, person: Person, shown: Exchange, *, address: str
) -> None:
    """Have the new password hold, and end every other session of its owner. Raises CredentialRefused.

    `secret`: AEGIS_SECRET. `address`: from where somebody tries; tries are counted as those of logins are.
    """
    counted_at = login_tries.places(secret, person.name, address)

    def look(connection: Connection) -> tuple[bool, User | None]:
        return login_tries.count(connection, counted_at), user_rows.by_name(connection, person.name)

    may_try, user = database.run(look)
    if not may_try:
        raise CredentialRefused("tried too often: wait a quarter of an hour")
    # Hashing takes long, so it is done before the user is locked.
    if user is None or not passwords.is_right(shown.old, user.password_hash):
        raise CredentialRefused(_WRONG)
    if shown.new == shown.old:
        raise CredentialRefused("that is the password that you have")
    new_hash = passwords.hashed(shown.new, user.name)

    def work(connection: Connection) -> bool:
        locked = user_rows.by_name(connection, person.name, lock=True)
        if locked is not None and locked.password_hash == new_hash:
            return True  # a repeat, after a commit whose answer got lost
        if locked is None or locked.password_hash != user.password_hash:
            return False
        key = ring.unseal(locked.sealed, PLACE, locked.id).decode()
        step = totp.step_of(key, shown.code, user_rows.now_s(connection))
        if step is None or not user_rows.take_step(connection, locked, step):
            return False
        user_rows.change(connection, locked.id, password_hash=new_hash)
        ended = session_rows.end(connection, user_id=locked.id, besides=person.session_id)
        login_tries.forgive(connection, counted_at)
        details = {"user": person.name, "session_ids": ended}
        audit_log.append(connection, actor=person.actor, action="user.password_changed", details=details)
        return True

    if not database.run(work):
        raise CredentialRefused(_WRONG)
