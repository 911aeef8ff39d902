"""Which charges stand: the rule by itself, on calls made by hand."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.attempts import an_attempt

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.attempts import NOTHING_STORED, Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.charges import (
    given_back_charges,
    hop_reference,
    may_be_invisible,
    not_to_be_adopted,
    other_sums,
    own_charge,
    standing_charges,
    told_charges,
)
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    Operation,
    Pending,
    Unknown,
)
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.transitions import State

USD = Money(1999, "USD")
PAID = Payment(
    "pay_1",
    "m_1",
    PaymentTerms(USD, {"type": "card"}),
    state=State.SUCCESS,
    authorized_minor=1999,
    captured_minor=1999,
    gateway="a",
    gateway_ref="ch_1",
)


CAPTURED, HELD = StoredOutcome(captured=True), StoredOutcome(captured=False)
CHARGE = an_attempt(outcome={"captured": True})
REFUND = an_attempt("refund", outcome={"captured": True}, gateway_ref="re_1")


@pytest.mark.parametrize(
    ("calls", "standing", "told"),
    [
        ([], [], []),
        ([CHARGE], [0], [0]),
        ([replace(CHARGE, status=AttemptStatus.DECLINED, outcome=NOTHING_STORED)], [0], []),
        ([replace(CHARGE, status=AttemptStatus.NOT_SENT, outcome=NOTHING_STORED)], [], []),
        (
            [replace(CHARGE, status=AttemptStatus.NOT_SENT, outcome=NOTHING_STORED, not_found_count=3)],
            [0],
            [],
        ),
        ([replace(CHARGE, outcome=HELD)], [0], []),
        ([replace(CHARGE, outcome=HELD), an_attempt("capture", number=101)], [0], [0]),
        (
            [
                replace(CHARGE, outcome=replace(HELD, duplicate=True)),
                replace(CHARGE, outcome=HELD, number=2),
                an_attempt("capture", number=101),
            ],
            [0, 1],
            [1],
        ),
        ([CHARGE, replace(REFUND, number=101)], [0], [0]),
        ([CHARGE, REFUND], [], []),
        ([CHARGE, replace(REFUND, status=AttemptStatus.UNKNOWN)], [0], [0]),
        ([CHARGE, replace(REFUND, number=2)], [0], [0]),
        ([CHARGE, replace(CHARGE, number=2), replace(REFUND, number=2, operation=Operation.VOID)], [0], [0]),
        ([replace(CHARGE, outcome=replace(HELD, given_back=True))], [], []),
        (
            [replace(CHARGE, outcome=StoredOutcome.from_json({"captured": True, "given_back": None}))],
            [0],
            [0],
        ),
        ([an_attempt("authenticate"), an_attempt("initiate")], [], []),
    ],
)
def test_a_charge_stands_that_may_have_reached_its_gateway_and_was_not_given_back(
    calls: list[Attempt], standing: list[int], told: list[int]
) -> None:
    assert (standing_charges(calls), told_charges(calls)) == (standing, told)
    charges = [position for position, call in enumerate(calls) if call.operation == "process"]
    assert set(given_back_charges(calls)) <= set(charges) - set(standing)


@pytest.mark.parametrize(
    ("calls", "own"),
    [
        ([CHARGE], 0),
        ([replace(CHARGE, gateway_ref="ch_0", status=AttemptStatus.DECLINED), replace(CHARGE, number=2)], 1),
        ([CHARGE, replace(CHARGE, number=2, gateway="b")], 0),
        ([replace(CHARGE, outcome=replace(CAPTURED, duplicate=True)), replace(CHARGE, number=2)], 1),
        ([CHARGE, REFUND], 0),
        ([replace(CHARGE, gateway_ref=None)], 0),
        ([replace(CHARGE, gateway_ref=None, status=AttemptStatus.UNKNOWN)], None),
        ([replace(CHARGE, operation=Operation.AUTHENTICATE)], None),
        ([], None),
    ],
)
def test_the_payments_own_charge_is_the_one_whose_gateway_and_reference_it_carries(
    calls: list[Attempt], own: int | None
) -> None:
    assert own_charge(PAID, calls) == own
    assert own_charge(replace(PAID, state=State.AUTHORIZED), calls) == own
    assert own_charge(replace(PAID, state=State.FAILURE), calls) is None


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (Approved("ch_1"), None),
        (Approved("ch_1", captured_minor=1999, refunded_minor=0), None),
        (Approved("ch_1", captured_minor=1999), None),
        (Approved("ch_1", captured_minor=1000, refunded_minor=0), "1000 USD captured, 0 refunded"),
        (Approved("ch_1", captured_minor=1999, refunded_minor=1), "1999 USD captured, 1 refunded"),
        (Approved("ch_1", captured=False), "0 USD captured"),
    ],
)
def test_sums_differ_where_the_gateway_shows_others_than_ours(found: Approved, shown: str | None) -> None:
    differing = other_sums(PAID, found)
    assert (differing and differing[1]) == shown
    assert differing is None or differing[0] == "1999 USD captured, 0 refunded"


@pytest.mark.parametrize(
    ("found", "is_taken"),
    [
        (Approved("ch_1"), True),
        (Approved("ch_1", captured_minor=1999, refunded_minor=0), True),
        (Approved("ch_1", captured_minor=1999, refunded_minor=1998), True),
        (Approved("ch_1", captured=False, captured_minor=0, refunded_minor=0), True),
        (Approved("ch_1", captured_minor=1998), False),
        (Approved("ch_1", captured_minor=19990), False),
        (Approved("ch_1", captured_minor=0), False),
        (Approved("ch_1", captured_minor=1999, refunded_minor=1999), False),
    ],
)
def test_a_charge_in_doubt_becomes_the_payments_only_with_the_sum_that_was_asked_for(
    found: Approved, is_taken: bool
) -> None:
    assert (not_to_be_adopted(USD, found) is None) == is_taken


@pytest.mark.parametrize(
    "found", [NotFound(), Pending("r"), ActionRequired("r", Redirect("https://bank.example"))]
)
def test_what_a_look_up_can_miss_is_no_absence_within_the_window(found: Lookup) -> None:
    assert may_be_invisible(found, 119.0, 120.0)
    assert not may_be_invisible(found, 120.0, 120.0)


@pytest.mark.parametrize("found", [Approved("r"), Declined("stolen_card", "43"), Unknown("down")])
def test_what_a_look_up_shows_counts_at_once(found: Lookup) -> None:
    assert not may_be_invisible(found, 0.0, 120.0)


@pytest.mark.parametrize(
    ("calls", "reference"),
    [
        ([], None),
        ([an_attempt("initiate", gateway_ref="pi_1"), replace(CHARGE, gateway_ref=None)], "pi_1"),
        ([an_attempt("initiate", gateway_ref="pi_1"), CHARGE], "ch_1"),
        ([CHARGE, replace(REFUND, gateway_ref="re_1")], "ch_1"),
        ([replace(CHARGE, number=2, gateway_ref="ch_2")], None),
    ],
)
def test_a_charge_is_known_by_what_the_last_step_of_its_hop_was_given(
    calls: list[Attempt], reference: str | None
) -> None:
    assert hop_reference(calls, CHARGE) == reference


def test_a_refund_is_of_the_charge_of_its_hop_whatever_its_own_id_is() -> None:
    for refund in (REFUND, replace(REFUND, gateway_ref=None)):
        assert hop_reference([CHARGE, refund, replace(CHARGE, number=2)], refund) == "ch_1"
