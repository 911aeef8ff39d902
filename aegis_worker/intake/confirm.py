"""Taking what a payer brought back from an action: kept, sealed, and the payment's job made due, in one commit."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.confirms import MOST_CONFIRMS, allowed_in, same_as
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.trails import NO_TRAIL, Trail
from aegis_worker.domain.transitions import State
from aegis_worker.errors import IdempotencyKeyReused, InvalidState, JobBusy, NotFound, PaymentFrozen
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.confirm_rows import add_confirm, kept_confirms
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.ring import KeyRing

# Locks the job before the payment is read, in the order in which a worker's change takes them: what is read then stays so.
_OPEN_JOB = """
SELECT id FROM jobs WHERE payment_id = %(payment_id)s AND finished_at IS NULL FOR UPDATE
"""

_PAYMENT = """
SELECT state, frozen_at, gateway, EXISTS (
    SELECT FROM payment_events WHERE payment_id = p.id AND type = 'PAYMENT_ACTION_REQUIRED'
) AS was_asked
FROM payments p WHERE id = %(payment_id)s AND merchant_id = %(merchant_id)s AND mode = %(mode)s
"""

_USE_KEY = """
INSERT INTO idempotency_keys (merchant_id, mode, route, key, request_hmac, payment_id, job_id)
VALUES (%(merchant_id)s, %(mode)s, %(route)s, %(key)s, %(request_hmac)s, %(payment_id)s, %(job_id)s)
ON CONFLICT DO NOTHING RETURNING key
"""

_USED = """
SELECT request_hmac FROM idempotency_keys
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND route = %(route)s AND key = %(key)s
"""


@dataclass(frozen=True, slots=True)
class ConfirmCommand:
    """One validated request to confirm. `request_hmac` covers path and body; `digest`, an HMAC too, the data alone."""

    owner: Owner
    payment_id: str
    route: str
    idempotency_key: str
    request_hmac: bytes
    digest: bytes
    gateway_data: Mapping[str, Any] = field(repr=False)
    trail: Trail = NO_TRAIL


@dataclass(frozen=True, slots=True)
class Confirmed:
    """`job_id`: of the job that hands it to the gateway; None where the payment had gone on already."""

    job_id: str | None
    replayed: bool


def request_confirm(
    database: Database, ring: KeyRing, command: ConfirmCommand, takes_data: Callable[[str], bool]
) -> Confirmed:
    """Keep what the payer brought back, and have it handed to the gateway; where that takes none, have it asked.

    `takes_data(gateway)`: whether a gateway of this name takes what payers bring back. Raises NotFound, PaymentFrozen,
    IdempotencyKeyReused, InvalidState where the payment never waited for its payer, and JobBusy while another confirm is
    under way.
    """
    confirmed = database.run(lambda connection: _take(connection, ring, command, takes_data))
    crash_point("confirm.committed")
    return confirmed


def _take(
    connection: Connection, ring: KeyRing, command: ConfirmCommand, takes_data: Callable[[str], bool]
) -> Confirmed:
    names = {"payment_id": command.payment_id, **command.owner._asdict()}
    job = connection.exec_driver_sql(_OPEN_JOB, names).one_or_none()
    payment = connection.exec_driver_sql(_PAYMENT, names).one_or_none()
    _check(command, payment)
    job_id = None if job is None else str(job.id)
    replayed = _is_replay(connection, command, names, job_id or "")
    if payment is None or payment.state != State.REQUIRES_ACTION:
        return Confirmed(None, replayed)
    if replayed and job_id is not None:
        return Confirmed(job_id, replayed)
    if job_id is None or not takes_data(payment.gateway):
        job_id = _asked(connection, command)
    if not takes_data(payment.gateway):
        return Confirmed(job_id, replayed)
    _keep(connection, ring, command, job_id)
    crash_point("confirm.written")
    return Confirmed(job_id, replayed)


def _check(command: ConfirmCommand, payment: Row[Any] | None) -> None:
    if payment is None:
        raise NotFound(f"no payment {command.payment_id}")
    if payment.frozen_at is not None:
        raise PaymentFrozen(
            f"{command.payment_id} is frozen: its history and its row disagree; a person decides"
        )
    if not payment.was_asked:
        state = State(payment.state)
        raise InvalidState(f"the payment is {state} and never waited for its payer", allowed_in(state))


def _is_replay(
    connection: Connection, command: ConfirmCommand, names: Mapping[str, str], job_id: str
) -> bool:
    given = {
        **names,
        "route": command.route,
        "key": command.idempotency_key,
        "request_hmac": command.request_hmac,
        "job_id": job_id,
    }
    if connection.exec_driver_sql(_USE_KEY, given).one_or_none() is not None:
        return False
    used = connection.exec_driver_sql(_USED, given).scalar_one_or_none()
    if used is None:
        raise JobBusy("this key is just being forgotten; ask again")
    if not hmac.compare_digest(bytes(used), command.request_hmac):
        raise IdempotencyKeyReused("this key was used with a different request")
    return True


def _asked(connection: Connection, command: ConfirmCommand) -> str:
    job_id = ask_now(connection, command.payment_id, command.trail)
    if job_id is None:
        raise JobBusy(f"the job of {command.payment_id} is changing hands; ask again")
    return job_id


def _keep(connection: Connection, ring: KeyRing, command: ConfirmCommand, job_id: str) -> None:
    kept = kept_confirms(connection, command.payment_id)
    if same_as(kept, command.digest.hex()) is not None:
        return
    if any(one.is_open for one in kept):
        raise JobBusy("another confirm of this payment is under way; ask again once it has ended")
    if len(kept) >= MOST_CONFIRMS:
        raise InvalidState(f"the payment was confirmed {MOST_CONFIRMS} times", ("sync",))
    add_confirm(
        connection, ring, command.payment_id, job_id, len(kept) + 1, command.digest, command.gateway_data
    )
