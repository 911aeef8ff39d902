"""The life of what a merchant orders of a charge that is there: captures, voids and refunds, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from aegis_worker.domain.entities import UNSETTLED, EntityKind, EntityStatus
from aegis_worker.domain.gateway_keys import is_ordered
from aegis_worker.domain.outcomes import Operation, Pending, charges
from aegis_worker.domain.transitions import State

from . import ordering
from .asking import ask_now, swept_now
from .charge import heard
from .contesting import contested, disputed_otherwise, is_all_known
from .events import are_owed, told_of
from .explorer import Explorer
from .fates import settled_at_last
from .holding import looks, released_early
from .ledger import Entry, Ledger, hop_of
from .moves import Move, Step
from .rows import Rows, with_job
from .rows_orders import Accepted, EntityRow, Wanted, accepted
from .scenarios import SCENARIOS
from .setups import Configuration
from .world import Part, World

# What follows of each kind on the straight way to a charge that is approved.
_STRAIGHT = ("written", "in time", "a approves", "")
_MOST_MOVES = 40


class Orders:
    """A payment that was charged, or whose funds are held, and what its merchant orders of that."""

    def begin(self, configuration: Configuration) -> tuple[Rows, Sequence[Ledger]]:
        """Its charge is approved, at the first gateway."""
        steps = prelude(configuration)
        world = steps[-1].world
        return world.rows.value, [ledger.value for ledger in world.ledgers]

    def steps(self, explorer: Explorer, world: World, left: int) -> Iterator[Step]:
        """The next order, at any time; the sweep's looks at what is not settled; for a fault, that somebody asks."""
        rows, wanted = world.rows.value, explorer.configuration.orders
        made = sum(row.entity.order.number > 0 and not row.by_us for row in rows.entities)
        if made < len(wanted):
            ordered = explorer.once(
                ("order", world.rows.number), lambda: _placed(explorer, rows, wanted[made])
            )
            if ordered is not None:
                yield Step(Move("order", "merchant", word_of(wanted[made])), 0, world._replace(rows=ordered))
        yield from sweeps(explorer, world)
        yield from looks(explorer, world)
        yield from contested(explorer, world, left)
        yield from told_of(explorer, world, left)
        yield from _rechecks(explorer, world)
        if left:
            asked = explorer.once(("ask", world.rows.number), lambda: explorer.rows(ask_now(rows, 0.0)))
            if asked is not world.rows:
                yield Step(Move("ask", "merchant"), 1, world._replace(rows=asked))
            yield from _taken_back(explorer, world)
            yield from released_early(explorer, world)

    def is_at_rest(self, world: World) -> bool:
        """Nobody is at work, no job is to be done, and the sweep has nothing to look after."""
        rows = world.rows.value
        if world.is_awake or (rows.job is not None and rows.job.status != "review"):
            return False
        is_settled = all(row.check_at is None for row in rows.entities)
        is_over = is_settled and rows.hold_due_at is None and not are_owed(world)
        return is_all_known(world) and (rows.job is not None or is_over)

    def judge(self, explorer: Explorer, world: World) -> tuple[str, ...]:
        """See `wrong_with`."""
        ledgers = [ledger.value for ledger in world.ledgers]
        rows = world.rows.value
        return (*wrong_with(rows, ledgers, is_marked=bool(world.marks)), *disputed_otherwise(rows, ledgers))


def sweeps(explorer: Explorer, world: World) -> Iterator[Step]:
    """`entity_rows.open_checks`, and the time until then, where no job is open."""
    rows = world.rows.value
    moments = [row.check_at for row in rows.entities if row.check_at is not None]
    if rows.job is not None or world.is_awake or not moments:
        return
    if rows.hold_due_at is not None and rows.hold_due_at < min(moments):
        return  # what is held is looked after first
    if min(moments) > 0:
        yield Step(Move("time", s=min(moments)), 0, explorer.later(world, min(moments)))
        return
    swept = explorer.once(("sweep", world.rows.number), lambda: explorer.rows(swept_now(rows)))
    yield Step(Move("sweep"), 0, world._replace(rows=swept))


