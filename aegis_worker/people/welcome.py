"""Who was given a welcome code chooses a password, proves an authenticator, and gets recovery codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from aegis_worker.errors import CredentialRefused
from aegis_worker.persistence import audit_log, login_tries, user_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.user_rows import User
from aegis_worker.sealing.ring import KeyRing

from . import codes, passwords, totp
from .users import PLACE

_WRONG_CODE = (
    "this code is not good, or not any more: have an admin give you a new one (`aegis users reset-totp NAME`)"
)
_NOBODY = ""


@dataclass(frozen=True, slots=True)
class Offered:
    """What the owner of a welcome code is shown: their name, and the secret that their authenticator takes."""

    name: str
    secret: str = field(repr=False)

    @property
    def uri(self) -> str:
        """The same as an address, for a QR code."""
        return totp.uri(self.secret, self.name)


def look(database: Database, ring: KeyRing, secret: str, code: str, *, address: str) -> Offered:
    """What belongs to a welcome code. Raises CredentialRefused for one that is not good, and for one try too many.

    `secret`: AEGIS_SECRET. `address`: from where somebody tries.
    """
    user = _whose(database, secret, code, address)
    return Offered(user.name, ring.unseal(user.sealed, PLACE, user.id).decode())


def take_up(
    database: Database,
    ring: KeyRing,
    secret: str,
    code: str,
    *,
    password: str,
    authenticator_code: str,
    address: str,
) -> tuple[str, Sequence[str]]:
    """Make the user active, with this password: their name and their new recovery codes, shown this once.

    Raises CredentialRefused, also for a password that can't be one or a code that is not the authenticator's.
    """
    user = _whose(database, secret, code, address)
    hashed = passwords.hashed(password, user.name)
    recovery = codes.new_recovery_codes()
    hashes = [codes.code_hash(one) for one in recovery]

    def work(connection: Connection) -> None:
        locked = user_rows.by_code(connection, codes.code_hash(code), lock=True)
        if locked is None:
            if user_rows.has_recovery_code(connection, user.id, hashes[0]):
                return  # a repeat, after a commit whose answer got lost
            raise CredentialRefused(_WRONG_CODE)
        key = ring.unseal(locked.sealed, PLACE, locked.id).decode()
        step = totp.step_of(key, authenticator_code, user_rows.now_s(connection))
        if step is None:
            raise CredentialRefused("that is not the authenticator's code of this moment")
        gone = {"code_hash": None, "code_until": None}
        user_rows.change(connection, locked.id, status="active", password_hash=hashed, last_step=step, **gone)
        user_rows.put_recovery_codes(connection, locked.id, hashes)
        audit_log.append(
            connection, actor=f"console:{locked.name}", action="user.welcomed", details={"user": locked.name}
        )

    database.run(work)
    return user.name, recovery


def _whose(database: Database, secret: str, code: str, address: str) -> User:
    counted_at = login_tries.places(secret, _NOBODY, address)[:1]  # a code belongs to no name yet

    def work(connection: Connection) -> User | None:
        may_try = login_tries.count(connection, counted_at)
        user = user_rows.by_code(connection, codes.code_hash(code)) if may_try else None
        if user is not None:
            login_tries.forgive(connection, counted_at)
        return user

    user = database.run(work)
    if user is None:
        raise CredentialRefused(_WRONG_CODE)
    return user
