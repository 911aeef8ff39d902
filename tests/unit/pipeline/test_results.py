"""What the end of a call says about its gateway: what its breaker counts, and what its health does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.attempts import an_attempt

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.pipeline.operations.charge import Charge
from aegis_worker.pipeline.work import Answer, Route, Work
from aegis_worker.resilience.permits import STATUS, Counted, Said, Wanted
from aegis_worker.routing.router import Decision

PAYMENT = Payment("pay_1", "m_1", PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_ok"}))


ASKED = Capabilities((Operation.PROCESS,), 86_400, 120)


def result(outcome, *, attempts=(), looked_up=False, operation=Operation.PROCESS, able=ASKED):
    job = ClaimedJob("job_1", "process", 1, 1, PAYMENT, ())
    every = (*attempts, an_attempt(operation, number=len(attempts) + 1, status="SENT"))
    work = Work(job, PAYMENT, every, Route(Decision(("a",), {}), {"a": able}, {}))
    wanted = Wanted("a", (STATUS if looked_up else operation,), "op")
    return Charge().result(work, wanted, 7, Answer(outcome, 12.5, looked_up, asked_at_s=0.0))


@pytest.mark.parametrize(
    ("outcome", "said", "counted", "error"),
    [
        (Approved("ch_1"), Said.SUCCESS, Counted.APPROVED, ""),
        (Declined("insufficient_funds", "51"), Said.SUCCESS, Counted.DECLINED, ""),
        (Declined("gateway_misconfigured", "401"), Said.SUCCESS, Counted.DECLINED, ""),
        (Declined("stolen_card", "43"), Said.SUCCESS, Counted.PAYER, ""),
        (Declined("expired_card", "54"), Said.SUCCESS, Counted.PAYER, ""),
        (Pending("ch_1"), Said.SUCCESS, Counted.PENDING, ""),
        (ActionRequired("ch_1", Redirect("https://bank.example")), Said.SUCCESS, Counted.PENDING, ""),
        (NotSent("refused"), Said.FAILURE, Counted.ERROR, "network_error"),
        (NotSent("slow", kind=NotSentKind.TIMEOUT), Said.FAILURE, Counted.ERROR, "timeout"),
        (NotSent("429", kind=NotSentKind.RATE_LIMIT), Said.NOTHING, Counted.RATE_LIMITED, "rate_limit"),
        (NotSent("silent", kind=NotSentKind.VAULT), Said.NOTHING, None, ""),
        (Declined("card_gone", ""), Said.NOTHING, None, ""),
        (Declined("security_code_gone", ""), Said.NOTHING, None, ""),
        (Declined("vault_misconfigured", ""), Said.NOTHING, None, ""),
        (Unknown("reset"), Said.UNKNOWN, Counted.ERROR, "no_answer"),
        (Unknown("500", kind=UnknownKind.HTTP_5XX), Said.UNKNOWN, Counted.ERROR, "http_5xx"),
    ],
)
def test_what_a_charge_says(outcome, said, counted, error):
    told = result(outcome)
    assert (told.said, told.counted, told.error, told.hop_over) == (said, counted, error, True)
    assert (told.epoch, told.latency_ms) == (7, 12.5)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Approved("ch_1"), Said.SUCCESS),
        (NotFound(), Said.SUCCESS),
        (Unknown("503", kind=UnknownKind.HTTP_5XX), Said.UNKNOWN),
        (Unknown("429", kind=UnknownKind.RATE_LIMIT), Said.NOTHING),
    ],
)
def test_a_look_up_speaks_for_its_own_breaker_and_counts_in_no_health(outcome, said):
    told = result(outcome, looked_up=True)
    assert (told.said, told.counted) == (said, None)


def test_a_step_before_the_charge_counts_only_where_it_ends_the_hop():
    approved = result(Approved("i_1"), operation=Operation.INITIATE)
    assert (approved.said, approved.counted, approved.hop_over) == (Said.SUCCESS, None, False)
    refused = result(NotSent("refused"), operation=Operation.INITIATE)
    assert (refused.counted, refused.hop_over) == (Counted.ERROR, True)


def test_the_gateway_that_is_tried_second_is_not_blamed_for_a_decline_that_the_first_gave_too():
    before = [an_attempt(status="DECLINED")]
    assert result(Declined("insufficient_funds", "51"), attempts=before).counted is Counted.PAYER
    assert result(Approved("ch_1"), attempts=before).counted is Counted.APPROVED


@pytest.mark.parametrize("outcome", [Approved("ch_1"), NotFound(), Unknown("nothing was told")])
def test_what_a_gateway_without_look_ups_had_told_says_nothing_about_it_now(outcome):
    told = result(outcome, looked_up=True, able=replace(ASKED, look_ups=frozenset()))
    assert (told.said, told.counted) == (Said.NOTHING, None)


def test_giving_back_a_charge_has_a_breaker_of_its_own_and_counts_in_no_health():
    told = result(Approved("re_1"), operation=Operation.REFUND)
    assert (told.wanted.operations, told.counted, told.hop_over) == (("refund",), None, True)
