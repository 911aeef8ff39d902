"""Money, declines and the state machine."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency
from support.plain_payment import a_payment

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.declines import DECLINES, may_fail_over
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Operation
from aegis_worker.domain.payment import Event, Fact, Payment, failed, in_doubt, initiated, resolved
from aegis_worker.domain.replay import differences, fold
from aegis_worker.domain.transitions import LEADS_TO, TERMINAL, TRANSITIONS, EventType, State
from aegis_worker.errors import IllegalTransition
from aegis_worker.pipeline.operations.charge.facts import approved, opened


def test_every_iso_4217_currency_with_minor_units_has_its_published_exponent():
    assert {
        currency.code: currency.exponent for currency in Currency if currency.exponent is not None
    } == EXPONENTS


@pytest.mark.parametrize(
    ("money", "decimal"),
    [
        (Money(1999, "USD"), "19.99"),
        (Money(5, "USD"), "0.05"),
        (Money(500, "JPY"), "500"),
        (Money(1234, "BHD"), "1.234"),
        (Money(1, "CLF"), "0.0001"),
    ],
)
def test_money_becomes_a_decimal_by_its_currency(money, decimal):
    assert money.decimal() == decimal


@pytest.mark.parametrize("minor", [True, 1.0, -1, 10**12, "100"])
def test_money_refuses_what_is_not_a_bounded_integer(minor):
    with pytest.raises(ValueError, match="minor units"):
        Money(minor, "USD")


def test_money_refuses_a_currency_nobody_can_be_charged_in():
    with pytest.raises(ValueError, match="XAU"):
        Money(1, "XAU")


def test_only_soft_declines_and_refused_credentials_may_move_to_another_gateway():
    assert {code for code in DECLINES if may_fail_over(code)} == {
        "insufficient_funds",
        "issuer_unavailable",
        "processing_error",
        "try_again_later",
        "velocity_exceeded",
        "amount_limit_exceeded",
        "do_not_honor",
        "gateway_misconfigured",
    }


def test_a_plain_charge_is_three_events():
    payment, events = a_payment().record([initiated(a_payment())])
    payment, more = payment.record(opened(payment, Operation.PROCESS, "a", 1))
    payment, last = payment.record(approved(payment, Operation.PROCESS, "a", Approved("ch_1")))
    assert [event.type for event in events + more + last] == [
        EventType.INITIATED,
        EventType.PROCESSING,
        EventType.SUCCEEDED,
    ]
    assert (payment.state, payment.captured_minor, payment.version) == (State.SUCCESS, 1999, 3)


def test_doubt_is_told_once_and_ends_with_the_answer():
    payment, _ = a_payment().record([initiated(a_payment()), Fact(EventType.PROCESSING, {"gateway": "a"})])
    payment, first = payment.record(in_doubt(payment, "a", "read timeout"))
    assert payment.certainty == "unknown"
    assert in_doubt(payment, "a", "read timeout") == []
    payment, last = payment.record(resolved(payment, "asked") + failed({"code": "stolen_card"}))
    assert [event.type for event in first + last] == [
        EventType.IN_DOUBT,
        EventType.RESOLVED,
        EventType.FAILED,
    ]
    assert payment.certainty == "known"


def test_a_charge_that_waited_for_the_payer_passes_through_the_states_between():
    facts = [initiated(a_payment()), Fact(EventType.PROCESSING), Fact(EventType.ACTION_REQUIRED)]
    payment, _ = a_payment().record(facts)
    payment, events = payment.record(approved(payment, Operation.PROCESS, "a", Approved("ch_1")))
    assert [event.type for event in events] == [
        EventType.AUTHENTICATED,
        EventType.PROCESSING,
        EventType.SUCCEEDED,
    ]


def test_a_gap_in_the_history_is_refused():
    with pytest.raises(IllegalTransition, match="cannot follow"):
        a_payment().evolve(Event("p", 2, EventType.INITIATED, {}))


@st.composite
def histories(draw):
    """Any sequence of facts that the machine accepts, found by trying event types."""
    payment, facts = a_payment(), []
    payment, _ = payment.record([initiated(payment)])
    facts.append(initiated(a_payment()))
    for event_type in draw(st.lists(st.sampled_from(sorted(EventType)), max_size=12)):
        data = {
            "gateway": draw(st.sampled_from(["a", "b"])),
            "amount_minor": draw(st.integers(1, 9)),
            "final": False,
            "status": draw(st.sampled_from(sorted(DisputeStatus))),
            "dispute_currency": draw(st.sampled_from(["USD", "EUR"])),
            "before": None,
            "own_charge": draw(st.booleans()),
        }
        try:
            payment, _ = payment.record([Fact(event_type, data)])
        except IllegalTransition:
            continue
        facts.append(Fact(event_type, data))
    return facts


@given(histories())
def test_folding_the_events_gives_the_row_and_terminal_is_final(facts):
    payment, events = a_payment().record(facts)
    assert differences(payment, events) == {}
    states = [fold(payment, events[:count]).state for count in range(1, len(events) + 1)]
    for before, after in pairwise(states):
        assert after == before or after in TRANSITIONS[before]
        assert before not in TERMINAL or after == before


def test_every_state_of_the_table_is_reached_by_an_event():
    assert set(LEADS_TO.values()) == set(State) == set(TRANSITIONS)


def test_differences_name_the_field_and_both_values():
    payment, events = a_payment().record([initiated(a_payment())])
    forged = Payment(
        **{name: getattr(payment, name) for name in Payment.__struct_fields__} | {"captured_minor": 5}
    )
    assert differences(forged, events) == {"captured_minor": (5, 0)}
