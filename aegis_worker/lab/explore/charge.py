"""The life of a charge, with everything that asking about it brings: late charges are found and given back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from aegis_worker.domain.charges import hop_reference
from aegis_worker.domain.outcomes import (
    Lookup,
    Operation,
    Outcome,
    Pending,
)
from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.domain.transitions import ONLY_IN, EventType, State
from aegis_worker.gateways.requests import StatusQuery
from aegis_worker.pipeline.rechecked import (
    after_recheck,
    has_twin_that_is_not_shown,
    is_left_in_doubt,
    is_news,
)

from . import charging as charging
from . import closing as closing
from . import confirming as confirming
from .asking import ask_now, cancel, sync_now
from .confirms import confirmed
from .events import are_owed, told_of
from .explorer import Explorer
from .fates import fates_of_look_up
from .judge import judged, needs_detection
from .ledger import Ledger
from .moves import Move, Step
from .rows import AttemptRow, Rows, with_job
from .scenarios import SCENARIOS
from .setups import PAYMENT_ID, Configuration
from .world import World

_ENDED = (State.AUTHORIZED, State.SUCCESS, State.FAILURE, State.CANCELLED)
# The same words whatever was found: nothing is decided by them.
_BECAUSE = "a recheck"


class Charge:
    """A payment from its acceptance to its end."""

    def begin(self, configuration: Configuration) -> tuple[Rows, Sequence[Ledger]]:
        """It is accepted and nothing was sent."""
        unborn = Payment(PAYMENT_ID, "m_1", configuration.terms)
        payment, events = unborn.record([initiated(unborn)])
        rows = with_job(Rows(payment, None, 0, len(events)), "process", "payments", 0.0)
        return rows, [Ledger(gateway.name) for gateway in configuration.gateways]

    def steps(self, explorer: Explorer, world: World, left: int) -> Iterable[Step]:
        """Looks at what was given up, and for a fault each: somebody asks, the merchant cancels."""
        yield from rechecks(explorer, world, left)
        yield from told_of(explorer, world, left)
        yield from confirmed(explorer, world, left)
        if not left:
            return
        rows = world.rows.value
        asked = explorer.once(("ask", world.rows.number), lambda: explorer.rows(ask_now(rows, 0.0)))
        if asked is not world.rows:
            yield Step(Move("ask", "merchant"), 1, world._replace(rows=asked))
        if _may_be_cancelled(rows) and explorer.configuration.options.get("cancel"):
            cancelled = explorer.once(("cancel", world.rows.number), lambda: explorer.rows(cancel(rows, 0.0)))
            yield Step(Move("cancel", "merchant"), 1, world._replace(rows=cancelled))

    def is_at_rest(self, world: World) -> bool:
        """Nobody is at work and no job is to be done."""
        job = world.rows.value.job
        return not world.is_awake and (job is None or job.status == "review") and not are_owed(world)

    def judge(self, explorer: Explorer, world: World) -> tuple[str, ...]:
        """See `judge.judged`."""
        return judged(world.rows.value, [ledger.value for ledger in world.ledgers], world.marks)


def _may_be_cancelled(rows: Rows) -> bool:
    """Whether a cancel is recorded for later: something was sent, and no end is known."""
    payment, job = rows.payment, rows.job
    return (
        job is not None
        and job.status != "review"
        and bool(rows.attempts)
        and not payment.cancelling
        and payment.state in ONLY_IN[EventType.CANCEL_REQUESTED]
    )


def rechecks(explorer: Explorer, world: World, left: int) -> Iterator[Step]:
    """Charges that were given up are asked about, as `pipeline.recheck` does, where there is anything to find; and time
    passes until they are.
    """
    rows = world.rows.value
    due = [row for row in rows.attempts if row.recheck_at is not None]
    if not due or world.is_awake:
        return
    if not explorer.once(
        ("detect", world.rows.number, *(ledger.number for ledger in world.ledgers)),
        lambda: (needs_detection(rows, [ledger.value for ledger in world.ledgers]),),
    )[0]:
        return
    first = min(due, key=lambda row: row.recheck_at or 0.0)
    wait_s = first.recheck_at or 0.0
    if wait_s > 0:
        if rows.job is None or rows.job.status == "review":
            yield Step(Move("time", s=wait_s), 0, explorer.later(world, wait_s))
        return
    yield from _rechecked(explorer, world, first, left)


def _rechecked(explorer: Explorer, world: World, row: AttemptRow, left: int) -> Iterator[Step]:
    configuration, rows, attempt = explorer.configuration, world.rows.value, row.attempt
    setup = configuration.gateway(attempt.gateway)
    number = configuration.position(attempt.gateway)
    if has_twin_that_is_not_shown(setup.capabilities, attempt.outcome.twin):
        after = heard(rows, row, Pending(""), configuration.ladder_s)
        yield Step(
            Move("recheck", attempt.gateway, "a person looks"), 0, world._replace(rows=explorer.rows(after))
        )
        return
    query = StatusQuery(
        Operation(attempt.operation),
        attempt.gateway_key,
        hop_reference([one.attempt for one in rows.attempts], attempt),
        rows.payment.amount,
        capture=rows.payment.terms.capture_method == "automatic",
        twins=attempt.sends > 1,
    )
    for fate in fates_of_look_up(world.ledgers[number].value, setup, query):
        if fate.cost > left:
            continue
        after = heard(rows, row, fate.outcome, configuration.ladder_s)
        ledgers = tuple(
            explorer.ledger(fate.ledger) if place == number else ledger
            for place, ledger in enumerate(world.ledgers)
        )
        changed = world._replace(rows=explorer.rows(after), ledgers=ledgers)
        yield Step(Move("recheck", attempt.gateway, fate.how), fate.cost, changed)


def heard(rows: Rows, row: AttemptRow, answer: Outcome | Lookup, ladder_s: Sequence[float]) -> Rows:
    """The tables after a recheck of the attempt was answered like this."""
    attempt = row.attempt
    known = [one.attempt.gateway_ref for one in rows.attempts if one.attempt.gateway == attempt.gateway]
    since = attempt.sent_at_s if attempt.answered_at_s is None else attempt.answered_at_s
    is_to_be_asked = is_news(
        attempt.status, [ref for ref in known if ref is not None], answer
    ) or is_left_in_doubt(ladder_s, -since, answer, attempt.sends, attempt.checks)
    asked = sync_now(rows, 0.0, _BECAUSE) if is_to_be_asked and rows.payment.state in _ENDED else None
    has_to_wait = is_to_be_asked and asked is None
    following = after_recheck(ladder_s, row.rechecks, -since, answer, has_to_wait=has_to_wait)
    after = replace(row, rechecks=int(following["rechecks"] or 0), recheck_at=following["next_in_s"])
    rows = asked or rows
    return replace(rows, attempts=tuple(after if one is row else one for one in rows.attempts))


SCENARIOS["charge"] = Charge()
