"""What the answer to a confirm means, decided from values alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.attempts import an_attempt
from support.gateway_tables import tables
from support.plain_payment import a_payment

from aegis_worker.domain.actions import Qr, Redirect
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.confirms import Confirm, deciding_last
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
)
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.pipeline.operations import next_step, room_of, settle
from aegis_worker.pipeline.work import Answer, Ask, Policy, Rest, Route, Send, SendAgain, Settled, Work
from aegis_worker.routing.router import Decision

POLICY = Policy(max_attempts=3, verify_ladder_s=(10.0, 30.0), poison_cap=5)
NOW_S = 10_000.0
BROUGHT = Confirm(1, "d1" * 32, {"result": "canary"})
AN_ACTION = ActionRequired("ch_1", Redirect("https://bank.example/3ds"))


def with_the_payer() -> Payment:
    """A payment whose payer has to act."""
    asked = {"gateway": "a", "gateway_ref": "ch_1", "next_action": {"type": "redirect", "expires_at": None}}
    facts = [
        Fact(EventType.INITIATED, {}),
        Fact(EventType.PROCESSING, {"gateway": "a", "attempt": 1}),
        Fact(EventType.ACTION_REQUIRED, asked),
    ]
    return a_payment().record(facts)[0]


def a_confirm(status: str = "SENT", **more: Any) -> Attempt:
    confirm = an_attempt(status=status, sent_at_s=NOW_S - 20, **more)
    key = f"{with_the_payer().id}-d1"
    return replace(confirm, operation=Operation.CONFIRM, gateway_key=key, gateway_ref=None)


def work_on(*more: Attempt, confirm: Confirm | None = BROUGHT, takes_data: bool = True) -> Work:
    payment = with_the_payer()
    attempts = deciding_last(payment, (an_attempt(status="ACTION_REQUIRED", gateway_ref="ch_1"), *more))
    capabilities = Capabilities((Operation.PROCESS,), 3600.0, 30.0, confirms=takes_data)
    route = Route(Decision(("a",), {}), {"a": capabilities}, tables("a"))
    job = ClaimedJob("job_1", "process", 1, 0, payment, attempts, confirm=confirm)
    return Work(job, payment, attempts, route, now_s=NOW_S)


def said(work: Work, outcome: Outcome | Lookup, *, looked_up: bool = False) -> Settled:
    return settle(work, Answer(outcome, 12.5, looked_up, asked_at_s=NOW_S), POLICY)


def facts_of(settled: Settled) -> list[EventType]:
    return [fact.type for fact in settled.facts]


def statuses(settled: Settled) -> dict[str, str]:
    return {one.operation.value: one.status.value for one in (settled.answered, settled.beside) if one}


def test_a_confirm_is_a_call_of_its_own_about_the_charge_that_waits() -> None:
    step = next_step(work_on(), POLICY)
    assert isinstance(step, Send)
    assert step.opened.gateway_key.endswith("-d1")
    assert (step.request.gateway_ref, step.request.confirm, step.facts) == ("ch_1", BROUGHT, [])
    assert "canary" not in repr(step)


def test_a_confirm_never_goes_elsewhere_when_the_gates_refuse_it() -> None:
    work = work_on()
    step = next_step(work, POLICY)
    assert isinstance(step, Send)
    wanted = room_of(work).question(work, step)
    assert (wanted.gateway, wanted.operations) == ("a", (Operation.CONFIRM,))


@pytest.mark.parametrize(
    "work",
    [
        work_on(confirm=None),
        work_on(takes_data=False),
        work_on(a_confirm("APPROVED")),
        work_on(a_confirm("DECLINED")),
    ],
)
def test_without_one_to_send_the_charge_is_asked_about(work: Work) -> None:
    step = next_step(work, POLICY)
    assert isinstance(step, Ask)
    assert step.query.operation is Operation.PROCESS


def test_a_confirm_waits_for_the_doubt_about_the_charge_and_no_longer() -> None:
    work = replace(work_on(), attempts=(an_attempt(status="UNKNOWN", gateway_ref="ch_1"),))
    asked = next_step(work, POLICY)
    assert isinstance(asked, Ask)
    settled = said(work, AN_ACTION, looked_up=True)
    assert statuses(settled) == {"process": "ACTION_REQUIRED"}
    assert isinstance(settled.then, Send)
    assert settled.then.request.operation is Operation.CONFIRM


@pytest.mark.parametrize("status", ["SENT", "UNKNOWN", "NOT_SENT"])
def test_an_open_confirm_is_asked_about_by_the_charges_reference(status: str) -> None:
    step = next_step(work_on(a_confirm(status)), POLICY)
    assert isinstance(step, Ask)
    assert (step.query.operation, step.query.gateway_ref) == (Operation.CONFIRM, "ch_1")


def test_an_approval_is_the_charges() -> None:
    settled = said(work_on(a_confirm()), Approved("ch_1"))
    assert statuses(settled) == {"process": "APPROVED", "confirm": "APPROVED"}
    assert facts_of(settled) == [EventType.AUTHENTICATED, EventType.PROCESSING, EventType.SUCCEEDED]
    assert isinstance(settled.then, Rest)
    assert settled.then.job.status == "succeeded"


def test_a_decline_is_the_charges_and_goes_to_no_other_gateway() -> None:
    settled = said(work_on(a_confirm()), Declined("do_not_honor", "05"))
    assert statuses(settled) == {"process": "DECLINED", "confirm": "DECLINED"}
    assert isinstance(settled.then, Rest)
    assert (settled.then.job.status, settled.work.payment.state) == ("failed", State.REQUIRES_ACTION)


def test_what_is_pending_is_the_charge() -> None:
    settled = said(work_on(a_confirm()), Pending("ch_1"))
    assert statuses(settled) == {"process": "PENDING", "confirm": "APPROVED"}
    assert facts_of(settled) == [EventType.AUTHENTICATED, EventType.PROCESSING]


def test_another_action_takes_the_place_of_the_first() -> None:
    settled = said(work_on(a_confirm()), ActionRequired("ch_1", Qr("upi://pay")))
    assert statuses(settled) == {"process": "ACTION_REQUIRED", "confirm": "APPROVED"}
    assert (facts_of(settled), settled.action) == ([EventType.ACTION_REQUIRED], Qr("upi://pay"))
    payment, _ = with_the_payer().record(settled.facts)
    assert payment.next_action == {"type": "qr", "expires_at": "1970-01-01T03:46:40.000Z"}


@pytest.mark.parametrize("code", ["invalid_request", "gateway_misconfigured"])
def test_a_gateway_that_looked_into_nothing_still_waits_for_the_payer(code: str) -> None:
    settled = said(work_on(a_confirm()), Declined(code, "422"))
    assert (statuses(settled), facts_of(settled)) == ({"confirm": "DECLINED"}, [])
    assert isinstance(settled.then, Rest)
    assert settled.then.job.status == "waiting"
    assert isinstance(next_step(settled.work, POLICY), Ask)


def test_a_repeat_that_was_refused_says_nothing_about_the_first_send() -> None:
    settled = said(work_on(a_confirm(sends=2)), Declined("invalid_request", "422"))
    assert (statuses(settled), facts_of(settled)) == ({"confirm": "UNKNOWN"}, [EventType.IN_DOUBT])


def test_no_answer_is_doubt_and_no_send_is_none() -> None:
    doubted = said(work_on(a_confirm()), Unknown("read timeout"))
    assert (statuses(doubted), facts_of(doubted)) == ({"confirm": "UNKNOWN"}, [EventType.IN_DOUBT])
    unsent = said(work_on(a_confirm()), NotSent("connection refused"))
    assert (statuses(unsent), facts_of(unsent)) == ({"confirm": "NOT_SENT"}, [])
    again = said(work_on(a_confirm(sends=2)), NotSent("connection refused"))
    assert statuses(again) == {"confirm": "UNKNOWN"}
    asked = said(work_on(a_confirm("NOT_SENT")), Unknown("look-ups are down"), looked_up=True)
    assert (statuses(asked), facts_of(asked)) == ({"confirm": "NOT_SENT"}, [])


def test_what_was_not_found_is_sent_again_under_its_key_while_the_data_is_kept() -> None:
    opened = next_step(work_on(), POLICY)
    assert isinstance(opened, Send)
    sent = replace(a_confirm("UNKNOWN"), request_hash=opened.request.fingerprint())
    settled = said(work_on(sent), NotFound(), looked_up=True)
    assert isinstance(settled.then, SendAgain)
    assert settled.then.request == opened.request
    erased = replace(BROUGHT, data=None, unreadable="it is erased")
    kept = said(work_on(sent, confirm=erased), NotFound(), looked_up=True)
    assert isinstance(kept.then, Rest)


def test_what_stays_unfound_goes_to_a_person() -> None:
    lost = replace(a_confirm("UNKNOWN"), not_found_count=5, first_not_found_at_s=NOW_S - 60, request_hash="x")
    settled = said(work_on(lost), NotFound(), looked_up=True)
    assert isinstance(settled.then, Rest)
    assert settled.then.job.status == "review"
    assert "can't be repeated safely" in str(settled.then.job.reason)


def test_what_no_key_opens_goes_to_a_person() -> None:
    step = next_step(work_on(confirm=Confirm(1, "d1", unreadable="its key is missing")), POLICY)
    assert isinstance(step, Rest)
    assert (step.job.status, "its key is missing" in str(step.job.reason)) == ("review", True)


def test_a_confirm_whose_payment_went_on_decides_nothing_more() -> None:
    charge, confirm = an_attempt(), a_confirm("UNKNOWN")
    went_on, _ = with_the_payer().record([Fact(EventType.AUTHENTICATED, {"gateway": "a"})])
    assert deciding_last(went_on, (charge, confirm)) == (confirm, charge)
    assert deciding_last(with_the_payer(), (charge, confirm)) == (charge, confirm)
