"""Recovery codes anew, for somebody who is logged in and shows the authenticator once more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from aegis_worker.domain.people import Person
from aegis_worker.errors import CredentialRefused
from aegis_worker.persistence import audit_log, login_tries, user_rows
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.ring import KeyRing

from . import codes, totp
from .users import PLACE


def codes_left(database: Database, person: Person) -> int:
    """How many recovery codes somebody has left."""
    with database.read() as connection:
        return user_rows.recovery_codes_left(connection, person.user_id)


def new_codes(
    database: Database, ring: KeyRing, secret: str, person: Person, code: str, *, address: str
) -> Sequence[str]:
    """New recovery codes in place of any before, shown this once. Raises CredentialRefused for a wrong or used code."""
    counted_at = login_tries.places(secret, person.name, address)
    recovery = codes.new_recovery_codes()
    if not database.run(lambda tx: login_tries.count(tx, counted_at)):
        raise CredentialRefused("tried too often: wait a quarter of an hour")

    def work(connection: Connection) -> bool:
        user = user_rows.by_name(connection, person.name, lock=True)
        if user is None:
            return False
        if user_rows.has_recovery_code(connection, user.id, codes.code_hash(recovery[0])):
            return True  # a repeat, after a commit whose answer got lost
        key = ring.unseal(user.sealed, PLACE, user.id).decode()
        step = totp.step_of(key, code, user_rows.now_s(connection))
        if step is None or not user_rows.take_step(connection, user, step):
            return False
        login_tries.forgive(connection, counted_at)
        user_rows.put_recovery_codes(connection, user.id, [codes.code_hash(one) for one in recovery])
        details = {"user": person.name}
        audit_log.append(connection, actor=person.actor, action="user.recovery_codes", details=details)
        return True

    if not database.run(work):
        raise CredentialRefused("that is not the authenticator's code of this moment, or it was used before")
    return recovery
