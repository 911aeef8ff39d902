"""The rules of disputes: which status may follow, and what each means for the payment's amounts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aegis_worker.domain.dispute_statuses import DISPUTE_TRANSITIONS, OPEN, UNDECIDED, DisputeStatus
from aegis_worker.domain.disputes import Dispute, DisputeReport, may_follow, moved, opened
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.transitions import EventType

PAYMENT = Payment(
    "pay_1",
    "m_1",
    PaymentTerms(Money(1999, "USD"), {"type": "card"}),
    gateway="a",
    gateway_ref="ch_1",
    version=3,
)
SHOWN = DisputeReport("dp_1", "ch_1", Money(1999, "USD"), DisputeStatus.NEEDS_RESPONSE, "needs_response")
TAKEN = {DisputeStatus.LOST, DisputeStatus.ACCEPTED}


def standing(status: DisputeStatus) -> Dispute:
    return opened(PAYMENT, "a", replace(SHOWN, status=status), "dsp_1")[0]


def test_every_status_has_its_row_and_leads_out_of_itself() -> None:
    assert set(DISPUTE_TRANSITIONS) == set(DisputeStatus)
    assert all(status not in following for status, following in DISPUTE_TRANSITIONS.items())


def test_nothing_becomes_a_warning() -> None:
    assert all(DisputeStatus.WARNING not in following for following in DISPUTE_TRANSITIONS.values())


@pytest.mark.parametrize("status", DisputeStatus)
def test_what_is_known_and_what_nobody_knows_may_always_be_shown(status: DisputeStatus) -> None:
    assert may_follow(standing(status), replace(SHOWN, status=status))
    assert may_follow(standing(status), replace(SHOWN, status=None))


@pytest.mark.parametrize("status", DisputeStatus)
def test_a_dispute_counts_in_one_sum_or_in_none(status: DisputeStatus) -> None:
    payment, _ = PAYMENT.record(opened(PAYMENT, "a", replace(SHOWN, status=status), "dsp_1")[1])
    assert payment.disputed_minor == (1999 if status in OPEN else 0)
    assert payment.charged_back_minor == (1999 if status in TAKEN else 0)
    assert UNDECIDED >= OPEN


@given(
    st.lists(st.tuples(st.sampled_from(DisputeStatus), st.integers(0, 3000), st.integers(1, 3)), max_size=30)
)
def test_however_several_disputes_move_the_sums_are_those_of_how_they_stand(
    shown: list[tuple[DisputeStatus, int, int]],
) -> None:
    payment, known = PAYMENT, dict[int, Dispute]()
    for status, minor, number in shown:
        report = replace(SHOWN, gateway_ref=f"dp_{number}", status=status, amount=Money(minor, "USD"))
        if number not in known:
            known[number], facts = opened(payment, "a", report, f"dsp_{number}")
        elif may_follow(known[number], report):
            known[number], facts = moved(known[number], report)
        else:
            continue
        payment, _ = payment.record(facts)
    stands = known.values()
    assert payment.disputed_minor == sum(one.shown.amount.minor for one in stands if one.status in OPEN)
    assert payment.charged_back_minor == sum(one.shown.amount.minor for one in stands if one.status in TAKEN)


def test_the_same_again_is_no_news() -> None:
    known = standing(DisputeStatus.NEEDS_RESPONSE)
    assert moved(known, SHOWN) == (known, [])


def test_a_new_deadline_is_told() -> None:
    known = standing(DisputeStatus.NEEDS_RESPONSE)
    _, facts = moved(known, replace(SHOWN, respond_by=datetime(2026, 12, 4, tzinfo=UTC)))
    assert [fact.type for fact in facts] == [EventType.DISPUTE_UPDATED]


def test_a_lost_dispute_whose_amount_changes_is_not_lost_again() -> None:
    known = standing(DisputeStatus.LOST)
    _, facts = moved(known, replace(SHOWN, status=DisputeStatus.LOST, amount=Money(1, "USD")))
    assert [fact.type for fact in facts] == [EventType.DISPUTE_UPDATED]


def test_a_refund_leaves_what_is_charged_back_alone() -> None:
    payment = replace(PAYMENT, captured_minor=1999, state=PAYMENT.state.SUCCESS)
    lost = replace(SHOWN, status=DisputeStatus.LOST, amount=Money(1500, "USD"))
    payment, _ = payment.record(opened(payment, "a", lost, "dsp_1")[1])
    assert payment.refundable_minor == 499
    payment, _ = payment.record(
        [Fact(EventType.REFUND_REQUESTED, {"refund_id": "ref_1", "amount_minor": 499})]
    )
    assert payment.refundable_minor == 0


def test_a_reason_of_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no reason"):
        DisputeReport("dp_1", "ch_1", Money(1, "USD"), None, "lost", reason="spite")
