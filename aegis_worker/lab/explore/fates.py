"""What may become of a call to a gateway: every answer that it may give, and every way in which a call may go wrong. Pure.

A definite answer costs nothing; what goes wrong costs a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.outcomes import (
    Lookup,
    NotSent,
    Operation,
    Outcome,
    Unknown,
    UnknownKind,
    charges,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

from .ledger import Entry, Kept, Ledger, OnItsWay, Status
from .releases import ended
from .setups import GatewaySetup

SOFT, HARD, CLOSED = "issuer_unavailable", "stolen_card", "invalid_request"
LOST = Unknown("no answer in time", kind=UnknownKind.ANSWER_TIMEOUT)
ERROR = Unknown("HTTP 500", stored=True, kind=UnknownKind.HTTP_5XX)
RETRY_AFTER_S = 20.0
# A call that comes later than any look-up can prove its absence: what is detected then, and given back.
VERY_LATE = "later than the absence window"
# A call that arrives when its gateway has forgotten the key under which another one was carried out: likewise.
LONGER_THAN_KEPT = "under way for longer than its key is kept"


class Fate(Struct, frozen=True):
    """One thing that may become of a call. `cost`: the faults that it takes. `mark`: what the end is judged by, if it is
    one that no client can rule out.
    """

    how: str
    cost: int
    outcome: Outcome | Lookup
    ledger: Ledger
    mark: str = ""


Called = Callable[[Ledger, GatewaySetup, GatewayRequest], Iterator[Fate]]
LookedUp = Callable[[Ledger, GatewaySetup, StatusQuery], Iterator[Fate]]
# What another module of this package knows of an operation; see `charging` for the shape.
CALLS: dict[Operation, Called] = {}
LOOK_UPS: dict[Operation, LookedUp] = {}


def fates_of_call(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
    """Whatever may become of the call, now."""
    yield from CALLS[request.operation](ledger, setup, request)


def fates_of_look_up(ledger: Ledger, setup: GatewaySetup, query: StatusQuery) -> Iterator[Fate]:
    """Whatever may become of the look-up, now."""
    yield from LOOK_UPS[query.operation](ledger, setup, query)


def never_arrives(ledger: Ledger, *, is_lost: bool = True) -> Iterator[Fate]:
    """The ways in which nothing of a call comes to the gateway."""
    yield Fate("refused the connection", 1, NotSent("connection refused"), ledger)
    limited = NotSent("429", retry_after_s=RETRY_AFTER_S, kind=NotSentKind.RATE_LIMIT)
    yield Fate("429", 1, limited, ledger)
    if is_lost:
        yield Fate("lost on the way", 1, LOST, ledger)


def heard_or_lost(how: str, outcome: Outcome, ledger: Ledger) -> Iterator[Fate]:
    """An answer, which is heard or gets lost."""
    yield Fate(how, 0, outcome, ledger)
    if not isinstance(outcome, Unknown):
        yield Fate(f"{how}, and the answer is lost", 1, LOST, ledger)


def arrivals(ledger: Ledger) -> Iterator[tuple[str, Ledger]]:
    """Each way in which calls that were on their way may have arrived by now, before or after a hold has ended."""
    for how, now in ended(ledger):
        for more, after in _arrivals(now):
            yield joined(how, more), after
    if not ledger.on_its_way or next(ended(ledger))[1] is ledger:
        return
    for more, arrived in _arrivals(ledger):
        if arrived.entries != ledger.entries:
            for how, after in ended(arrived):
                yield joined(more, how or "in time"), after


def _arrivals(ledger: Ledger) -> Iterator[tuple[str, Ledger]]:
    if not ledger.on_its_way:
        yield "", ledger
        return
    first, *others = ledger.on_its_way
    rest = replace(ledger, on_its_way=tuple(others))
    for how, after in _arrivals(rest):
        said = how or "the late call has arrived"
        late = replace(first, arrives_at=min(0.0, first.until))
        for before, now in DECIDED_BEFORE.get(first.operation, _nothing)(after, late):
            yield joined(before, said), _arrived(now, late)
        if first.until > 0:
            yield how, replace(after, on_its_way=(first, *after.on_its_way))


def _nothing(ledger: Ledger, late: OnItsWay) -> Iterator[tuple[str, Ledger]]:
    yield "", ledger


def settled_at_last(ledger: Ledger) -> Ledger:
    """The ledger once everything that was on its way has arrived."""
    for late in ledger.on_its_way:
        ledger = _arrived(ledger, replace(late, arrives_at=late.until))
    return replace(ledger, on_its_way=())


def _arrived(ledger: Ledger, late: OnItsWay) -> Ledger:
    return ARRIVALS[late.operation](ledger, late)


# How a late call is carried out when it arrives.
ARRIVALS: dict[Operation, Callable[[Ledger, OnItsWay], Ledger]] = {}
# What others may have done by the moment at which it arrives, where that makes a difference.
DECIDED_BEFORE: dict[Operation, Callable[[Ledger, OnItsWay], Iterator[tuple[str, Ledger]]]] = {}


def entered(
    ledger: Ledger,
    operation: Operation,
    key: str,
    minor: int,
    status: Status,
    *,
    capture: bool,
    code: str = "",
    of: str | None = None,
) -> Ledger:
    """The ledger with one more call carried out, whose key is kept from now on."""
    ref = f"{ledger.name}_{len(ledger.entries) + 1}"
    captured = minor if charges(operation) and capture and status == "approved" else 0
    entry = Entry(operation, key, ref, minor, status, 0.0, code=code, of=of, captured=captured)
    kept = tuple(one for one in ledger.kept if one.key != key)
    return replace(ledger, entries=(*ledger.entries, entry), kept=(*kept, Kept(key, 0.0)))


def under_error(ledger: Ledger, key: str) -> Ledger:
    """The ledger, which keeps an error of its own under the key."""
    kept = tuple(one for one in ledger.kept if one.key != key)
    return replace(ledger, kept=(*kept, Kept(key, 0.0, is_error=True)))


def kept_under(ledger: Ledger, setup: GatewaySetup, operation: Operation, key: str) -> Kept | None:
    """What the gateway remembers of the key; None where it has forgotten, or has no keys."""
    lifetime_s = setup.capabilities.keeps_key_s(operation)
    return next((one for one in ledger.kept if one.key == key and -one.at < lifetime_s), None)


def joined(*hows: str) -> str:
    """What happened one after the other."""
    return ", ".join(how for how in hows if how)
