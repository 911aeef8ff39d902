"""A worker's loop for one job, as a pure function: what has just happened to it, and what is to be done because of that.

`run` carries the effects out for many jobs side by side: one look at the gates for all, one commit for what was decided
together. The tests' model worker carries the same effects out for one job over tables in memory, so what is explored
there is what ships (design D3, D9).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.outcomes import Approved

from .cards import card_to_look_at, given_up
from .changes import in_doubt_instead, legal_change
from .held import (
    Advanced,
    Answered,
    AskBefore,
    AskGates,
    AskOnError,
    Call,
    CardLookedAt,
    ChangeNotWritten,
    ChangeWritten,
    Claimed,
    Complain,
    Drop,
    Effect,
    Event,
    Forget,
    GatesAnswered,
    Held,
    HooksAnswered,
    LookAtCard,
    Permit,
    Report,
    Rested,
    Screen,
    Screened,
    TellOfCharge,
    Write,
)
from .operations import next_step, room_of, settle
from .operations.asking import heeded_before, is_asked_before, is_asked_on_error, is_to_be_screened
from .operations.charge.wishes import heeded_on_error
from .operations.room import Decided
from .work import Answer, Ask, Policy, Rest, Send, SendAgain, Work


def advance(held: Held, event: Event, policy: Policy) -> Advanced:
    """What becomes of the job, and what is to be done next, in order."""
    return _ON[type(event)](held, event, policy)


def send_until_s(work: Work, step: Send | SendAgain | Ask, slowest_call_s: float) -> float:
    """Until when the call may leave: it has to be over within the lease, and a repeat within its key's lifetime."""
    until_s = work.held_until_s - slowest_call_s
    return min(until_s, step.until_s) if isinstance(step, SendAgain) else until_s


def _claimed(held: Held, event: Claimed, policy: Policy) -> Advanced:
    if event.now_s > held.work.held_until_s:
        return held, (Drop(),)
    work = held.work.at(event.now_s, event.draw)
    if work.asks.screening and is_to_be_screened(work, policy):
        return replace(held, work=work), (Screen(),)
    return _decided((work, None, next_step(work, policy)), ())


def _screened(held: Held, event: Screened, policy: Policy) -> Advanced:
    # What was said after the lease is dropped, because the next worker asks again.
    if event.now_s > held.work.held_until_s:
        return held, (Drop(),)
    work = replace(held.work.at(event.now_s, event.draw), route=event.route).screened(event.screening)
    return _decided((work, None, next_step(work, policy)), ())


def _answered(held: Held, event: Answered, policy: Policy) -> Advanced:
    answer, work, permit = event.answer, held.work, held.permit
    if answer is None:
        return held, ((Forget(permit.wanted),) if permit else ()) + (Drop(),)
    said: tuple[Effect, ...] = ()
    if permit is not None:
        said = (Report(room_of(work).result(work, permit.wanted, permit.epoch, answer)),)
    # Settle the answer to a call even after the lease: nobody else heard it, and the fence refuses what is too late. A
    # look-up that is late is dropped, because the next worker makes it again.
    if event.now_s > work.held_until_s and answer.looked_up:
        return held, (*said, Drop(), *_heard_of(work, answer))
    settled = settle(work.at(event.now_s, event.draw), answer, policy)
    may_ask = work.asks.on_error and event.now_s <= work.held_until_s
    if may_ask and room_of(work).tries_cards and is_asked_on_error(work, settled):
        return Held(work, answer=answer), (*said, AskOnError(settled))
    return _decided((settled.work, settled, settled.then), said)


def _heard_of(work: Work, answer: Answer) -> tuple[Effect, ...]:
    outcome = answer.outcome
    return (TellOfCharge(work.subject.number, outcome.gateway_ref),) if isinstance(outcome, Approved) else ()


def _hooks_answered(held: Held, event: HooksAnswered, policy: Policy) -> Advanced:
    if held.answer is not None and held.answer.looked_up and event.now_s > held.work.held_until_s:
        return held, (Drop(),)
    if held.answer is not None:
        # The answer is settled anew, at this moment: the time that hooks took may have ended what could be done before.
        settled = settle(held.work.at(event.now_s, event.draw), held.answer, policy)
        settled = heeded_on_error(settled, event.wishes, policy)
        return _decided((settled.work, settled, settled.then), ())
    if held.settled is None and event.now_s > held.work.held_until_s:
        return held, (Drop(),)
    if not isinstance(held.step, Send):
        raise AssertionError("unreachable: hooks are asked before calls only")
    work = replace(held.work, now_s=event.now_s)
    work, step = heeded_before(work, held.step, event.wishes, policy)
    return _to_the_card(Held(work, step, held.settled), ())


