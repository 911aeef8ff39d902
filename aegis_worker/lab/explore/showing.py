"""What a gateway says of what it has carried out, and what its look-ups show of it by now. Pure.

How it stands is decided when somebody looks. A definite answer costs nothing; look-ups that are down cost a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec.structs import replace

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Movement,
    NotFound,
    Operation,
    Outcome,
    Pending,
    Twin,
    Unknown,
    UnknownKind,
    charges,
)
from aegis_worker.gateways.requests import StatusQuery

from .fates import LOST, SOFT, Fate, arrivals, joined
from .ledger import Entry, Ledger, Status
from .releases import decided_at_last, settling
from .setups import GatewaySetup

ACTION = Redirect("https://bank.example")
# Longer than the ladder of look-ups that is explored.
_MUTE_S = 86_400.0


def now_of(ledger: Ledger, entry: Entry, *, manual: bool) -> Iterator[tuple[str, Ledger, Entry]]:
    """Each way in which an entry may stand by now, where its gateway or its payer may have decided since."""
    if entry.status not in _WORDS:
        yield "", ledger, entry
        return
    waits, yes, no = _WORDS[entry.status]
    yield waits, ledger, entry
    captured = entry.minor if charges(entry.operation) and not manual else 0
    for how, after in (
        (yes, replace(entry, status="approved", captured=captured, shown=False)),
        (no, replace(entry, status="declined", code=SOFT, shown=False)),
    ):
        yield how, ledger.changed(entry, after), after


_WORDS = {
    "pending": ("still pending", "decided: yes", "decided: no"),
    "action": ("still waits for the payer", "the payer has paid", "the payer was refused"),
}


def said_of(entry: Entry, movements: tuple[Movement, ...] | None = None) -> Outcome:
    """What the gateway says of an entry; of a charge also what was done with it since, where it was asked for that."""
    if entry.status == "declined":
        return Declined(entry.code, entry.code, gateway_ref=entry.ref)
    if entry.status == "pending":
        return Pending(entry.ref)
    if entry.status == "action":
        return ActionRequired(entry.ref, ACTION)
    if not charges(entry.operation):
        return Approved(entry.ref)
    if entry.voided:
        return Declined(entry.code or "generic_decline", "voided", gateway_ref=entry.ref, released=True)
    return Approved(
        entry.ref,
        captured=entry.captured > 0,
        captured_minor=entry.captured,
        refunded_minor=entry.refunded,
        movements=movements,
        settled=None if entry.unsettled is None else not entry.unsettled,
        still_held=entry.captured < entry.minor and not entry.released,
    )


_MOVED: dict[Status, Literal["pending", "succeeded", "failed"]] = {
    "pending": "pending",
    "approved": "succeeded",
    "declined": "failed",
}


def movements_of(ledger: Ledger, charge: Entry) -> tuple[Movement, ...]:
    """Each capture and refund of the charge."""
    return tuple(
        Movement(one.operation, one.minor, _MOVED[one.status], one.key, one.ref)
        for one in ledger.entries
        if one.of == charge.ref and one.operation in (Operation.CAPTURE, Operation.REFUND)
    )


Ways = Callable[[Ledger, Entry], Iterator[tuple[str, Ledger, Entry]]]


def looked_up(
    ledger: Ledger,
    setup: GatewaySetup,
    query: StatusQuery,
    find: Callable[[Ledger], Sequence[Entry]],
    ways: Ways | None = None,
) -> Iterator[Fate]:
    """What a look-up may find of the entries that `find` finds, the one that is asked about first. `ways`: how that may
    stand by now, by default a charge's; a gateway that leaves an order pending for longer costs a fault, because it is
    asked for ever.
    """
    can_be_asked = query.operation in setup.capabilities.look_ups
    if can_be_asked and ledger.mute_until > 0:
        yield Fate("look-ups are still down", 0, LOST, ledger)
        return
    if can_be_asked:
        yield Fate("look-ups are down", 1, LOST, ledger)
        yield Fate("look-ups are down for a day", 1, LOST, replace(ledger, mute_until=_MUTE_S))
    for before, arrived in arrivals(ledger):
        for fate in _found(arrived, setup, query, find(arrived), ways):
            yield replace(fate, how=joined(before, fate.how)) if before else fate


def _found(
    ledger: Ledger, setup: GatewaySetup, query: StatusQuery, entries: Sequence[Entry], ways: Ways | None
) -> Iterator[Fate]:
    can_be_asked = query.operation in setup.capabilities.look_ups
    none = NotFound() if can_be_asked else Unknown("it can't be asked", kind=UnknownKind.NO_LOOK_UP)
    if not entries:
        yield Fate("not found", 0, none, ledger)
        return
    if setup.look_ups == "none":
        # Events are read by our reference, and a success that they tell of counts whatever else is known (`adyen.told`).
        entries = sorted(entries, key=lambda one: (not one.shown, not one.stands))
    entry, *others = entries
    by_id = entry.ref == query.gateway_ref
    for how, cost in _hides(setup, entry, query):
        if by_id or not others:
            yield Fate(how, cost, none, ledger)
            continue
        for fate in _found(ledger, setup, query, others, ways):
            yield replace(fate, how=joined(how, fate.how), cost=cost + fate.cost)
    for how, after, now in _standings(ledger, setup, entry, ways, manual=not query.capture):
        seen = replace(now, shown=True)
        shown = after.changed(now, seen)
        said = said_of(seen, movements_of(shown, seen) if query.movements else None)
        cost = int(ways is not None and now.status == "pending")
        told = how or f"it shows: {_word(said)}"
        if by_id and not (query.twins and setup.capabilities.shows_twins) and can_be_asked:
            others = []
        for more, price, known, twins in _twins(shown, setup, query, others):
            yield Fate(joined(told, more), cost + price, _with(said, twins, can_be_asked), known)


def _standings(
    ledger: Ledger, setup: GatewaySetup, entry: Entry, ways: Ways | None, *, manual: bool
) -> Iterator[tuple[str, Ledger, Entry]]:
    """Each way in which it may stand by now; where only events tell of it, as the latest has told it."""
    if setup.look_ups != "none":
        for how, after, now in ways(ledger, entry) if ways else now_of(ledger, entry, manual=manual):
            for more, settled, one in settling(after, now):
                for last, done, charge in decided_at_last(settled, one):
                    yield joined(how, more, last), done, charge
    elif entry.shown:
        yield "", ledger, entry


def _twins(
    ledger: Ledger, setup: GatewaySetup, query: StatusQuery, others: Sequence[Entry]
) -> Iterator[tuple[str, int, Ledger, tuple[Twin, ...]]]:
    """Each way in which a look-up may show what else carries the reference."""
    if not others:
        yield "", 0, ledger, ()
        return
    first, *rest = others
    for how, cost in _hides(setup, first, query):
        for more, price, known, twins in _twins(ledger, setup, query, rest):
            yield joined(f"{first.ref}: {how}", more), cost + price, known, twins
    for how, after, now in _standings(ledger, setup, first, None, manual=not query.capture):
        seen = replace(now, shown=True)
        is_pending = now.status in ("pending", "action")
        is_twin = now.stands or is_pending
        one = (Twin(now.ref, now.captured > 0, is_pending),) if is_twin else ()
        word = joined(f"and {now.ref}" if is_twin else "", how)
        for more, price, known, twins in _twins(after.changed(now, seen), setup, query, rest):
            yield joined(word, more), price, known, (*one, *twins)


def _with(said: Outcome, twins: tuple[Twin, ...], can_be_asked: bool) -> Outcome:
    if not twins or not isinstance(said, Approved | Declined):
        return said
    if can_be_asked:
        return replace(said, twins=twins)
    # As Adyen's events are read: a person has to see it.
    count = f"{len(twins) + isinstance(said, Approved)} charges"
    return Unknown(count, kind=UnknownKind.MISMATCH, shows=count)


def _hides(setup: GatewaySetup, entry: Entry, query: StatusQuery) -> Iterator[tuple[str, int]]:
    """It may not show yet: a look-up lags, or the event that would tell of it has not come."""
    if entry.shown:
        return
    if setup.look_ups == "none":
        yield "no event has told of it", 0
    elif query.operation not in setup.capabilities.look_ups:
        yield "its event has not come yet", 1
    elif setup.look_ups == "lagging" and -entry.at < setup.capabilities.absence_window_s:
        yield "it does not show yet", 0


def _word(said: Outcome) -> str:
    return type(said).__name__
