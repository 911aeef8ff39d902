"""When a call that was repeated may have been carried out twice."""

from __future__ import annotations

from typing import Any

import pytest
from support.attempts import an_attempt

from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Declined, Operation, Outcome, Pending, Twin, Unknown
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.pipeline.operations.answers import LOOK_AGAIN
from aegis_worker.pipeline.operations.charge import Charge
from aegis_worker.pipeline.operations.twins import looked_for_in_s, may_be_second_because
from aegis_worker.pipeline.rechecked import after_recheck, has_twin_that_is_not_shown, is_news
from aegis_worker.pipeline.work import Answer, Policy, Rest, Route, Work
from aegis_worker.routing.router import Decision

POLICY = Policy(max_attempts=3, verify_ladder_s=(10.0,), poison_cap=5)
PAYMENT = Payment("pay_1", "m_1", PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_ok"}))
KEPT_S = 600.0
BEFORE, AFTER = KEPT_S - 1, KEPT_S + 1
IN_STEPS = (Operation.INITIATE, Operation.PROCESS)


def a_work(
    *,
    steps: tuple[Operation, ...] = (Operation.PROCESS,),
    now_s: float = 0.0,
    shows: bool = False,
    **fields: Any,
) -> Work:
    """A call that was first sent at 0, at a gateway that keeps its key for 600 s."""
    able = Capabilities(steps, KEPT_S, 120, shows_twins=shows)
    job = ClaimedJob("job_1", "process", 1, 1, PAYMENT, ())
    call: dict[str, Any] = {"sends": 2, "status": "SENT", "gateway_ref": None, **fields}
    attempts = (an_attempt(**call),)
    return Work(job, PAYMENT, attempts, Route(Decision(("a",), {}), {"a": able}, {}), now_s=now_s)


def an_answer(*, looked_up: bool) -> Answer:
    return Answer(Approved("ch_1"), 1.0, looked_up, 0.0)


@pytest.mark.parametrize(
    ("work", "in_s"),
    [
        (a_work(sends=1), None),
        (a_work(), 900.0),
        (a_work(now_s=BEFORE), 900.0),
        (a_work(steps=IN_STEPS), None),
        (a_work(operation="refund", steps=IN_STEPS), 900.0),
        (a_work(operation="capture"), 900.0),
        (a_work(operation="void"), None),
        (a_work(operation="initiate", steps=IN_STEPS), None),
    ],
)
def test_what_was_sent_more_than_once_and_could_be_done_twice_is_asked_about_again(
    work: Work, in_s: float | None
) -> None:
    assert looked_for_in_s(work, Approved("ch_1"), POLICY) == in_s


@pytest.mark.parametrize(
    ("work", "in_s"), [(a_work(operation="void"), 900.0), (a_work(sends=1, operation="void"), None)]
)
def test_a_repeated_void_that_was_refused_is_asked_about_again_because_the_first_may_release_the_hold(
    work: Work, in_s: float | None
) -> None:
    assert looked_for_in_s(work, Declined("generic_decline", "refused"), POLICY) == in_s


def test_a_twin_that_was_shown_at_once_is_asked_about_at_once() -> None:
    assert looked_for_in_s(a_work(), Approved("ch_1", twins=(Twin("ch_2"),)), POLICY) == 0.0


@pytest.mark.parametrize(
    ("work", "looked_up", "is_doubted"),
    [
        (a_work(now_s=AFTER), False, True),
        (a_work(now_s=KEPT_S), False, True),
        (a_work(now_s=BEFORE), False, False),
        (a_work(now_s=AFTER), True, False),
        (a_work(now_s=AFTER, sends=1), False, False),
        (a_work(now_s=AFTER, shows=True), False, False),
        (a_work(now_s=AFTER, steps=IN_STEPS), False, False),
    ],
)
def test_a_repeat_that_was_answered_when_its_key_may_be_forgotten_is_a_persons_where_no_twins_are_shown(
    work: Work, looked_up: bool, is_doubted: bool
) -> None:
    assert (may_be_second_because(work, an_answer(looked_up=looked_up)) is not None) is is_doubted


@pytest.mark.parametrize(
    ("status", "said", "is_new"),
    [
        ("APPROVED", Approved("ch_1"), False),
        ("APPROVED", Approved("ch_1", twins=(Twin("ch_2"),)), False),
        ("APPROVED", Approved("ch_1", twins=(Twin("ch_3"),)), True),
        ("APPROVED", Pending("ch_1"), True),
        ("DECLINED", Approved("ch_1"), True),
        ("DECLINED", Pending("ch_1"), True),
    ],
)
def test_a_look_at_a_charge_that_stands_brings_news_only_where_it_has_a_twin(
    status: Any, said: Outcome, is_new: bool
) -> None:
    assert is_news(an_attempt(status=status).status, ("ch_1", "ch_2"), said) is is_new


def test_a_gateway_that_shows_twins_is_asked_for_them_and_another_is_a_persons() -> None:
    shows, shows_none = (Capabilities((Operation.PROCESS,), 600, 120, shows_twins=it) for it in (True, False))
    assert has_twin_that_is_not_shown(shows_none, "told of as ch_2 too")
    assert not has_twin_that_is_not_shown(shows, "told of as ch_2 too")
    assert not has_twin_that_is_not_shown(shows_none, None)


def test_such_a_repeat_has_its_payment_asked_about_once_more_and_says_why() -> None:
    settled = Charge().settle(a_work(now_s=AFTER), an_answer(looked_up=False), POLICY)
    assert isinstance(settled.then, Rest)
    assert settled.then.job.follow_up == LOOK_AGAIN
    assert settled.answered.outcome.twin == "a may have forgotten the key of a-process-1 when it was repeated"
    in_time = Charge().settle(a_work(now_s=BEFORE), an_answer(looked_up=False), POLICY)
    assert isinstance(in_time.then, Rest)
    assert (in_time.then.job.follow_up, in_time.answered.outcome.twin) == (None, None)


@pytest.mark.parametrize(
    ("age_s", "waits_s"),
    [(0.0, 600.0), (4800.0, 600.0), (9600.0, 1200.0), (172_800.0, 21_600.0), (31_536_000.0, 21_600.0)],
)
@pytest.mark.parametrize("answer", [Unknown("silent"), Approved("ch_9")])
def test_what_waits_behind_another_job_is_asked_about_ever_more_rarely(
    answer: Outcome, age_s: float, waits_s: float
) -> None:
    ladder_s = (900.0, 3600.0)
    following = after_recheck(ladder_s, 1, age_s, answer, has_to_wait=True)
    assert following == {"rechecks": 1, "next_in_s": waits_s}