def _decided(decided: Decided, before: tuple[Effect, ...]) -> Advanced:
    work, settled, step = decided
    held = Held(replace(work, waits=None) if work.waits is not None else work, step, settled)
    if work.asks.before and isinstance(step, Send) and is_asked_before(work, step):
        return held, (*before, AskBefore(step))
    return _to_the_card(held, before)


def _to_the_card(held: Held, before: tuple[Effect, ...]) -> Advanced:
    work, step = held.work, held.step
    card_keys = card_to_look_at(room_of(work), work, step)
    if card_keys:
        return held, (*before, LookAtCard(card_keys))
    return _to_the_gates(held, before)


def _card_looked_at(held: Held, event: CardLookedAt, policy: Policy) -> Advanced:
    if event.barred is not None:
        held = replace(held, step=given_up(held.work, event.barred))
    return _to_the_gates(held, ())


def _to_the_gates(held: Held, before: tuple[Effect, ...]) -> Advanced:
    step = held.step
    if step is None or isinstance(step, Rest):
        return _to_write(held, before)
    return held, (*before, AskGates(room_of(held.work).question(held.work, step)))


def _gates_answered(held: Held, event: GatesAnswered, policy: Policy) -> Advanced:
    work, settled, step, verdict = held.work, held.settled, held.step, event.verdict
    if step is None or isinstance(step, Rest):
        raise AssertionError("unreachable: the gates are asked about calls only")
    room = room_of(work)
    wanted = room.question(work, step)
    if verdict.granted:
        return _to_write(Held(work, step, settled, None, Permit(wanted, verdict.epoch)), ())
    # The step before kept the hop's probe permits for this one; others can use them meanwhile.
    before: tuple[Effect, ...] = (Forget(wanted),) if room.is_halfway(work, step) else ()
    if isinstance(step, SendAgain) and settled is not None and settled.otherwise is not None:
        settled = settled.otherwise
        return _to_the_gates(Held(settled.work, settled.then, settled), before)
    now = replace(work, now_s=event.now_s)
    work, settled, step = room.refused(now, settled, step, verdict, policy)
    # Ends: each refusal takes a candidate away, or has the job rest.
    return _to_the_gates(Held(work, step, settled), before)


def _to_write(held: Held, before: tuple[Effect, ...]) -> Advanced:
    work, settled, step = held.work, held.settled, held.step
    if settled is None and isinstance(step, Ask):
        # A look-up changes nothing at the gateway, so nothing has to be written before it.
        return _to_call(held, before, step)
    if step is None:
        raise AssertionError("unreachable: something was decided")
    legal, change = legal_change(work, settled, step)
    if legal is not step:
        before = (*before, Complain("answer does not fit the payment's state", change.job.reason or ""))
        if held.permit is not None:
            before = (*before, Forget(held.permit.wanted))
            held = replace(held, permit=None)
    return Held(work, legal, settled, change, held.permit), (*before, Write(change))


def _written(held: Held, event: ChangeWritten, policy: Policy) -> Advanced:
    change, step = held.change, held.step
    if change is None or step is None:
        raise AssertionError("unreachable: what was written was decided")
    attempts = held.work.attempts
    if isinstance(step, Send):
        attempts = *attempts, step.opened.sent(change.lease_epoch, event.leased_from_s)
    work = held.work.written(change.payment, attempts, event.held_until_s)
    held = Held(work, step, None, None, held.permit)
    if isinstance(step, Rest):
        return held, (Rested(step),)
    return _to_call(held, (), step)


def _not_written(held: Held, event: ChangeNotWritten, policy: Policy) -> Advanced:
    forget: tuple[Effect, ...] = (Forget(held.permit.wanted),) if held.permit else ()
    if event.why == "cancelled":
        # What was answered is written all the same; what is next is decided anew.
        at_once = Rest(JobChange("waiting", "payments", reason="the merchant cancels it"))
        return _to_write(replace(held, step=at_once, permit=None), forget)
    if event.why != "taken":
        return replace(held, permit=None), forget
    if held.change is None:
        raise AssertionError("unreachable: a reference comes with a change")
    work, settled, step = in_doubt_instead(held.work, held.change, policy)
    complain = Complain("reference of another payment", held.work.subject.gateway)
    return _to_write(Held(work, step, settled), (*forget, complain))


def _to_call(held: Held, before: tuple[Effect, ...], step: Send | SendAgain | Ask) -> Advanced:
    position = step.position if isinstance(step, Ask) else -1
    if held.work.position != position:
        held = replace(held, work=replace(held.work, position=position))
    return held, (*before, Call(step))


_ON: dict[type, Callable[[Held, Any, Policy], Advanced]] = {
    Claimed: _claimed,
    Screened: _screened,
    Answered: _answered,
    HooksAnswered: _hooks_answered,
    CardLookedAt: _card_looked_at,
    GatesAnswered: _gates_answered,
    ChangeWritten: _written,
    ChangeNotWritten: _not_written,
}
