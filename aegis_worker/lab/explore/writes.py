"""A worker writes what it decided, as `pipeline.writing` and `record.sql` do, and what must hold of that. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.changes import Change, goes_on_despite, rebased
from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import CHARGING_STEPS, charges
from aegis_worker.domain.replay import fold
from aegis_worker.domain.transitions import State
from aegis_worker.errors import IllegalTransition

from .asking import recheck_now
from .claiming import excuse, hand_back
from .hands import Branch, Hand, after_refusal, after_write
from .moments import change_later
from .rows import Refused, Rows, has_fence, has_moved, written
from .setups import Configuration

# The reference of somebody else's charge, which another payment has.
FOREIGN = "foreign_"
_GIVE_BACK_S = 1.0
_SETTLED = (AttemptStatus.NOT_SENT, AttemptStatus.DECLINED, AttemptStatus.APPROVED)


class Written(Struct, frozen=True):
    """How a write may end: the worker after it, the tables, and what it broke, in words."""

    branch: Branch
    rows: Rows
    wrong: tuple[str, ...] = ()


def writes(
    hand: Hand, rows: Rows, configuration: Configuration, now_s: float, left: int
) -> Iterator[Written]:
    """Every way in which the write may end, for `left` faults or fewer. `now_s`: what the worker's clock reads; in the
    tables it is 0.
    """
    yield _write(hand, rows, configuration, now_s)
    if not left:
        return
    branch = after_refusal(hand, configuration, now_s, "unavailable")
    back = hand_back(rows, hand.job, delay_s=_GIVE_BACK_S, now=0.0)
    yield Written(replace(branch, how="PostgreSQL is away", cost=1, hand=None), back)


def _write(hand: Hand, rows: Rows, configuration: Configuration, now_s: float) -> Written:
    held = hand.holding
    change = held.change
    if change is None:
        raise AssertionError("unreachable: it writes something")
    change = change_later(change, now_s)
    if not has_fence(rows, change):
        return _lost(hand, change, rows, configuration, now_s)
    if _is_taken(change):
        return _anew(hand, rows, configuration, now_s, "taken")
    if has_moved(rows, change):
        if goes_on_despite(change, rows.payment):
            return _anew(hand, rows, configuration, now_s, "cancelled")
        on_top = _on_top(change, rows)
        if on_top is None:
            back = hand_back(rows, hand.job, delay_s=_GIVE_BACK_S, now=0.0)
            return Written(Branch("the payment has moved", 0, None), back)
        change = on_top
    try:
        after = written(rows, change, lease_s=configuration.lease_s, now=0.0)
    except Refused as refused:
        # It is not given back, because the next worker would be refused as well: the lease ends, and its death counts.
        return Written(Branch(f"refused: {refused}", 0, None), rows)
    own = change_later(change, -now_s)
    branch = after_write(hand, configuration, now_s, replace(held, change=own))
    return Written(branch, after, broken(rows, change))


def tells(hand: Hand) -> bool:
    """Whether a worker whose write is refused, because its fence is lost, still tells of the charge that it heard of."""
    change = hand.holding.change
    return (
        change is not None
        and change.answered is not None
        and change.answered.status is AttemptStatus.APPROVED
    )


def _lost(hand: Hand, change: Change, rows: Rows, configuration: Configuration, now_s: float) -> Written:
    branch = after_refusal(hand, configuration, now_s, "lost")
    rows = excuse(rows, hand.job)
    answered = change.answered
    if answered is not None and tells(hand):
        rows = recheck_now(rows, ((answered.number, answered.gateway_ref),), 0.0)
    return Written(replace(branch, how="its fence is lost", hand=None), rows)


def _anew(hand: Hand, rows: Rows, configuration: Configuration, now_s: float, why: str) -> Written:
    """What was written is decided once more, and written at once."""
    branch = after_refusal(hand, configuration, now_s, why)
    if branch.hand is None or branch.hand.point != "write":
        return Written(branch, rows)
    again = _write(branch.hand, rows, configuration, now_s)
    return replace(again, branch=replace(again.branch, how=f"{why}: decided anew"))


def _is_taken(change: Change) -> bool:
    answered = change.answered
    return answered is not None and (answered.gateway_ref or "").startswith(FOREIGN)


def _on_top(change: Change, rows: Rows) -> Change | None:
    try:
        return rebased(change, rows.payment)
    except IllegalTransition:
        return None


def broken(rows: Rows, change: Change) -> tuple[str, ...]:
    """What the change breaks, in words: I4, I6, and that no payment ends on a guess."""
    wrong = []
    before, after = rows.payment, change.payment
    try:
        if change.events and fold(before, change.events, base=before) != after:
            wrong.append("I4: the payment is not what its events fold to")
    except IllegalTransition as error:
        wrong.append(f"I6: {error}")
    if before.is_terminal and after.state is not before.state:
        wrong.append(f"I6: {before.state} is final, and becomes {after.state}")
    has_ended = after.state in (State.FAILURE, State.CANCELLED) and not before.is_terminal
    if has_ended and _in_doubt(rows, change):
        wrong.append(f"a guess: {after.state} while a charge is in doubt")
    opened = change.opened
    if opened is not None and before.cancelling and opened.operation in CHARGING_STEPS:
        wrong.append("a step of a charge begins after the merchant's cancel")
    if opened is not None and _pays_twice(change):
        wrong.append("D15: a refund begins of what is known to be disputed, or given back by a dispute")
    return tuple(wrong)


def _pays_twice(change: Change) -> bool:
    """Whether it begins a refund that no merchant has forced, by what was known when it was decided."""
    begun, payment = next((one.order for one in change.entities), None), change.payment
    if begun is None or begun.kind is not EntityKind.REFUND or begun.forced:
        return False
    gone = payment.refunded_minor + payment.charged_back_minor + begun.amount_minor
    return payment.disputed_minor > 0 or (payment.charged_back_minor > 0 and gone > payment.captured_minor)


def _in_doubt(rows: Rows, change: Change) -> bool:
    answered = change.answered
    return any(
        charges(attempt.operation)
        and (
            answered.status
            if answered is not None
            and (answered.operation, answered.number) == (attempt.operation, attempt.number)
            else attempt.status
        )
        not in _SETTLED
        and not _is_beside(change, attempt.number)
        for attempt in (row.attempt for row in rows.attempts)
    )


def _is_beside(change: Change, number: int) -> bool:
    """Whether the change ends the attempt together with the one that was called about."""
    beside = change.beside
    return beside is not None and beside.number == number and beside.status in _SETTLED
