"""The steps of a charge at a gateway, and giving a charge too many back. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.outcomes import Declined, Operation, charges
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

from .fates import (
    ARRIVALS,
    CALLS,
    CLOSED,
    ERROR,
    HARD,
    LONGER_THAN_KEPT,
    LOOK_UPS,
    LOST,
    SOFT,
    VERY_LATE,
    Fate,
    arrivals,
    entered,
    heard_or_lost,
    joined,
    kept_under,
    never_arrives,
    under_error,
)
from .ledger import Entry, Kept, Ledger, OnItsWay, Status, hop_of, open_of_hop
from .releases import UNSETTLED_LOOKS, held_for
from .setups import GatewaySetup
from .showing import looked_up, now_of, said_of

# Longer than any absence window that is explored, and shorter than charges that were given up are asked about.
_VERY_LATE_S = 800.0
_SAYS_NO = Declined(CLOSED, "closed")


def _step(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    """A step of a charge arrives, or not."""
    yield from never_arrives(ledger)
    yield from _late(ledger, setup, request)
    key, operation = request.idempotency_key, request.operation
    for before, arrived in arrivals(ledger):
        kept = kept_under(arrived, setup, operation, key)
        for fate in _new(arrived, setup, request) if kept is None else _again(arrived, kept, request):
            yield replace(fate, how=f"{before}, {fate.how}") if before else fate


def _again(ledger: Ledger, kept: Kept, request: GatewayRequest) -> Iterator[Fate]:
    """The key is known: the call is answered as it was, by what stands under it."""
    if kept.is_error:
        yield Fate("its stored error again", 0, ERROR, ledger)
        return
    entry = ledger.find(request.idempotency_key, request.operation)
    if entry is None:
        raise AssertionError("unreachable: a key is kept with what was done under it")
    for how, after, now in now_of(ledger, entry, manual=not request.capture):
        said = said_of(now)
        yield from heard_or_lost(how or "the same answer again", said, after)


def _new(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    key, operation = request.idempotency_key, request.operation
    if hop_of(key) in ledger.closed:
        yield from heard_or_lost("closed before", _SAYS_NO, ledger)
        return
    if setup.capabilities.charges_what_it_made and _is_charged(ledger, operation, hop_of(key)):
        yield from heard_or_lost("charged it before", _SAYS_NO, ledger)
        return
    for how, status, code in _standings(setup, operation):
        after = _timed(
            entered(ledger, operation, key, request.amount.minor, status, capture=request.capture, code=code),
            _hold_s(setup, request),
            settles=setup.capabilities.refunds_when_settled,
        )
        yield from heard_or_lost(how, said_of(after.entries[-1]), after)
        if status == "approved":
            yield Fate(f"{how}, and answers 500", 1, ERROR, under_error(after, key))
    yield Fate("answers 500 and does nothing", 1, ERROR, under_error(ledger, key))


def _hold_s(setup: GatewaySetup, request: GatewayRequest) -> float | None:
    return None if request.capture else setup.capabilities.hold_s


def _timed(ledger: Ledger, hold_s: float | None, *, settles: bool) -> Ledger:
    """The ledger, whose latest charge is held and settled as its gateway has it."""
    last = ledger.entries[-1]
    if not charges(last.operation) or (hold_s is None and not settles):
        return ledger
    timed = held_for(replace(last, unsettled=UNSETTLED_LOOKS if settles else None), hold_s)
    return ledger.changed(last, timed)


def _is_charged(ledger: Ledger, operation: Operation, hop: int) -> bool:
    """Whether what the hop has made there is charged, or is about to be."""
    return charges(operation) and any(
        charges(entry.operation) and entry.status != "declined" for entry in open_of_hop(ledger, hop)
    )


def _standings(setup: GatewaySetup, operation: Operation) -> Iterator[tuple[str, Status, str]]:
    """How the gateway may take a step, with the code of a refusal."""
    yield "approves", "approved", ""
    if operation is Operation.INITIATE:
        return
    yield "declines softly", "declined", SOFT
    if charges(operation):
        yield "declines for good", "declined", HARD
        if setup.decides_later:
            yield "decides later", "pending", ""
    if setup.payer:
        yield "sends the payer away", "action", ""


def _late(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    """The call is not lost, only late."""
    able, operation = setup.capabilities, request.operation
    window_s = min(able.absence_window_s, _VERY_LATE_S)
    keeps_key_s = able.keeps_key_s(operation)
    kept = kept_under(ledger, setup, operation, request.idempotency_key)
    # A second before a key ends that another call made at this moment or later, or has made.
    key_ends = keeps_key_s + (0.0 if kept is None else kept.at) - 1.0 if keeps_key_s else window_s
    one = OnItsWay(
        operation,
        request.idempotency_key,
        request.capture,
        request.amount.minor,
        min(window_s, key_ends),
        keeps_key_s,
        charged_once=able.charges_what_it_made,
        shown_within_s=able.absence_window_s if window_s == able.absence_window_s else None,
        hold_s=_hold_s(setup, request),
        settles=able.refunds_when_settled,
    )
    yield Fate("is late", 1, LOST, _under_way(ledger, one))
    if not charges(operation):
        return
    if key_ends < window_s:
        one = replace(one, until=window_s)
        yield Fate(f"is {LONGER_THAN_KEPT}", 1, LOST, _under_way(ledger, one), LONGER_THAN_KEPT)
    if window_s < _VERY_LATE_S:
        # Where look-ups lag, they lag behind its arrival, and not behind the moment at which somebody looks for it.
        shown_s = 0.0 if setup.look_ups == "lagging" else None
        one = replace(one, until=_VERY_LATE_S, shown_within_s=shown_s)
        yield Fate(f"is {VERY_LATE}", 1, LOST, _under_way(ledger, one), VERY_LATE)


def _under_way(ledger: Ledger, one: OnItsWay) -> Ledger:
    return replace(ledger, on_its_way=(*ledger.on_its_way, one))


def _step_arrives(ledger: Ledger, late: OnItsWay) -> Ledger:
    """Carried out once for as long as its key is kept, however late; a closed hop is charged no more."""
    at = late.arrives_at
    is_kept = any(one.key == late.key and at - one.at < late.keeps_key_s for one in ledger.kept)
    is_charged = late.charged_once and _is_charged(ledger, late.operation, hop_of(late.key))
    if is_kept or is_charged or hop_of(late.key) in ledger.closed:
        return ledger
    after = entered(ledger, late.operation, late.key, late.minor, "approved", capture=late.capture)
    after = _timed(after, late.hold_s, settles=late.settles)
    kept = tuple(replace(one, at=min(0.0, at)) if one.key == late.key else one for one in after.kept)
    after = replace(after, kept=kept)
    if late.shown_within_s is None:
        return after
    last = after.entries[-1]
    return after.changed(last, replace(last, at=min(0.0, late.until - late.shown_within_s)))


def _look_up(ledger: Ledger, setup: GatewaySetup, query: StatusQuery) -> Iterator[Fate]:
    yield from looked_up(
        ledger, setup, query, lambda now: now.under(query.reference, query.operation, query.gateway_ref)
    )


def _give_back(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    """All of a charge is released or refunded."""
    yield from never_arrives(ledger)
    for before, arrived in arrivals(ledger):
        kept = kept_under(arrived, setup, request.operation, request.idempotency_key)
        fates = _given(arrived, request) if kept is None else _again(arrived, kept, request)
        for fate in fates:
            yield replace(fate, how=joined(before, fate.how))


def _given(ledger: Ledger, request: GatewayRequest) -> Iterator[Fate]:
    operation = request.operation
    charge = next((one for one in ledger.entries if one.ref == request.gateway_ref and one.stands), None)
    if charge is None or (operation is Operation.VOID) == (charge.captured > 0):
        yield from heard_or_lost("refuses", Declined(CLOSED, "no such charge"), ledger)
        return
    after = ledger.changed(charge, _given_back(charge, operation))
    after = entered(
        after, operation, request.idempotency_key, charge.minor, "approved", capture=False, of=charge.ref
    )
    yield from heard_or_lost("gives it back", said_of(after.entries[-1]), after)


def _given_back(charge: Entry, operation: Operation) -> Entry:
    if operation is Operation.VOID:
        return replace(charge, voided=True, shown=False)
    return replace(charge, refunded=charge.captured, shown=False)


for _operation in (Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS):
    CALLS[_operation] = _step
    LOOK_UPS[_operation] = _look_up
    ARRIVALS[_operation] = _step_arrives
for _operation in (Operation.VOID, Operation.REFUND):
    CALLS[_operation] = _give_back
    LOOK_UPS[_operation] = _look_up
