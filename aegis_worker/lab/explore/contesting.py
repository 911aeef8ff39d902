"""Disputes as moves: a payer's bank opens one and decides it, events tell of that, and the gateway is asked how it stands.

Asking begins, is answered and is written down: three moves, between which everything else may happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from aegis_worker.domain.dispute_statuses import UNDECIDED, DisputeStatus
from aegis_worker.gateway_events.decide import Unbelieved, decide

from .contests import Contest, following, is_disputable, shown, taken
from .explorer import Explorer
from .inbox import claimed_of, matched_by
from .ledger import Ledger
from .moves import Move, Step
from .rows import Rows
from .rows_disputes import Asking, Noted, noted, ranked_anew
from .rows_told import Told
from .setups import Configuration
from .world import World

_MOST_ASKING = 2
AGAIN, POLLED, SILENT = "again", "because it is due", "none"


def contested(explorer: Explorer, world: World, left: int) -> Iterator[Step]:
    """What a dispute over the first gateway's charge brings next, where disputes are explored."""
    if not explorer.configuration.options.get("disputes"):
        return
    yield from _at_the_gateway(explorer, world, left)
    yield from _begun(explorer, world, left)
    for place in range(len(world.rows.value.asking)):
        yield from _goes_on(explorer, world, place, left)


def is_all_known(world: World) -> bool:
    """Whether nothing of a dispute has yet to be heard."""
    rows, contest = world.rows.value, world.ledgers[0].value.contest
    if contest is None:
        return True
    return not rows.asking and not contest.owed and not contest.again and not _is_polled(rows, contest)


def disputed_otherwise(rows: Rows, ledgers: Sequence[Ledger]) -> Iterator[str]:
    """I3 of disputes: ours stands as its gateway says, and so do the payment's sums."""
    contest, payment = ledgers[0].contest, rows.payment
    if contest is None:
        return
    known = rows.disputes[0].dispute.status if rows.disputes else None
    if known is not contest.status:
        yield f"I3: the dispute is {known}, the gateway says {contest.status}"
    is_own = (payment.gateway, payment.gateway_ref) == (ledgers[0].name, contest.of)
    ours = payment.disputed_minor, payment.charged_back_minor
    if is_own and ours != taken(contest):
        yield f"I3: {ours[0]} disputed and {ours[1]} charged back, the gateway has {taken(contest)}"


def _at_the_gateway(explorer: Explorer, world: World, left: int) -> Iterator[Step]:
    ledger = world.ledgers[0].value
    for contest, cost in contests_next(ledger, explorer.configuration):
        if cost <= left:
            move = Move("disputes", ledger.name, contest.status.value)
            yield Step(move, cost, _with_contest(explorer, world, contest))


def contests_next(ledger: Ledger, configuration: Configuration) -> list[tuple[Contest, int]]:
    """Each way in which a dispute may begin at the gateway, or go on, with the faults that it takes."""
    if ledger.contest is not None:
        return list(following(ledger.contest))
    is_warned = configuration.options.get("warning")
    status = DisputeStatus.WARNING if is_warned else DisputeStatus.NEEDS_RESPONSE
    charge = next(
        (one for one in ledger.entries if is_disputable(one.operation, one.status, one.captured)), None
    )
    return [] if charge is None else [(Contest(charge.ref, charge.key, charge.captured, status), 0)]


def _with_contest(explorer: Explorer, world: World, contest: Contest) -> World:
    ledger = explorer.ledger(replace(world.ledgers[0].value, contest=contest))
    return world._replace(ledgers=(ledger, *world.ledgers[1:]))


def _begun(explorer: Explorer, world: World, left: int) -> Iterator[Step]:
    """An event comes, or comes again, or a look is due: the gateway begins to be asked."""
    rows, contest, name = world.rows.value, world.ledgers[0].value.contest, world.ledgers[0].value.name
    if contest is None or len(rows.asking) == _MOST_ASKING:
        return
    event = event_of(contest, name)
    status = decide(claimed_of(rows, event), matched_by(rows, event), "test").status
    if contest.owed and status == "no_news":
        fewer = replace(contest, owed=contest.owed - 1)
        yield Step(Move("dispute event", name), 0, _with_contest(explorer, world, fewer))
    elif contest.owed and status == "followed":
        fewer = replace(contest, owed=contest.owed - 1)
        yield Step(
            Move("dispute event", name), 0, _asking(explorer, _with_contest(explorer, world, fewer), True)
        )
        if left and _will_be_asked(rows, contest):
            yield Step(Move("dispute unheard", name), 1, _with_contest(explorer, world, fewer))
    if contest.again and status == "followed":
        fewer = replace(contest, again=contest.again - 1)
        yield Step(
            Move("dispute event", name, AGAIN),
            0,
            _asking(explorer, _with_contest(explorer, world, fewer), True),
        )
    if _is_polled(rows, contest):
        yield Step(Move("dispute event", name, POLLED), 0, _asking(explorer, world, False))


