"""What a worker does about each thing that happens to a job it holds: plain values in, plain values out."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec.structs import replace
from support.attempts import an_attempt
from support.gateway_tables import tables
from support.plain_payment import a_payment

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.card_networks import Barred
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Approved, Declined, Lookup, NotFound, Operation, Outcome, Unknown
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.pipeline.advance import advance, send_until_s
from aegis_worker.pipeline.held import (
    Answered,
    AskGates,
    Call,
    CardLookedAt,
    ChangeNotWritten,
    ChangeWritten,
    Claimed,
    Complain,
    Drop,
    Forget,
    GatesAnswered,
    Held,
    LookAtCard,
    Report,
    Rested,
    TellOfCharge,
    Write,
)
from aegis_worker.pipeline.operations.requests import request_for
from aegis_worker.pipeline.work import Answer, Ask, Policy, Rest, Route, Send, SendAgain, Work
from aegis_worker.resilience.permits import STATUS, Verdict
from aegis_worker.routing.router import Decision

POLICY = Policy(max_attempts=3, verify_ladder_s=(10.0, 30.0), poison_cap=5)
LEASE_ENDS_S, WITHIN_S, LATE_S = 100.0, 50.0, 101.0
GRANTED = Verdict(granted=True, epoch=7)
BROKEN = Verdict(granted=False, refused_by="breaker", reason="has an open breaker", retry_in_s=20.0)
FULL = Verdict(granted=False, refused_by="limit", reason="is full", retry_in_s=1.0)
BEGUN = Fact(EventType.PROCESSING, {"gateway": "a", "attempt": 1})
STORED = ChangeWritten(leased_from_s=60.0, held_until_s=160.0)


def accepted(*facts: Fact, **terms: Any) -> Payment:
    """A payment that was accepted, and what has happened to it since."""
    payment, _ = a_payment(**terms).record([Fact(EventType.INITIATED, {}), *facts])
    return payment


def held_job(payment: Payment | None = None, *attempts: Any, operation: str = "process") -> Held:
    """A job just claimed, of a payment that two gateways take: `a` first, then `b`."""
    payment = payment or accepted()
    job = ClaimedJob("job_1", operation, 3, 1, payment, attempts)
    route = Route(
        Decision(("a", "b"), {}),
        dict.fromkeys("ab", Capabilities((Operation.PROCESS,), key_lifetime_s=3600.0, absence_window_s=30.0)),
        tables("a", "b"),
    )
    return Held(Work(job, payment, attempts, route, held_until_s=LEASE_ENDS_S))


def at_gateway() -> Payment:
    """A payment whose charge was begun."""
    return accepted(BEGUN)


def after(held: Held, *events: Any) -> tuple[Held, tuple[Any, ...]]:
    """How the job stands after the events, and what is wanted because of the last one."""
    effects: tuple[Any, ...] = ()
    for event in events:
        held, effects = advance(held, event, POLICY)
    return held, effects


def claimed(now_s: float = WITHIN_S) -> Claimed:
    return Claimed(now_s, draw=0.5)


def allowed(verdict: Verdict = GRANTED) -> GatesAnswered:
    return GatesAnswered(verdict, WITHIN_S)


def answered(
    outcome: Outcome | Lookup,
    *,
    now_s: float = WITHIN_S,
    looked_up: bool = False,
    asked_at_s: float = WITHIN_S,
) -> Answered:
    return Answered(Answer(outcome, 12.5, looked_up, asked_at_s), now_s, draw=0.5)


def kinds(effects: tuple[Any, ...]) -> list[type]:
    return [type(effect) for effect in effects]


def sent() -> Held:
    """A job whose first charge is in flight at `a`."""
    held, effects = after(held_job(), claimed(), allowed(), STORED)
    assert kinds(effects) == [Call]
    return replace(held, work=replace(held.work, held_until_s=LEASE_ENDS_S))


def asked() -> Held:
    """A job whose charge at `a` is in doubt, and whose look-up is in flight."""
    in_doubt = an_attempt(status="UNKNOWN", gateway_ref=None)
    held, effects = after(held_job(at_gateway(), in_doubt), claimed(), allowed())
    assert kinds(effects) == [Call]
    return held


# From the claim to the call.


def test_a_job_that_was_claimed_and_whose_lease_is_over_is_dropped() -> None:
    held = held_job()
    assert after(held, claimed(LATE_S)) == (held, (Drop(),))


def test_a_charge_asks_the_gates_then_is_written_and_only_then_leaves() -> None:
    held, effects = after(held_job(), claimed())
    (question,) = effects
    assert isinstance(question, AskGates)
    assert (question.wanted.gateway, question.wanted.operations) == ("a", (Operation.PROCESS,))
    held, (write,) = after(held, allowed())
    assert isinstance(write, Write)
    assert write.change.opened is not None
    assert (write.change.payment.state, write.change.lease_epoch) == (State.PROCESSING, 3)
    held, (call,) = after(held, STORED)
    assert isinstance(call, Call)
    assert isinstance(call.step, Send)
    (attempt,) = held.work.attempts
    assert (attempt.status, attempt.gateway, attempt.sent_at_s) == (AttemptStatus.SENT, "a", 60.0)
    assert held.work.held_until_s == 160.0


def test_a_look_up_leaves_without_a_write_and_asks_the_gates_as_a_look_up() -> None:
    held, (question,) = after(held_job(at_gateway(), an_attempt(status="SENT", gateway_ref=None)), claimed())
    assert isinstance(question, AskGates)
    assert question.wanted.operations == (STATUS,)
    _, (call,) = after(held, allowed())
    assert isinstance(call, Call)
    assert isinstance(call.step, Ask)


def test_a_sync_calls_about_the_attempt_that_it_asks_about() -> None:
    paid, _ = at_gateway().record(
        [
            Fact(
                EventType.SUCCEEDED,
                {"gateway": "b", "gateway_ref": "ch_2", "authorized_minor": 1999, "captured_minor": 1999},
            )
        ]
    )
    doubted = an_attempt(status="DECLINED", gateway_ref="ch_1")
    own = an_attempt(gateway="b", number=2, gateway_ref="ch_2")
    held, (call,) = after(held_job(paid, doubted, own, operation="sync"), claimed(), allowed())
    assert isinstance(call, Call)
    assert isinstance(call.step, Ask)
    assert held.work.position == call.step.position
    assert held.work.subject.gateway_ref == call.step.query.gateway_ref


def test_a_payment_that_has_ended_ends_its_job_without_a_call() -> None:
    failed = accepted(Fact(EventType.FAILED, {}))
    held, (write,) = after(held_job(failed), claimed())
    assert isinstance(write, Write)
    assert (write.change.job.status, write.change.events) == ("failed", [])
    _, (rested,) = after(held, STORED)
    assert isinstance(rested, Rested)


@pytest.mark.parametrize(
    ("barred", "wanted"), [(None, AskGates), (Barred("do_not_honor", "its network forbids it"), Write)]
)
def test_a_card_that_names_its_network_is_looked_at_first_and_not_tried_where_it_is_barred(
    barred: Barred | None, wanted: type
) -> None:
    card = {"type": "card", "token": "tok_ok", "network": "visa"}
    held, effects = after(held_job(accepted(payment_method=card)), claimed())
    assert kinds(effects) == [LookAtCard]
    held, effects = after(held, CardLookedAt(barred))
    assert kinds(effects) == [wanted]
    if barred is not None:
        assert held.change is not None
        assert (held.change.job.status, held.change.opened) == ("failed", None)


# What the gates refuse.


def test_a_refusal_by_a_breaker_leads_to_the_next_gateway_and_after_the_last_one_to_a_rest() -> None:
    held, (question,) = after(held_job(), claimed(), allowed(BROKEN))
    assert isinstance(question, AskGates)
    assert question.wanted.gateway == "b"
    held, (write,) = after(held, allowed(BROKEN))
    assert isinstance(write, Write)
    assert (write.change.job.status, write.change.opened) == ("waiting", None)


def test_a_gateway_that_is_full_is_waited_for() -> None:
    held, (write,) = after(held_job(), claimed(), allowed(FULL))
    assert isinstance(write, Write)
    assert (write.change.job.status, write.change.job.reason) == ("waiting", "a is full")
    assert isinstance(held.step, Rest)
    assert held.step.for_room


def test_a_look_up_that_the_gates_refuse_waits_on_the_queue_of_look_ups() -> None:
    in_doubt = an_attempt(status="UNKNOWN", gateway_ref=None)
    _, (write,) = after(held_job(at_gateway(), in_doubt), claimed(), allowed(BROKEN))
    assert isinstance(write, Write)
    assert (write.change.job.queue, write.change.job.run_in_s) == ("verify", 20.0)


def test_a_repeat_that_the_gates_refuse_is_asked_about_later_instead() -> None:
    same_call = request_for(held_job(at_gateway()).work, Operation.PROCESS, 1, "a").fingerprint()
    never_shown = an_attempt(status="UNKNOWN", gateway_ref=None, request_hash=same_call)
    found_nothing = answered(NotFound(), looked_up=True)
    held, _ = after(held_job(at_gateway(), never_shown), claimed(), allowed(), found_nothing)
    assert isinstance(held.step, SendAgain)
    _, (write,) = after(held, allowed(BROKEN))
    assert isinstance(write, Write)
    assert write.change.answered is not None
    assert (write.change.job.status, write.change.answered.sent_again) == ("waiting", False)
    _, (write,) = after(held, allowed())
    assert write.change.answered is not None
    assert write.change.answered.sent_again


# Answers.


def test_an_approval_is_reported_to_the_gates_and_written() -> None:
    held, (report, write) = after(sent(), answered(Approved("ch_1")))
    assert isinstance(report, Report)
    assert report.result.epoch == 7
    assert isinstance(write, Write)
    assert write.change.payment.state is State.SUCCESS
    held, effects = after(held, STORED)
    assert kinds(effects) == [Rested]
    assert (held.settled, held.change) == (None, None)


def test_a_late_answer_to_a_call_is_settled_all_the_same_because_nobody_else_heard_it() -> None:
    _, (_, write) = after(sent(), answered(Approved("ch_1"), now_s=LATE_S))
    assert isinstance(write, Write)
    assert write.change.payment.state is State.SUCCESS


@pytest.mark.parametrize(
    ("outcome", "told"),
    [(Approved("ch_1"), [TellOfCharge(1, "ch_1")]), (NotFound(), []), (Unknown("reset"), [])],
)
def test_a_late_look_up_is_dropped_and_the_charge_that_it_heard_of_is_told(
    outcome: Any, told: list[Any]
) -> None:
    held = asked()
    stands, (report, *others) = after(held, answered(outcome, now_s=LATE_S, looked_up=True))
    assert isinstance(report, Report)
    assert others == [Drop(), *told]
    assert stands == held


def test_a_call_that_was_not_made_gives_its_permit_back_and_is_dropped() -> None:
    held = sent()
    assert held.permit is not None
    assert after(held, Answered(None, WITHIN_S, 0.5)) == (held, (Forget(held.permit.wanted), Drop()))
    without = replace(held, permit=None)
    assert after(without, Answered(None, WITHIN_S, 0.5)) == (without, (Drop(),))


def test_a_decline_that_another_gateway_may_take_goes_there_once_the_card_was_looked_at() -> None:
    held, effects = after(sent(), answered(Declined("issuer_unavailable", "91")))
    assert kinds(effects) == [Report, LookAtCard]
    _, (question,) = after(held, CardLookedAt(None))
    assert isinstance(question, AskGates)
    assert question.wanted.gateway == "b"


# What is written, and what is not.


def test_an_answer_that_does_not_fit_the_payments_state_goes_to_a_person() -> None:
    ended = accepted(Fact(EventType.FAILED, {}))
    held = sent()
    held = replace(held, work=replace(held.work, payment=ended))
    _, (_, complain, write) = after(held, answered(Approved("ch_1")))
    assert isinstance(complain, Complain)
    assert isinstance(write, Write)
    assert (write.change.job.status, write.change.payment.state) == ("review", State.FAILURE)
    assert write.change.answered is not None
    assert write.change.answered.gateway_ref == "ch_1", "what the gateway said is kept"


def test_a_charge_that_does_not_fit_the_payments_state_goes_to_a_person_and_gives_its_permit_back() -> None:
    held, _ = after(held_job(), claimed())
    ended = accepted(Fact(EventType.FAILED, {}))
    held = replace(held, work=replace(held.work, payment=ended))
    held, (complain, forget, write) = after(held, allowed())
    assert isinstance(complain, Complain)
    assert isinstance(forget, Forget)
    assert isinstance(write, Write)
    assert (write.change.job.status, write.change.opened, held.permit) == ("review", None, None)


def test_a_reference_that_is_another_payments_puts_the_charge_in_doubt() -> None:
    held, _ = after(sent(), answered(Approved("ch_of_another")))
    held, (complain, write) = after(held, ChangeNotWritten("taken"))
    assert complain == Complain("reference of another payment", "a")
    assert isinstance(write, Write)
    assert write.change.answered is not None
    assert (write.change.answered.status, write.change.answered.gateway_ref) == (AttemptStatus.UNKNOWN, None)
    assert (write.change.job.status, write.change.job.queue) == ("waiting", "verify")
    assert write.change.payment.state is State.PROCESSING


@pytest.mark.parametrize("why", ["lost", "refused", "unavailable"])
def test_a_charge_that_is_not_written_does_not_leave_and_gives_its_permit_back(why: Any) -> None:
    held, _ = after(held_job(), claimed(), allowed())
    assert held.permit is not None
    stands, effects = after(held, ChangeNotWritten(why))
    assert effects == (Forget(held.permit.wanted),)
    assert stands.permit is None
    assert after(stands, ChangeNotWritten(why)) == (stands, ())


# Until when a call may leave.


def test_a_call_leaves_only_while_it_can_be_over_within_the_lease_and_a_repeat_while_its_key_is_known() -> (
    None
):
    held = sent()
    step: Any = held.step
    assert isinstance(step, Send)
    assert send_until_s(held.work, step, slowest_call_s=10.0) == LEASE_ENDS_S - 10.0
    for key_known_until_s, until_s in ((40.0, 40.0), (math.inf, LEASE_ENDS_S - 10.0)):
        again = SendAgain(step.request, key_known_until_s)
        assert send_until_s(held.work, again, slowest_call_s=10.0) == until_s
