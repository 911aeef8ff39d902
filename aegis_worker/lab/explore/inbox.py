"""What a gateway's event does to the tables of its payment, as `gateway_events.follow` has it. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.entities import Entity, EntityKind
from aegis_worker.domain.gateway_events import ClaimedEvent, Matched
from aegis_worker.domain.gateway_keys import is_ordered, named_by, order_number, ordered_in
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.gateway_events.decide import asked, behind_a_job, decide, is_of_given_up

from .asking import ask_now, recheck_now, swept_now, sync_now
from .rows import Rows
from .rows_orders import check_now, settled_now
from .rows_told import Told
from .setups import Configuration, GatewaySetup


def received(rows: Rows, event: Told, configuration: Configuration) -> Rows:
    """The tables once the event is kept, and it and all that wait are followed."""
    rows = replace(rows, told=(*rows.told, replace(event, waits=True)))
    return followed(rows, configuration)


def followed(rows: Rows, configuration: Configuration) -> Rows:
    """The tables once all events that wait are followed, the oldest first; those may wait on."""
    for event in rows.told:
        if event.waits:
            rows = _followed(rows, event, configuration)
    return rows


def _followed(rows: Rows, event: Told, configuration: Configuration) -> Rows:
    claimed, matched = claimed_of(rows, event), matched_by(rows, event)
    status = decide(claimed, matched, "test").status
    if status == "waiting":
        return rows
    if status == "no_news":
        return _settled(rows, event)
    after = _have_asked(rows, claimed, matched)
    if not _is_behind_a_job(after, configuration.gateway(event.gateway)):
        return _settled(rows if after is None else after, event)
    waits = behind_a_job(claimed, matched).status == "waiting"
    after = rows if after is None else after
    return after if waits else _settled(after, event)


def claimed_of(rows: Rows, event: Told) -> ClaimedEvent:
    """The event as a worker claims it."""
    return ClaimedEvent(
        gateway=event.gateway,
        account=None,
        event_id="",
        kind=event.kind,
        reference=event.reference,
        gateway_ref=event.ref,
        amount=Money(event.minor, rows.payment.amount.currency),
        tries=1,
        claimed_until="",
        is_over=False,
    )


def _is_behind_a_job(after: Rows | None, setup: GatewaySetup) -> bool:
    """Whether a job of the payment is in its way, or may have read what was told before it (`follow._asked`)."""
    if after is None:
        return True
    is_held = after.job is not None and after.job.status == "running"
    return is_held and setup.capabilities.tells_by_events_alone


def _settled(rows: Rows, event: Told) -> Rows:
    """It waits no more. Odd ones are forgotten: nothing tells them from ones that never came."""
    others = [one for one in rows.told if one is not event]
    return replace(rows, told=tuple(others if event.is_odd else (*others, replace(event, waits=False))))


def matched_by(rows: Rows, event: Told) -> Matched:
    """The payment as the event finds it (`gateway_event_rows.match`)."""
    place = named_by(event.reference)
    if place is None or place[1] is None:
        raise AssertionError(f"unreachable: {event.reference} is a key of ours")
    number = place[1]
    here = [row.attempt for row in rows.attempts if row.attempt.number == number]
    here = [one for one in here if one.gateway == event.gateway]
    charge = next((one for one in here if one.operation is Operation.PROCESS), None)
    order = _order(rows, event.reference, number)
    payment = rows.payment
    ref = payment.gateway_ref if is_ordered(number) else None if charge is None else charge.gateway_ref
    return Matched(
        payment.id,
        "test",
        payment.state,
        payment.amount,
        bool(rows.attempts),
        number if here else None,
        None if charge is None else charge.status.value,
        ref,
        None if order is None else order.order.id,
        None if order is None else order.status,
    )


def _order(rows: Rows, reference: str, number: int) -> Entity | None:
    operation = ordered_in(reference)
    if operation is None:
        return None
    named = EntityKind(operation.value), order_number(number)
    return next(
        (row.entity for row in rows.entities if (row.entity.order.kind, row.entity.order.number) == named),
        None,
    )


def _have_asked(rows: Rows, claimed: ClaimedEvent, matched: Matched) -> Rows | None:
    """None where another job is open (`follow._have_asked`)."""
    what = asked(claimed, matched)
    if what == "charged":
        if matched.number is not None and is_of_given_up(matched):
            rows = recheck_now(rows, ((matched.number, None),), 0.0)
        return sync_now(rows, 0.0)
    order = None if matched.order is None else _order(rows, claimed.reference or "", matched.number or 0)
    if what == "settled":
        return swept_now(replace(rows, entities=settled_now(rows.entities, 0.0)))
    if what == "order" and order is not None:
        rows = replace(rows, entities=check_now(rows.entities, order.order.number, order.order.kind, 0.0))
        rows = swept_now(rows)
    if what == "given_up" and matched.number is not None:
        rows = recheck_now(rows, ((matched.number, None),), 0.0)
    return ask_now(rows, 0.0)