def _will_be_asked(rows: Rows, contest: Contest) -> bool:
    """Whether it stays undecided by what is known and about to be, so that it is asked about without the event. An appeal
    can't be known of which no event tells, and that nobody asks about.
    """
    is_undecided = bool(rows.disputes) and rows.disputes[0].dispute.status in UNDECIDED
    about_to_be = [one.shown.status for one in rows.asking if one.shown is not None]
    return is_undecided and all(one in UNDECIDED or one is contest.status for one in about_to_be)


def _is_polled(rows: Rows, contest: Contest) -> bool:
    """Whether it is asked about because it is undecided, and anything new is to be found (`dispute_rows.claim_due`)."""
    if not rows.disputes or rows.asking or contest.owed or contest.again:
        return False
    known = rows.disputes[0].dispute.status
    return known in UNDECIDED and known is not contest.status


def event_of(contest: Contest, gateway: str) -> Told:
    """The event that tells of it."""
    return Told(gateway, contest.key, contest.of, "dispute.updated", contest.minor)


def _asking(explorer: Explorer, world: World, of_event: bool) -> World:
    rows = world.rows.value
    rank = 1 + max([*(row.asked for row in rows.disputes), *(one.rank for one in rows.asking)], default=0)
    return _with_rows(explorer, world, replace(rows, asking=(*rows.asking, Asking(rank, of_event))))


def _with_rows(explorer: Explorer, world: World, rows: Rows) -> World:
    disputes, asking = ranked_anew(rows.disputes, rows.asking)
    return world._replace(rows=explorer.rows(replace(rows, disputes=disputes, asking=asking)))


def _goes_on(explorer: Explorer, world: World, place: int, left: int) -> Iterator[Step]:
    """It is answered, or writes down what it was answered; for a fault it dies, or the gateway does not answer."""
    rows, contest = world.rows.value, world.ledgers[0].value.contest
    asking, name = rows.asking[place], f"asker {place + 1}"
    if contest is None:
        raise AssertionError("unreachable: it asks about a dispute")
    others = (*rows.asking[:place], *rows.asking[place + 1 :])
    gone = _again(explorer, world, replace(rows, asking=others), contest, asking)
    if left:
        yield Step(Move("dispute asker", name, "dies"), 1, gone)
    if asking.shown is None:
        answered = replace(asking, shown=shown(contest, rows.payment.amount.currency))
        with_answer = replace(rows, asking=(*rows.asking[:place], answered, *rows.asking[place + 1 :]))
        yield Step(
            Move("dispute answer", name, contest.status.value), 0, _with_rows(explorer, world, with_answer)
        )
        if left:
            yield Step(Move("dispute answer", name, SILENT), 1, gone)
        return
    result = noted(rows.payment, rows.disputes, world.ledgers[0].value.name, asking)
    if isinstance(result, Unbelieved):
        yield Step(Move("dispute noted", name, "not believed"), 0, gone)
        return
    yield Step(Move("dispute noted", name), 0, _with_rows(explorer, world, _written(rows, result, others)))


def _again(explorer: Explorer, world: World, rows: Rows, contest: Contest, asking: Asking) -> World:
    """Its event is followed again."""
    world = _with_rows(explorer, world, rows)
    if not asking.of_event:
        return world
    return _with_contest(explorer, world, replace(contest, again=contest.again + 1))


def _written(rows: Rows, result: Noted, others: tuple[Asking, ...]) -> Rows:
    return replace(
        rows,
        payment=result.payment,
        outbox=rows.outbox + len(result.events),
        disputes=result.disputes,
        asking=others,
    )
