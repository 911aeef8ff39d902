"""What a gateway does with a charge that it holds: captures, voids and refunds that a merchant ordered. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.gateway_keys import is_ordered
from aegis_worker.domain.outcomes import Declined, Operation
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

from . import charging as _charging  # noqa: F401  # its rows of the tables come first
from .fates import (
    ARRIVALS,
    CALLS,
    ERROR,
    LOOK_UPS,
    LOST,
    Called,
    Fate,
    LookedUp,
    arrivals,
    entered,
    heard_or_lost,
    joined,
    kept_under,
    never_arrives,
    under_error,
)
from .ledger import Entry, Ledger, OnItsWay, charge_of, hop_of, with_effect
from .releases import settling, without
from .setups import GatewaySetup
from .showing import looked_up, said_of

_NOTHING_LEFT = Declined("generic_decline", "nothing_left")
# The code of a refund that came before its charge was settled.
EARLY = "invalid_request"
_TOO_EARLY = Declined(EARLY, "not settled yet")
_REFUSED = Declined("generic_decline", "refused")
# Pending ones are decided when somebody looks.
_WORDS = ("still pending", "decided: yes", "decided: no")


def _call(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    """The order arrives, or not."""
    yield from never_arrives(ledger)
    one = OnItsWay(
        request.operation,
        request.idempotency_key,
        request.capture,
        request.amount.minor,
        setup.capabilities.absence_window_s,
        setup.capabilities.keeps_key_s(request.operation),
        of=request.gateway_ref,
        final=request.final,
    )
    yield Fate("is late", 1, LOST, replace(ledger, on_its_way=(*ledger.on_its_way, one)))
    for before, arrived in arrivals(ledger):
        kept = kept_under(arrived, setup, request.operation, request.idempotency_key)
        if kept is None:
            fates = _new(arrived, setup, one)
        elif kept.is_error:
            fates = iter([Fate("its stored error again", 0, ERROR, arrived)])
        else:
            fates = _again(arrived, one)
        for fate in fates:
            yield replace(fate, how=joined(before, fate.how))


def _again(ledger: Ledger, order: OnItsWay) -> Iterator[Fate]:
    """The key is known: the call is answered by what stands under it."""
    entry = ledger.find(order.key, order.operation)
    if entry is None:
        raise AssertionError("unreachable: a key is kept with what was done under it")
    for how, after, now in decided(ledger, entry):
        yield from heard_or_lost(joined("the same answer again", how), said_of(now), after)


def _new(ledger: Ledger, setup: GatewaySetup, order: OnItsWay) -> Iterator[Fate]:
    for how, now in _settled_by_now(ledger, order):
        for fate in _decided_now(now, setup, order):
            yield replace(fate, how=joined(how, fate.how))


def _settled_by_now(ledger: Ledger, order: OnItsWay) -> Iterator[tuple[str, Ledger]]:
    charge = charge_of(ledger, order.of)
    if charge is None or order.operation is not Operation.REFUND:
        yield "", ledger
        return
    for how, after, _ in settling(ledger, charge):
        yield how, after


def _decided_now(ledger: Ledger, setup: GatewaySetup, order: OnItsWay) -> Iterator[Fate]:
    if not _is_refunded_now(ledger, setup, order):
        yield from heard_or_lost(
            "refunds only what is settled", _TOO_EARLY, _noted(ledger, order, "declined", EARLY)
        )
        return
    if not _is_possible(ledger, order):
        yield from heard_or_lost("has nothing left for it", _NOTHING_LEFT, _noted(ledger, order, "declined"))
        return
    done = carried_out(ledger, order)
    yield from heard_or_lost("does it", said_of(done.entries[-1]), done)
    yield Fate("does it, and answers 500", 1, ERROR, under_error(done, order.key))
    yield from heard_or_lost("refuses it", _REFUSED, _noted(ledger, order, "declined"))
    if setup.decides_later:
        pending = _noted(ledger, order, "pending")
        yield from heard_or_lost("decides later", said_of(pending.entries[-1]), pending)
    yield Fate("answers 500 and does nothing", 1, ERROR, under_error(ledger, order.key))


def _is_refunded_now(ledger: Ledger, setup: GatewaySetup, order: OnItsWay) -> bool:
    """Whether the charge is settled, or all of it is given back by a void."""
    charge = charge_of(ledger, order.of)
    if charge is None or order.operation is not Operation.REFUND or not charge.unsettled:
        return True
    is_all = order.minor == charge.captured and not charge.refunded
    return is_all and setup.capabilities.voids_what_is_not_settled


def _arrives(ledger: Ledger, order: OnItsWay) -> Ledger:
    """A late call is carried out once for as long as its key is kept."""
    is_kept = any(
        one.key == order.key and order.arrives_at - one.at < order.keeps_key_s for one in ledger.kept
    )
    return ledger if is_kept or not _is_possible(ledger, order) else carried_out(ledger, order)


def _is_possible(ledger: Ledger, order: OnItsWay) -> bool:
    charge = charge_of(ledger, order.of)
    if charge is None or charge.status != "approved" or charge.voided:
        return False
    if order.operation is Operation.REFUND:
        return charge.refunded + _pending_of(ledger, order) + order.minor <= charge.captured
    left = 0 if charge.released else charge.minor - charge.captured - _pending_of(ledger, order)
    return left >= (order.minor if order.operation is Operation.CAPTURE else 1)


def _pending_of(ledger: Ledger, order: OnItsWay) -> int:
    """What the gateway has taken in of the same kind, and not decided."""
    return sum(
        one.minor
        for one in ledger.entries
        if one.of == order.of and one.operation is order.operation and one.status == "pending"
    )


def _noted(ledger: Ledger, order: OnItsWay, status: str, code: str = "generic_decline") -> Ledger:
    after = entered(
        ledger,
        order.operation,
        order.key,
        order.minor,
        status,  # type: ignore[arg-type]
        capture=False,
        of=order.of,
        code=code if status == "declined" else "",
    )
    last = after.entries[-1]
    return after.changed(last, replace(last, final=order.final))


def carried_out(ledger: Ledger, order: OnItsWay) -> Ledger:
    """The order is done."""
    return with_effect(_noted(ledger, order, "approved"))


def words_of_taking_back(entry: Entry) -> str:
    """What its move says."""
    return f"the {entry.operation.value} {entry.key[36:]} has failed after all"


def taken_back(ledger: Ledger, entry: Entry, *, owes: bool = False) -> Ledger:
    """A refund that was done has failed after all. `owes`: an event that tells of it is to come."""
    failed = replace(entry, status="declined", code="generic_decline", owes=owes)
    ledger = ledger.changed(entry, failed)
    charge = charge_of(ledger, entry.of)
    if charge is None:
        raise AssertionError("unreachable: there is a charge that it is of")
    return ledger.changed(charge, replace(charge, refunded=charge.refunded - entry.minor))


def decided(ledger: Ledger, entry: Entry) -> Iterator[tuple[str, Ledger, Entry]]:
    """Each way in which an order may stand by now."""
    if entry.status != "pending":
        yield "", ledger, entry
        return
    waits, yes, no = _WORDS
    yield waits, ledger, entry
    done = replace(entry, status="approved", shown=False)
    yield yes, with_effect(ledger.changed(entry, done), done), done
    refused = replace(entry, status="declined", code="generic_decline", shown=False)
    yield no, without(ledger.changed(entry, refused), refused), refused


def _look_up(ledger: Ledger, setup: GatewaySetup, query: StatusQuery) -> Iterator[Fate]:
    def latest(now: Ledger) -> tuple[Entry, ...]:
        entry = now.find(query.reference, query.operation)
        return () if entry is None else (entry,)

    yield from looked_up(ledger, setup, query, latest, decided)


def _or(ours: Called, theirs: Called | None) -> Called:
    """For what a merchant ordered, ours; for a charge too many that is given back, theirs."""

    def call(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
        chosen = ours if theirs is None or is_ordered(hop_of(request.idempotency_key)) else theirs
        yield from chosen(ledger, setup, request)

    return call


def _look_up_or(theirs: LookedUp | None) -> LookedUp:
    def look_up(ledger: Ledger, setup: GatewaySetup, query: StatusQuery) -> Iterator[Fate]:
        chosen = _look_up if theirs is None or is_ordered(hop_of(query.reference)) else theirs
        yield from chosen(ledger, setup, query)

    return look_up


for _operation in (Operation.CAPTURE, Operation.VOID, Operation.REFUND):
    CALLS[_operation] = _or(_call, CALLS.get(_operation))
    LOOK_UPS[_operation] = _look_up_or(LOOK_UPS.get(_operation))
    ARRIVALS[_operation] = _arrives
