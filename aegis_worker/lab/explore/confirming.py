"""What a gateway makes of what a payer brought back from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.outcomes import ActionRequired, Declined, Operation, charges
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

from .fates import (
    ARRIVALS,
    CALLS,
    CLOSED,
    ERROR,
    LOOK_UPS,
    LOST,
    SOFT,
    Fate,
    arrivals,
    entered,
    heard_or_lost,
    joined,
    kept_under,
    never_arrives,
    under_error,
)
from .ledger import Entry, Ledger, OnItsWay
from .setups import GatewaySetup
from .showing import ACTION, looked_up, said_of

_CONFIRM = Operation.CONFIRM
_NOTHING = Declined(CLOSED, "nothing to confirm")


def _call(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    """It arrives, or not."""
    yield from never_arrives(ledger)
    key, able = request.idempotency_key, setup.capabilities
    one = OnItsWay(
        _CONFIRM,
        key,
        request.capture,
        request.amount.minor,
        able.absence_window_s,
        able.keeps_key_s(_CONFIRM),
        of=_waiting_of(ledger),
    )
    yield Fate("is late", 1, LOST, replace(ledger, on_its_way=(*ledger.on_its_way, one)))
    for before, arrived in arrivals(ledger):
        kept = kept_under(arrived, setup, _CONFIRM, key)
        if kept is not None and kept.is_error:
            fates = iter([Fate("its stored error again", 0, ERROR, arrived)])
        elif kept is not None:
            fates = _as_it_stands(arrived, _charge_of(arrived, key))
        else:
            fates = _new(arrived, request)
        for fate in fates:
            yield replace(fate, how=joined(before, fate.how))


def _new(ledger: Ledger, request: GatewayRequest) -> Iterator[Fate]:
    key, ref = request.idempotency_key, _waiting_of(ledger)
    yield Fate("answers 500 and does nothing", 1, ERROR, under_error(ledger, key))
    waiting = next((one for one in ledger.entries if one.ref == ref), None)
    if waiting is None:
        # Its payer has paid or was refused since, or it was cancelled: there is nothing to confirm any more.
        yield from heard_or_lost("has nothing to confirm", _NOTHING, ledger)
        return
    yield from heard_or_lost("can make nothing of it", _NOTHING, ledger)
    done = _carried_out(ledger, waiting, key, capture=request.capture)
    yield from heard_or_lost("takes it", said_of(_charge_of(done, key)), done)
    yield Fate("takes it, and answers 500", 1, ERROR, under_error(done, key))
    refused = _noted(ledger, waiting, replace(waiting, status="declined", code=SOFT, shown=False), key)
    yield from heard_or_lost("refuses the payer", said_of(_charge_of(refused, key)), refused)
    again = _noted(ledger, waiting, waiting, key)
    yield Fate("sends the payer away again", 1, ActionRequired(waiting.ref, ACTION), again)


def _waiting_of(ledger: Ledger) -> str | None:
    """What waits for its payer, the latest of it."""
    return next((one.ref for one in reversed(ledger.entries) if one.status == "action"), None)


def _carried_out(ledger: Ledger, waiting: Entry, key: str, *, capture: bool) -> Ledger:
    captured = waiting.minor if charges(waiting.operation) and capture else 0
    return _noted(ledger, waiting, replace(waiting, status="approved", captured=captured, shown=False), key)


def _noted(ledger: Ledger, before: Entry, after: Entry, key: str) -> Ledger:
    ledger = ledger.changed(before, after)
    return entered(ledger, _CONFIRM, key, 0, "approved", capture=False, of=before.ref)


def _charge_of(ledger: Ledger, key: str) -> Entry:
    """The step that was confirmed under the key."""
    confirm = ledger.find(key, _CONFIRM)
    if confirm is None:
        raise AssertionError("unreachable: a key is kept with what was done under it")
    return next(one for one in ledger.entries if one.ref == confirm.of)


def _as_it_stands(ledger: Ledger, charge: Entry) -> Iterator[Fate]:
    yield from heard_or_lost("the same answer again", said_of(charge), ledger)


def _arrives(ledger: Ledger, late: OnItsWay) -> Ledger:
    """Carried out where the step still waits for its payer."""
    is_kept = any(one.key == late.key and -one.at < late.keeps_key_s for one in ledger.kept)
    waiting = next((one for one in ledger.entries if one.ref == late.of and one.status == "action"), None)
    if is_kept or waiting is None:
        return ledger
    return _carried_out(ledger, waiting, late.key, capture=late.capture)


def _look_up(ledger: Ledger, setup: GatewaySetup, query: StatusQuery) -> Iterator[Fate]:
    """A confirm that arrived is shown by how its step stands."""

    def find(now: Ledger) -> tuple[Entry, ...]:
        return () if now.find(query.reference, _CONFIRM) is None else (_charge_of(now, query.reference),)

    yield from looked_up(ledger, setup, query, find)


CALLS[_CONFIRM] = _call
LOOK_UPS[_CONFIRM] = _look_up
ARRIVALS[_CONFIRM] = _arrives