def prelude(configuration: Configuration) -> list[Step]:
    """The straight way to the charge that is there at the beginning, by the explorer of charges; empty where the life
    begins with that itself.
    """
    if configuration.operation != "orders":
        return []
    explorer = Explorer(replace(configuration, operation="charge"))
    world, steps = explorer.begin(), list[Step]()
    while (step := _straight(explorer, world)) is not None and len(steps) < _MOST_MOVES:
        steps.append(step)
        world = step.world
    if world.rows.value.payment.state not in (State.SUCCESS, State.AUTHORIZED):
        raise AssertionError(f"unreachable: the straight way of {configuration.name} leads to a charge")
    return steps


def _straight(explorer: Explorer, world: World) -> Step | None:
    ways = [step for step in explorer.steps(world, 0) if step.move.how in _STRAIGHT]
    return ways[0] if ways else None


def word_of(wanted: Wanted) -> str:
    """The order in words, which its move carries."""
    minor = "" if wanted.minor is None else f" {wanted.minor}"
    final = " final" if wanted.final else ""
    return f"{wanted.kind.value}{minor}{final}"


def _placed(explorer: Explorer, rows: Rows, wanted: Wanted) -> Part[Rows] | None:
    after = placed(explorer.configuration, rows, wanted)
    return None if after is None else explorer.rows(after)


def placed(configuration: Configuration, rows: Rows, wanted: Wanted) -> Rows | None:
    """The tables after the merchant's order; None where it is refused now."""
    job = rows.job
    gateway = rows.payment.gateway
    able = None if gateway is None else configuration.gateway(gateway).capabilities
    order = accepted(
        rows.payment,
        rows.entities,
        wanted,
        able,
        None if job is None else (job.operation, job.status),
        was_sent=bool(rows.attempts),
        now=0.0,
    )
    return None if order is None else _with_order(rows, order)


def _with_order(rows: Rows, order: Accepted) -> Rows:
    job = rows.job
    if order.ends_job:
        job = None
    elif order.wakes_job and job is not None:
        run_at = 0.0 if job.status == "waiting" else job.run_at
        job = replace(job, run_at=run_at, request={**(job.request or {}), "cancel": True})
    rows = replace(
        rows,
        payment=order.payment,
        outbox=rows.outbox + len(order.events),
        entities=order.entities,
        job=job,
    )
    if order.job is None:
        return rows
    return with_job(rows, order.job.operation, "payments", 0.0, order.job.request())


def _rechecks(explorer: Explorer, world: World) -> Iterator[Step]:
    """`pipeline.recheck` of what was sent more than once, where there is anything to find, and the time until then."""
    rows = world.rows.value
    due = [row for row in rows.attempts if row.recheck_at is not None]
    if not due or world.is_awake or rows.job is not None:
        return
    entries = _entries([part.value for part in world.ledgers])
    if not any((*_done_more_than_once(rows.entities, entries), *_told_otherwise(rows.entities, entries))):
        return
    first = min(due, key=lambda row: row.recheck_at or 0.0)
    if first.recheck_at:
        yield Step(Move("time", s=first.recheck_at), 0, explorer.later(world, first.recheck_at))
        return
    after = heard(rows, first, Pending(""), explorer.configuration.ladder_s)
    move = Move("recheck", first.attempt.gateway, "its payment is asked about")
    yield Step(move, 0, world._replace(rows=explorer.rows(after)))


def _entries(ledgers: Sequence[Ledger]) -> list[Entry]:
    return [entry for ledger in ledgers for entry in settled_at_last(ledger).entries]


def _taken_back(explorer: Explorer, world: World) -> Iterator[Step]:
    """A gateway takes its word back about what it had done; its event has the payment asked about, then or later."""
    rows, is_told_later = world.rows.value, bool(explorer.configuration.options.get("events"))
    if rows.job is not None and not is_told_later:
        return
    for place, part in enumerate(world.ledgers):
        for entry in part.value.entries:
            if entry.operation is not Operation.REFUND or entry.status != "approved":
                continue
            if not is_told(rows, entry):
                continue
            ledgers = list(world.ledgers)
            ledgers[place] = explorer.ledger(ordering.taken_back(part.value, entry, owes=is_told_later))
            asked = world.rows if is_told_later else explorer.rows(ask_now(rows, 0.0))
            yield Step(
                Move("takes back", part.value.name, ordering.words_of_taking_back(entry)),
                1,
                world._replace(rows=asked, ledgers=tuple(ledgers)),
            )


