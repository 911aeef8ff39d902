"""What is next where a gateway left the configuration, answered a repeat, or finds nothing: decided from values alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.attempts import an_attempt
from support.gateway_tables import tables
from support.plain_payment import a_payment

from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
)
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.transitions import EventType
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.pipeline.operations import next_step, settle
from aegis_worker.pipeline.work import Answer, Ask, Policy, Rest, Route, Send, Settled, Step, Work
from aegis_worker.routing.router import Decision

POLICY = Policy(max_attempts=3, verify_ladder_s=(10.0, 30.0), poison_cap=5)
NOW_S = 10_000.0
TOO_MANY = {"reverse": {"gateway": "a", "gateway_ref": "ch_1", "number": 1}}


def at_gateway() -> Payment:
    """A payment whose charge was begun at `a`."""
    begun = Fact(EventType.PROCESSING, {"gateway": "a", "attempt": 1})
    return a_payment().record([Fact(EventType.INITIATED, {}), begun])[0]


def paid() -> Payment:
    """A payment that its charge at `b` paid."""
    charged = {"gateway": "b", "gateway_ref": "ch_2", "authorized_minor": 1999, "captured_minor": 1999}
    return at_gateway().record([Fact(EventType.SUCCEEDED, charged)])[0]


def work_on(payment: Payment, *attempts: Any, operation: str = "process", configured: str = "ab") -> Work:
    request = TOO_MANY if operation in ("void", "refund") else None
    keeps = Capabilities((Operation.PROCESS,), key_lifetime_s=3600.0, absence_window_s=30.0)
    route = Route(
        Decision(tuple(configured), {}),
        dict.fromkeys(configured, keeps),
        tables(*configured),
    )
    return Work(
        ClaimedJob("job_1", operation, 1, 1, payment, attempts, request),
        payment,
        attempts,
        route,
        now_s=NOW_S,
    )


def said(work: Work, outcome: Outcome | Lookup, *, looked_up: bool = False) -> Settled:
    return settle(work, Answer(outcome, 12.5, looked_up, asked_at_s=NOW_S), POLICY)


def job_of(step: Step) -> tuple[str, str]:
    assert isinstance(step, Rest)
    return step.job.status, str(step.job.reason)


def test_a_charge_in_flight_at_a_gateway_that_is_gone_goes_to_a_person() -> None:
    step = next_step(work_on(at_gateway(), an_attempt(status="SENT"), configured="b"), POLICY)
    assert job_of(step) == ("review", "gateway a is no longer configured")


def scheduled(at_s: float) -> Payment:
    """A payment that is not to be charged before."""
    payment = a_payment()
    at = datetime.fromtimestamp(at_s, UTC)
    return replace(payment, terms=replace(payment.terms, scheduled_at=at)).record(
        [Fact(EventType.INITIATED, {})]
    )[0]


def test_a_payment_whose_time_has_not_come_rests_until_then_whoever_woke_it() -> None:
    step = next_step(work_on(scheduled(NOW_S + 30)), POLICY)
    assert isinstance(step, Rest)
    assert (step.job.status, step.job.queue, step.job.run_in_s) == ("waiting", "payments", 30.0)
    assert isinstance(next_step(work_on(scheduled(NOW_S)), POLICY), Send)


def test_a_payment_waits_for_gateways_from_its_time_on_and_not_from_its_acceptance() -> None:
    work = work_on(scheduled(NOW_S - 5), configured="")
    down = Decision((), {"a": "is paused"}, back_in_s={"a": 10.0})
    waiting = replace(work, route=replace(work.route, decision=down), job=replace(work.job, made_at_s=0.0))
    assert job_of(next_step(waiting, POLICY))[0] == "waiting"
    late = replace(waiting, payment=scheduled(NOW_S - POLICY.route_wait_s))
    assert job_of(next_step(late, POLICY))[0] == "failed"


def test_an_approval_that_never_moved_its_payment_goes_to_a_person() -> None:
    status, reason = job_of(next_step(work_on(at_gateway(), an_attempt()), POLICY))
    assert (status, "the payment has not moved" in reason) == ("review", True)


def test_a_sync_whose_gateways_are_gone_fails_with_that_reason() -> None:
    own = an_attempt(gateway="b", gateway_ref="ch_2")
    step = next_step(work_on(paid(), own, operation="sync", configured="a"), POLICY)
    assert job_of(step) == ("failed", "gateway b is no longer configured")


def test_a_sync_that_can_ask_about_one_charge_alone_does_not_say_that_all_agree() -> None:
    lost = an_attempt(status="DECLINED", account="acct_before")
    own = an_attempt(gateway="b", number=2, gateway_ref="ch_2")
    work = work_on(paid(), lost, own, operation="sync")
    step = next_step(work, POLICY)
    assert isinstance(step, Ask)
    asked = replace(work, position=step.position)
    status, reason = job_of(said(asked, Approved("ch_2", captured_minor=1999), looked_up=True).then)
    assert (status, "the account acct_before" in reason) == ("failed", True)


def test_a_charge_too_many_at_a_gateway_that_is_gone_goes_to_a_person() -> None:
    step = next_step(work_on(paid(), an_attempt(), operation="refund", configured="b"), POLICY)
    assert job_of(step) == ("review", "a holds a charge too many: gateway a is no longer configured")


@pytest.mark.parametrize("outcome", [Declined("invalid_request", "400"), NotSent("refused")])
def test_a_repeat_that_got_nowhere_leaves_the_first_send_in_doubt(outcome: Outcome) -> None:
    settled = said(work_on(at_gateway(), an_attempt(status="SENT", gateway_ref=None, sends=2)), outcome)
    assert settled.answered.status == "UNKNOWN"
    assert job_of(settled.then)[0] == "waiting"


def test_a_first_send_that_got_nowhere_is_no_doubt() -> None:
    settled = said(work_on(at_gateway(), an_attempt(status="SENT", gateway_ref=None)), NotSent("refused"))
    assert settled.answered.status == "NOT_SENT"


@pytest.mark.parametrize(
    ("seen_before", "status"),
    [({}, "waiting"), ({"not_found_count": 2, "first_not_found_at_s": NOW_S - 60.0}, "review")],
    ids=["not yet", "over the absence window"],
)
def test_a_refund_that_can_not_be_found_or_repeated_is_waited_for_and_then_a_persons(
    seen_before: dict[str, Any], status: str
) -> None:
    too_many = an_attempt()
    refund = an_attempt("refund", status="UNKNOWN", gateway_ref=None, sent_at_s=0.0, **seen_before)
    settled = said(work_on(paid(), too_many, refund, operation="refund"), NotFound(), looked_up=True)
    assert job_of(settled.then)[0] == status
    assert settled.answered.status == "UNKNOWN"


ANOTHERS = [
    Approved("ch_9", captured_minor=1999),
    Approved("ch_9", captured_minor=1999, refunded_minor=1999),
    Declined("generic_decline", "05", gateway_ref="ch_9"),
]


def a_sync(*attempts: Any, position: int = 0) -> Work:
    return replace(work_on(paid(), *attempts, operation="sync"), position=position)


@pytest.mark.parametrize("outcome", ANOTHERS)
def test_a_look_up_that_shows_another_charge_says_nothing_of_the_payments_own(outcome: Lookup) -> None:
    own = an_attempt(gateway="b", gateway_ref="ch_2")
    settled = said(a_sync(own), outcome, looked_up=True)
    assert job_of(settled.then) == (
        "waiting",
        "an answer about something else: it shows ch_9, asked was about ch_2",
    )
    assert (settled.facts, settled.entities, settled.answered.gateway_ref) == ([], (), None)


@pytest.mark.parametrize("outcome", ANOTHERS)
def test_a_gateway_that_shows_another_charge_to_the_end_of_the_ladder_is_a_persons(outcome: Lookup) -> None:
    own = an_attempt(gateway="b", gateway_ref="ch_2", checks=len(POLICY.verify_ladder_s))
    assert job_of(said(a_sync(own), outcome, looked_up=True).then)[0] == "review"


@pytest.mark.parametrize("outcome", ANOTHERS)
def test_a_charge_too_many_is_not_given_back_by_another_charges_answer(outcome: Lookup) -> None:
    too_many = an_attempt(gateway_ref="ch_1", outcome={"captured": True, "duplicate": True})
    own = an_attempt(gateway="b", number=2, gateway_ref="ch_2")
    settled = said(a_sync(too_many, own), outcome, looked_up=True)
    assert job_of(settled.then)[0] == "waiting"
    assert settled.facts == []


def test_a_charge_that_was_refused_and_made_by_its_repeat_is_found_by_its_other_id() -> None:
    refused = an_attempt(status="DECLINED", gateway_ref="ch_1")
    own = an_attempt(gateway="b", number=2, gateway_ref="ch_2")
    settled = said(a_sync(refused, own), Approved("ch_9"), looked_up=True)
    assert [fact.type for fact in settled.facts] == [EventType.DUPLICATE_DETECTED]


def sync_of_another(outcome: Lookup, *more: Any) -> Settled:
    """The last answer of a sync of a paid payment, about a charge that is not the one it stands on."""
    other = an_attempt(status="DECLINED", gateway_ref="ch_1")
    own = an_attempt(gateway="b", number=2, gateway_ref="ch_2")
    work = work_on(paid(), other, own, *more, operation="sync")
    asked_own = Work(
        work.job,
        work.payment,
        work.attempts,
        work.route,
        position=0,
        said={1: Approved("ch_2", captured_minor=1999)},
        now_s=NOW_S,
    )
    return said(asked_own, outcome, looked_up=True)


def test_a_charge_that_is_pending_beside_the_payments_own_is_asked_about_later() -> None:
    settled = sync_of_another(Pending("ch_1"))
    assert job_of(settled.then) == ("waiting", "a charge is still pending at its gateway")


def test_a_charge_too_many_whose_refund_was_refused_goes_to_a_person() -> None:
    refused = an_attempt("refund", status="DECLINED", gateway_ref=None, outcome={"code": "invalid_request"})
    settled = sync_of_another(Approved("ch_1"), refused)
    assert job_of(settled.then)[0] == "review"
    assert "the refund of it was refused" in job_of(settled.then)[1]
