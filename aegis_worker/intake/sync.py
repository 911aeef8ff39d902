"""Having a gateway asked about a payment now."""

from __future__ import annotations

from sqlalchemy import Connection

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.trails import Trail
from aegis_worker.errors import JobBusy, NotFound, PaymentFrozen
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.database import Database

_IS_OWNERS = """
SELECT frozen_at FROM payments WHERE id = %(payment_id)s AND merchant_id = %(merchant_id)s AND mode = %(mode)s
"""


def request_sync(database: Database, owner: Owner, payment_id: str, trail: Trail | None = None) -> str:
    """Have the gateway asked about a payment now: the open job becomes due, or a `sync` job is made. Returns its id.

    Raises NotFound for a payment of another owner, PaymentFrozen, or JobBusy when jobs open and close faster than this
    can look.
    """

    def work(connection: Connection) -> str:
        names = {"payment_id": payment_id, **owner._asdict()}
        payment = connection.exec_driver_sql(_IS_OWNERS, names).one_or_none()
        if payment is None:
            raise NotFound(f"no payment {payment_id}")
        if payment.frozen_at is not None:
            raise PaymentFrozen(f"{payment_id} is frozen: its history and its row disagree; a person decides")
        job_id = ask_now(connection, payment_id, trail)
        if job_id is None:
            raise JobBusy(f"the job of {payment_id} is changing hands; ask again")
        return job_id

    return database.run(work)
