"""Closing the door behind a step of a charge (D16): what its payer could still pay is cancelled at the gateway. Pure.

Where the gateway `closes_late`, a closing call may arrive later than it is waited for, or be answered with an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.outcomes import Approved, Declined, Operation, Outcome, charges
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

from . import charging as _charging  # noqa: F401  # its rows of the tables come first
from .fates import (
    ARRIVALS,
    CALLS,
    CLOSED,
    DECIDED_BEFORE,
    ERROR,
    LOOK_UPS,
    LOST,
    Fate,
    arrivals,
    entered,
    heard_or_lost,
    joined,
    kept_under,
    never_arrives,
    under_error,
)
from .ledger import Ledger, OnItsWay, hop_of, open_of_hop
from .setups import GatewaySetup
from .showing import looked_up, now_of

_CLOSE = Operation.CLOSE
_PAID = Declined(CLOSED, "already_paid")


def _call(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    """What its payer could still pay is cancelled, unless it was paid."""
    yield from never_arrives(ledger)
    if setup.closes_late:
        yield _late(ledger, setup, request)
    key, hop = request.idempotency_key, hop_of(request.idempotency_key)
    for before, arrived in arrivals(ledger):
        kept = kept_under(arrived, setup, _CLOSE, key)
        if kept is not None and kept.is_error:
            yield Fate(joined(before, "its stored error again"), 0, ERROR, arrived)
            continue
        for how, after, is_paid in _open_now(arrived, hop, manual=not request.capture):
            done = after if is_paid else _closed(after, hop, key)
            said: Outcome = _PAID if is_paid else Approved(done.entries[-1].ref)
            told = joined(before, how, "already paid" if is_paid else "closes")
            yield from heard_or_lost(told, said, done)
            if setup.closes_late:
                yield Fate(f"{told}, and answers 500", 1, ERROR, under_error(done, key))
        if setup.closes_late:
            yield Fate(joined(before, "answers 500 and does nothing"), 1, ERROR, under_error(arrived, key))


def _late(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Fate:
    able = setup.capabilities
    one = OnItsWay(
        _CLOSE,
        request.idempotency_key,
        request.capture,
        0,
        able.absence_window_s,
        able.keeps_key_s(_CLOSE),
    )
    return Fate("is late", 1, LOST, replace(ledger, on_its_way=(*ledger.on_its_way, one)))


def _decided_before(ledger: Ledger, late: OnItsWay) -> Iterator[tuple[str, Ledger]]:
    """What the payer may have done by the moment at which the closing arrives."""
    for how, after, _ in _open_now(ledger, hop_of(late.key), manual=not late.capture):
        yield how, after


def _arrives(ledger: Ledger, late: OnItsWay) -> Ledger:
    """A late closing closes, unless it was paid, or was closed by its repeat."""
    hop = hop_of(late.key)
    if hop in ledger.closed or _is_paid(ledger, hop):
        return ledger
    return _closed(ledger, hop, late.key)


def _open_now(ledger: Ledger, hop: int, *, manual: bool) -> Iterator[tuple[str, Ledger, bool]]:
    """Each way in which the hop's charge may stand by now, and whether that is paid."""
    entries = [
        entry for entry in open_of_hop(ledger, hop) if charges(entry.operation) or entry.status == "action"
    ]
    if not entries:
        yield "", ledger, False
        return
    for how, after, _ in now_of(ledger, entries[-1], manual=manual):
        yield how, after, _is_paid(after, hop)


def _is_paid(ledger: Ledger, hop: int) -> bool:
    """Whether the latest of what could be paid is, or is about to be."""
    entries = [
        entry for entry in open_of_hop(ledger, hop) if charges(entry.operation) or entry.status == "action"
    ]
    last = entries[-1] if entries else None
    return last is not None and charges(last.operation) and (last.status == "pending" or last.stands)


def _closed(ledger: Ledger, hop: int, key: str) -> Ledger:
    for entry in open_of_hop(ledger, hop):
        if entry.status == "action":
            ledger = ledger.changed(
                entry, replace(entry, status="declined", code="generic_decline", shown=False)
            )
    ledger = replace(ledger, closed=ledger.closed | {hop})
    return entered(ledger, _CLOSE, key, 0, "approved", capture=False)


def _look_up(ledger: Ledger, setup: GatewaySetup, query: StatusQuery) -> Iterator[Fate]:
    yield from looked_up(
        ledger, setup, query, lambda now: now.under(query.reference, _CLOSE, query.gateway_ref)
    )


CALLS[_CLOSE] = _call
LOOK_UPS[_CLOSE] = _look_up
ARRIVALS[_CLOSE] = _arrives
DECIDED_BEFORE[_CLOSE] = _decided_before
