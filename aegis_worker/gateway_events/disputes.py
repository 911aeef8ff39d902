"""Ask gateways how disputes stand, and write down what they say: the row, the payment and its events in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.disputes import Dispute, DisputedCharge, DisputeLookup
from aegis_worker.domain.gateway_events import ClaimedEvent, Matched
from aegis_worker.domain.outcomes import Unknown, UnknownKind
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.exchange.engine import STUCK, begun
from aegis_worker.exchange.watched import Begin, LookUp, watched
from aegis_worker.gateways.accounts import out_of_reach
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.discretion import discreet_dispute
from aegis_worker.gateways.requests import DisputeQuery
from aegis_worker.ids import DISPUTE, new_id
from aegis_worker.persistence import dispute_rows, gateway_event_rows
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.exchanges import NOTHING_KEPT, Exchanges

from .decide import Unbelieved, after_answer, heard

log = structlog.get_logger(__name__)

_SIDE_BY_SIDE, _CHECKED_AT_ONCE = 16, 64
# An event that never came is made up for within this time.
_ASKED_AGAIN_AFTER = timedelta(hours=6)


class Subject(Struct, frozen=True):
    """A dispute to ask about, and the event that told us of it; None where it is asked about because it is due."""

    charge: DisputedCharge
    event: ClaimedEvent | None = None


def of_event(event: ClaimedEvent, matched: Matched) -> Subject:
    """The dispute that an event is about."""
    charge = DisputedCharge(
        dispute_ref=event.dispute_ref or "",
        charge_ref=matched.charge_ref or event.gateway_ref or "",
        gateway=event.gateway,
        account=event.account,
        payment_id=matched.payment_id,
        mode=matched.mode,
    )
    return Subject(charge, event)


def ask_about_due(
    database: Database, gateways: Mapping[str, PaymentGateway], exchanges: Exchanges = NOTHING_KEPT
) -> dict[str, int]:
    """Ask about disputes that their gateways have yet to decide and that are due; returns how many there were."""
    claim = partial(dispute_rows.claim_due, limit=_CHECKED_AT_ONCE, again_after=_ASKED_AGAIN_AFTER)
    due = database.run(claim)
    ask_about(database, gateways, [Subject(charge) for charge in due], exchanges)
    return {"asked": len(due)}


def ask_about(
    database: Database,
    gateways: Mapping[str, PaymentGateway],
    subjects: Sequence[Subject],
    exchanges: Exchanges = NOTHING_KEPT,
) -> list[str]:
    """Ask about these disputes, some at a time; returns what became of the event of each.

    A gateway that has not answered in time is not asked again: the leases of the events would end meanwhile.
    """
    silent: set[str] = set()
    statuses: list[str] = []
    for begin in range(0, len(subjects), _SIDE_BY_SIDE):
        some = subjects[begin : begin + _SIDE_BY_SIDE]
        asked_at = database.run(dispute_rows.clock)
        waits = [_begun(gateways, subject, silent, exchanges) for subject in some]
        answers = [discreet_dispute(wait()) for wait in waits]
        crash_point("dispute.answered")
        for subject, answer in zip(some, answers, strict=True):
            if isinstance(answer, Unknown) and answer.kind is UnknownKind.ANSWER_TIMEOUT:
                silent.add(subject.charge.gateway)
            statuses.append(_written(database, subject, answer, asked_at))
        exchanges.write()
    return statuses


def _begun(
    gateways: Mapping[str, PaymentGateway], subject: Subject, silent: set[str], exchanges: Exchanges
) -> Callable[[], DisputeLookup]:
    """Ask; what is returned waits for the answer."""
    charge = subject.charge
    if charge.gateway in silent:
        return lambda: Unknown("it did not answer about another dispute")
    gateway = gateways.get(charge.gateway)
    config = None if gateway is None else gateway.config
    unreachable = out_of_reach(charge.gateway, config, charge.account, charge.mode)
    if gateway is None or unreachable is not None:
        return lambda: Unknown(unreachable or "")
    query = DisputeQuery(charge.dispute_ref, charge.charge_ref)
    look_up = LookUp(charge.gateway, "dispute", charge.payment_id)
    note = exchanges.noting_look_up(charge.payment_id, "dispute", 0, "dispute")
    asked: Begin[DisputeLookup] = watched(partial(gateway.ask_dispute, query, note=note), look_up)
    return begun(asked, gateway.config.slowest_call_s, STUCK)


def _written(database: Database, subject: Subject, answer: DisputeLookup, asked_at: datetime) -> str:
    """What PostgreSQL refuses is tried again when the event's lease ends, and holds up no other."""
    write = partial(_write, subject=subject, answer=answer, asked_at=asked_at, new=new_id(DISPUTE))
    try:
        status = database.run(write)
    except DBAPIError:
        log.exception("a dispute can't be written", gateway=subject.charge.gateway)
        return "waiting"
    crash_point("dispute.recorded")
    return status


def _write(
    connection: Connection, *, subject: Subject, answer: DisputeLookup, asked_at: datetime, new: str
) -> str:
    """Settle the event, and write what is new. Writing the same again is safe: a settled event is settled once."""
    charge = subject.charge
    result = _judged(connection, charge, answer, asked_at, new)
    unbelieved = result if isinstance(result, Unbelieved) else None
    if subject.event is not None:
        followed = after_answer(subject.event, charge.payment_id, unbelieved)
        if not gateway_event_rows.settle(connection, [followed]):
            return followed.status
    if isinstance(result, Unbelieved):
        return "waiting" if subject.event is None else followed.status
    payment, dispute, facts = result
    dispute_rows.write_dispute(
        connection,
        dispute,
        payment,
        account=charge.account,
        asked_at=asked_at,
        check_at=asked_at + _ASKED_AGAIN_AFTER,
        has_news=bool(facts),
    )
    if facts:
        after, events = payment.record(facts)
        dispute_rows.write_move(connection, after, events)
    crash_point("dispute.written")
    return "followed"


def _judged(
    connection: Connection, charge: DisputedCharge, answer: DisputeLookup, asked_at: datetime, new: str
) -> tuple[Payment, Dispute, list[Fact]] | Unbelieved:
    if isinstance(answer, Unknown):
        return Unbelieved(answer.reason)
    payment = dispute_rows.locked_payment(connection, charge.payment_id)
    if payment is None:
        return Unbelieved("its payment is frozen until a person has looked at it")
    known = dispute_rows.known_dispute(connection, charge.gateway, answer.gateway_ref)
    result = heard(payment, known, charge.gateway, answer, asked_at, new)
    return result if isinstance(result, Unbelieved) else (payment, *result)