def is_told(rows: Rows, entry: Entry) -> bool:
    """Whether we know that this was done."""
    return any(
        row.attempt.gateway_key == entry.key and row.attempt.status == "APPROVED" for row in rows.attempts
    )


def wrong_with(rows: Rows, ledgers: Sequence[Ledger], *, is_marked: bool = False) -> Iterator[str]:
    """What is wrong with an end: I1, I3 and D15 by the gateways' ledgers. A person who is asked may decide otherwise.

    `is_marked`: it is one that no client can rule out, which a person has to hear of.
    """
    payment = rows.payment
    if rows.outbox != payment.version:
        yield f"I4: {payment.version} events, of which {rows.outbox} were handed on"
    entries = _entries(ledgers)
    own = next((one for one in entries if charges(one.operation) and one.ref == payment.gateway_ref), None)
    if own is None:
        yield f"I3: {payment.state} by {payment.gateway_ref}, which no gateway knows"
        return
    if rows.job is None or not is_marked:
        yield from _done_more_than_once(rows.entities, entries)
    if rows.job is not None:
        return
    yield from _told_otherwise(rows.entities, entries)
    yield from _came_too_early(rows.entities, entries)
    for name, ours, theirs in (
        ("captured", payment.captured_minor, own.captured),
        ("refunded", payment.refunded_minor, own.refunded),
    ):
        if ours != theirs:
            yield f"I3: {ours} {name}, the ledger has {theirs}"
    if payment.capturing_minor or payment.refunding_minor:
        yield f"D15: {payment.capturing_minor} and {payment.refunding_minor} stay reserved, and nothing is open"
    holds = not own.voided and not own.released and own.captured < own.minor
    if (payment.state is State.AUTHORIZED) != holds:
        yield f"I3: {payment.state}, and the ledger {'holds' if holds else 'does not hold'} funds"


def _done_more_than_once(rows: tuple[EntityRow, ...], entries: Sequence[Entry]) -> Iterator[str]:
    """I1 of orders: what was ordered once is done at most once."""
    for kind in (EntityKind.CAPTURE, EntityKind.REFUND):
        ordered = sum(
            row.entity.order.amount_minor
            for row in rows
            if row.entity.order.kind is kind and row.entity.order.origin == "merchant"
        )
        done = sum(
            one.minor
            for one in entries
            if one.operation.value == kind.value and one.status == "approved" and is_ordered(hop_of(one.key))
        )
        if done > ordered:
            yield f"I1: {done} {kind.value}d, {ordered} ordered"


def _told_otherwise(rows: tuple[EntityRow, ...], entries: Sequence[Entry]) -> Iterator[str]:
    """I3 of orders: each has ended as its gateway says, or what it did is told of as the gateway's own."""
    for row in rows:
        order = row.entity.order
        if row.entity.status in UNSETTLED or order.origin != "merchant":
            continue
        was_done = any(
            one.operation is order.operation and one.status == "approved" and hop_of(one.key) == order.attempt
            for one in entries
        )
        is_told = any(
            (other.entity.order.kind, other.entity.order.origin, other.entity.order.amount_minor)
            == (order.kind, "gateway", order.amount_minor)
            for other in rows
        )
        if order.kind is EntityKind.VOID and _has_ended_by_itself(entries):
            continue  # nothing is held any more, whoever released it: the payment's own end tells that
        if was_done != (row.entity.status is EntityStatus.SUCCEEDED) and not (was_done and is_told):
            yield f"I3: {order.id} has {row.entity.status.value}, the ledger says {'done' if was_done else 'not done'}"


def _has_ended_by_itself(entries: Sequence[Entry]) -> bool:
    return any(one.released and one.held_until is not None for one in entries)


def _came_too_early(rows: tuple[EntityRow, ...], entries: Sequence[Entry]) -> Iterator[str]:
    """No refund is lost because it was sent before its gateway could take it."""
    refused = {hop_of(one.key) for one in entries if one.code == ordering.EARLY}
    for row in rows:
        if row.entity.order.kind is EntityKind.REFUND and row.entity.order.attempt in refused:
            yield f"D15: {row.entity.order.id} was refused, because it came before its charge was settled"


SCENARIOS["orders"] = Orders()
