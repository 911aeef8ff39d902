"""How a payment stood at a time, rebuilt from its events: from the last snapshot before then, or from the start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from aegis_worker.domain.payment import Event, Payment
from aegis_worker.domain.replay import fold, restored
from aegis_worker.errors import IllegalTransition, PaymentFrozen

from .history import MOST_EVENTS, list_events

# Times are compared to the millisecond, because that is how we show them: an event shown with the asked time is included.
# The history ends before the first later event. So it has no holes, even if a clock once went backwards.
_LAST_SEQ = """
SELECT coalesce(min(seq) FILTER (WHERE date_trunc('milliseconds', at) > %(moment)s) - 1, max(seq), 0) FROM payment_events
WHERE payment_id = %(payment_id)s
"""

_SNAPSHOT = """
SELECT seq, state FROM payment_snapshots WHERE payment_id = %(payment_id)s AND seq <= %(seq)s
ORDER BY seq DESC LIMIT 1
"""

_AT = "SELECT at FROM payment_events WHERE payment_id = %(payment_id)s AND seq = %(seq)s"


@dataclass(frozen=True, slots=True)
class PastPayment:
    """A payment as it stood after its event `payment.version`, which was recorded at `at`."""

    payment: Payment
    at: datetime


def last_seq_at(connection: Connection, payment_id: str, moment: datetime) -> int:
    """The `seq` of the payment's last event at that time; 0 before it existed."""
    names = {"payment_id": payment_id, "moment": moment}
    return int(connection.exec_driver_sql(_LAST_SEQ, names).scalar_one())


def payment_at(connection: Connection, now: Payment, seq: int) -> PastPayment | None:
    """The payment after event `seq`; None for 0, before it existed. `now` gives the terms, which never change.

    Raises PaymentFrozen when the history can't be folded.
    """
    if seq == 0:
        return None
    names = {"payment_id": now.id, "seq": seq}
    snapshot = connection.exec_driver_sql(_SNAPSHOT, names).one_or_none()
    after_seq = snapshot.seq if snapshot else 0
    try:
        told = list_events(connection, None, now.id, limit=MOST_EVENTS, after_seq=after_seq, upto_seq=seq)
        base = restored(now, snapshot.seq, snapshot.state) if snapshot else None
        payment = fold(now, (Event(now.id, event.seq, event.type, event.data) for event in told), base)
    except (IllegalTransition, ValueError) as error:
        raise PaymentFrozen(f"the history of {now.id} can't be folded: {error}") from error
    return PastPayment(payment, connection.exec_driver_sql(_AT, names).scalar_one())
