"""Gateways' events as moves: at any time, late, twice, out of order, or never. At most, their payment is asked about."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from .explorer import Explorer
from .inbox import followed, received
from .ledger import Ledger
from .moves import Move, Step
from .rows import Rows
from .telling import Telling, odd_tellings, tellings
from .world import Part, World

_Ways = list[tuple[Move, int, Part[Rows], Part[Ledger]]]


def told_of(explorer: Explorer, world: World, left: int) -> Iterator[Step]:
    """Each event that changes something now. One that tells how it is costs nothing and comes once at most; each other one
    is a fault. What waits behind a job is followed at any time after that.
    """
    if not explorer.configuration.options.get("events"):
        return
    rows = world.rows
    for place, part in enumerate(world.ledgers):
        for move, cost, after, ledger in _ways(explorer, rows, part, left):
            ledgers = (*world.ledgers[:place], ledger, *world.ledgers[place + 1 :])
            yield Step(move, cost, world._replace(rows=after, ledgers=ledgers))
    after = explorer.once(
        ("follow", rows.number), lambda: explorer.rows(followed(rows.value, explorer.configuration))
    )
    if after is not rows and _waiting(after.value) < _waiting(rows.value):
        yield Step(Move("follow"), 0, world._replace(rows=after))


def are_owed(world: World) -> bool:
    """Whether an event has yet to do its work: it waits for a job that is over, or tells what nothing else does."""
    rows = world.rows.value
    if rows.job is not None:
        return False
    return _waiting(rows) > 0 or any(_owing(part.value) for part in world.ledgers)


def _owing(ledger: Ledger) -> int:
    return sum(entry.owes for entry in ledger.entries)


def _waiting(rows: Rows) -> int:
    return sum(one.waits for one in rows.told)


def _ways(explorer: Explorer, rows: Part[Rows], part: Part[Ledger], left: int) -> _Ways:
    setup = explorer.configuration.gateway(part.value.name)
    manual = rows.value.payment.terms.capture_method == "manual"
    ways = explorer.once(
        ("events", rows.number, part.number),
        lambda: _distinct(explorer, rows, part, tellings(part.value, setup, manual=manual)),
    )
    if not left:
        return ways
    odd = explorer.once(
        ("odd events", rows.number, part.number),
        lambda: _distinct(explorer, rows, part, odd_tellings(part.value)),
    )
    known = {(after.number, ledger.number) for _, _, after, ledger in ways}
    return ways + [one for one in odd if (one[2].number, one[3].number) not in known]


def _distinct(explorer: Explorer, rows: Part[Rows], part: Part[Ledger], events: Iterator[Telling]) -> _Ways:
    """The events that change something, one of those that change the same."""
    configuration = explorer.configuration
    setup = configuration.gateway(part.value.name)
    found: dict[tuple[int, int], tuple[Move, int, Part[Rows], Part[Ledger]]] = {}
    for telling in events:
        if _has_come(rows.value, telling):
            continue
        after = received(rows.value, telling.event, configuration)
        ledger = explorer.ledger(telling.ledger)
        is_evidence = setup.look_ups == "none" and ledger is not part
        is_due = _owing(ledger.value) < _owing(part.value)
        is_news = explorer.rows(replace(after, told=rows.value.told)) is not rows
        if not (is_news or is_evidence or is_due or _waiting(after) > _waiting(rows.value)):
            continue
        move = Move("event", part.value.name, telling.how)
        parts = explorer.rows(after), ledger
        found.setdefault((parts[0].number, ledger.number), (move, telling.cost, *parts))
    return list(found.values())


def _has_come(rows: Rows, telling: Telling) -> bool:
    event = telling.event
    return not event.is_odd and any(
        (one.gateway, one.reference, one.ref, one.kind)
        == (event.gateway, event.reference, event.ref, event.kind)
        and not one.is_odd
        for one in rows.told
    )
