"""What became of an operation at Adyen, by what it has told: by hand, without a socket or a database."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeReport
from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Lookup,
    Movement,
    Operation,
    Unknown,
    UnknownKind,
)
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Recall
from aegis_worker.gateways.requests import DisputeQuery, StatusQuery

PAYMENT, PSP, CHANGE = "pay_0123456789abcdef0123456789abcdef", "JLCMPCQ8HXSKGK82", "KHQC5N7G84BLNK43"
USD = Money(1999, "USD")
CHARGE = StatusQuery(Operation.PROCESS, f"{PAYMENT}-p1", None, USD)
CONFIRM = StatusQuery(Operation.CONFIRM, f"{PAYMENT}-d1", f"{PAYMENT}-p1", USD)
CAPTURE = StatusQuery(Operation.CAPTURE, f"{PAYMENT}c101", PSP, USD)
REFUND = StatusQuery(Operation.REFUND, f"{PAYMENT}b102", PSP, USD)
VOID = StatusQuery(Operation.VOID, f"{PAYMENT}x103", PSP, USD)
ADAPTER = AdyenAdapter(
    GatewayConfig(
        "adyen",
        "adyen",
        "https://checkout-test.adyen.com",
        "AQE_key",
        account="ShopECOM",
        options={"return_url": "https://shop.test/back"},
    )
)


def told(
    code: str, psp: str = CHANGE, *, success: bool = True, reference: str | None = None, minor: int = 1999
) -> Told:
    """An event of a change; its reference is the payment's where no other is given."""
    word = "true" if success else "false"
    return Told(f"{psp}:{code}:{word}", code, reference or f"{PAYMENT}-p1", PSP, Money(minor, "USD"))


def authorised(*, success: bool = True, minor: int = 1999, reference: str | None = None) -> Told:
    return told("AUTHORISATION", PSP, success=success, minor=minor, reference=reference)


def found(query: StatusQuery, *events: Told) -> Lookup:
    flow = ADAPTER.get_status(query)
    assert next(flow) == Recall(query.reference)
    with pytest.raises(StopIteration) as end:
        flow.send(events)  # type: ignore[arg-type]
    said: Lookup = end.value.value
    return said


def is_nothing(said: Lookup) -> bool:
    """Whether it says that nothing was told."""
    return isinstance(said, Unknown) and said.kind is UnknownKind.NO_LOOK_UP


@pytest.mark.parametrize("query", [CHARGE, CONFIRM, CAPTURE, REFUND, VOID])
def test_of_what_nothing_was_told_nothing_is_known(query: StatusQuery) -> None:
    assert not ADAPTER.capabilities.look_ups
    assert is_nothing(found(query))
    assert is_nothing(found(replace(query, gateway_ref=PSP, own_ref=CHANGE)))


def test_a_charge_is_what_was_told_of_it() -> None:
    assert found(CHARGE, authorised()) == Approved(PSP, True, 1999, 0)
    assert found(replace(CHARGE, capture=False), authorised()) == Approved(PSP, False, 0, 0)
    refused = found(CHARGE, authorised(success=False))
    assert isinstance(refused, Declined)
    assert refused.code == "generic_decline"


def test_a_confirm_is_told_of_as_its_charge() -> None:
    assert found(CONFIRM, authorised()) == Approved(PSP, True, 1999, 0)
    assert is_nothing(found(CONFIRM, authorised(reference="pay_ffffffffffffffffffffffffffffffff-p1")))


def test_a_confirm_is_not_told_of_by_another_charge_of_its_payment() -> None:
    second = replace(CONFIRM, reference=f"{PAYMENT}-d2", gateway_ref=f"{PAYMENT}-p2")
    assert is_nothing(found(second, authorised(success=False)))
    assert isinstance(
        found(second, authorised(success=False), authorised(reference=f"{PAYMENT}-p2")), Approved
    )
    named = replace(second, gateway_ref=PSP)
    assert is_nothing(found(named, Told("OTHER:AUTHORISATION:false", "x", f"{PAYMENT}-p1", "OTHER", USD)))
    assert isinstance(found(named, authorised(reference=f"{PAYMENT}-p2")), Approved)


def test_a_success_counts_before_and_after_a_failure_of_the_same_charge() -> None:
    for events in itertools.permutations([authorised(), authorised(success=False)]):
        assert found(CHARGE, *events) == Approved(PSP, True, 1999, 0)


def test_a_second_charge_under_one_reference_is_a_persons() -> None:
    second = Told("SECOND:AUTHORISATION:true", "x", f"{PAYMENT}-p1", "SECOND", USD)
    given_back = Told("R1:REFUND:true", "x", f"{PAYMENT}-p1", "SECOND", USD)
    for query in (CHARGE, replace(CHARGE, gateway_ref=PSP), replace(CHARGE, gateway_ref="SECOND")):
        said = found(query, authorised(), second)
        assert isinstance(said, Unknown)
        assert (said.kind, said.shows) == (UnknownKind.MISMATCH, "3998 USD in 2 charges")
    assert found(replace(CHARGE, gateway_ref=PSP), authorised(), second, given_back) == Approved(
        PSP, True, 1999, 0
    )


def test_a_charge_whose_own_event_was_lost_is_known_by_what_is_done_with_charges_only() -> None:
    known, held = replace(CHARGE, gateway_ref=PSP), replace(CHARGE, gateway_ref=PSP, capture=False)
    refund, expired = told("REFUND", "R1", minor=300), told("EXPIRE", "X1")
    assert found(known, refund) == Approved(PSP, True, 1999, 300)
    assert is_nothing(found(known, told("REFUND", "R1", minor=300, success=False)))
    assert is_nothing(found(CHARGE, refund))
    assert is_nothing(found(replace(CHARGE, gateway_ref="ANOTHER"), refund))
    said = found(held, expired)
    assert isinstance(said, Declined)
    assert (said.code, said.released) == ("authorization_expired", True)


def test_of_several_captures_the_one_that_failed_has_failed() -> None:
    held = replace(CHARGE, capture=False, movements=True)
    captures = [told("CAPTURE", ref, minor=minor) for ref, minor in (("C1", 500), ("C2", 700))]
    for events in itertools.permutations([*captures, told("CAPTURE_FAILED", "C2", minor=700)]):
        said = found(held, authorised(), *events)
        assert isinstance(said, Approved)
        assert said.captured_minor == 500
        assert {one.gateway_ref: one.status for one in said.movements or ()} == {
            "C1": "succeeded",
            "C2": "failed",
        }


def test_a_hold_whose_end_names_only_our_reference_has_ended() -> None:
    held = replace(CHARGE, capture=False)
    expired = Told("X1:EXPIRE:true", "x", f"{PAYMENT}-p1", "X1", USD)
    others = Told("X1:EXPIRE:true", "x", f"{PAYMENT}-p2", "X1", USD)
    assert isinstance(found(held, authorised(), expired), Declined)
    assert found(held, authorised(), others) == Approved(PSP, False, 0, 0)


def test_what_was_cancelled_or_refunded_is_what_its_charge_makes_of_it() -> None:
    reversed_, held = told("CANCEL_OR_REFUND", "X1"), replace(CHARGE, capture=False, movements=True)
    said = found(held, authorised(), reversed_)
    assert isinstance(said, Declined)
    assert (said.gateway_code, said.released) == ("CANCEL_OR_REFUND", True)
    captured, refund = told("CAPTURE", "C1", minor=1500), told("REFUND", "R1", minor=300)
    for events in itertools.permutations([captured, refund, reversed_]):
        given_back = found(held, authorised(), *events)
        assert isinstance(given_back, Approved)
        assert (given_back.captured_minor, given_back.refunded_minor, given_back.given_back) == (
            1500,
            1500,
            True,
        )
        assert Movement(Operation.REFUND, 1200, gateway_ref="X1") in (given_back.movements or ())
    refused = told("CANCEL_OR_REFUND", "X1", success=False)
    assert found(CHARGE, authorised(), refused) == Approved(PSP, True, 1999, 0)
    assert found(CHARGE, authorised(), reversed_) == Approved(PSP, True, 1999, 1999)


def test_a_charge_that_was_released_in_place_of_its_capture_took_no_money() -> None:
    said = found(CHARGE, authorised(), told("CANCELLATION", "X1"))
    assert isinstance(said, Declined)
    assert said.released


def test_other_money_is_no_answer() -> None:
    for query, event in (
        (CHARGE, authorised(minor=2000)),
        (CAPTURE, told("CAPTURE", minor=2000, reference=CAPTURE.reference)),
        (REFUND, told("REFUND", minor=2000, reference=REFUND.reference)),
    ):
        said = found(query, event)
        assert isinstance(said, Unknown)
        assert said.kind is UnknownKind.MISMATCH
        assert said.shows == "2000 USD"


def test_another_payments_event_tells_nothing() -> None:
    other = Told("ANOTHER:AUTHORISATION:true", "x", "pay_ffffffffffffffffffffffffffffffff-p1", "ANOTHER", USD)
    assert is_nothing(found(CHARGE, other))


@pytest.mark.parametrize(
    ("query", "code", "late"),
    [
        (CAPTURE, "CAPTURE", ("CAPTURE_FAILED",)),
        (REFUND, "REFUND", ("REFUND_FAILED", "REFUNDED_REVERSED")),
    ],
)
def test_a_change_that_has_failed_late_has_failed_in_whichever_order_it_is_told(
    query: StatusQuery, code: str, late: Sequence[str]
) -> None:
    done = told(code, reference=query.reference)
    assert found(query, done) == Approved(CHANGE, captured=True)
    for undone in late:
        for events in itertools.permutations([done, told(undone, reference=query.reference), done]):
            said = found(query, *events)
            assert isinstance(said, Declined)
            assert said.gateway_code == undone


@pytest.mark.parametrize(
    ("query", "code"), [(CAPTURE, "CAPTURE"), (REFUND, "REFUND"), (VOID, "CANCELLATION")]
)
def test_a_change_is_known_by_adyens_reference_or_ours(query: StatusQuery, code: str) -> None:
    named, nameless = told(code, reference=query.reference), told(code)
    assert isinstance(found(query, named), Approved)
    assert is_nothing(found(query, nameless))
    assert isinstance(found(replace(query, own_ref=CHANGE), nameless), Approved)
    assert is_nothing(found(replace(query, own_ref="ANOTHER"), named))
    refused = found(query, told(code, success=False, reference=query.reference))
    assert isinstance(refused, Declined)


def test_what_was_done_to_a_charge_counts() -> None:
    held = replace(CHARGE, capture=False)
    captured = told("CAPTURE", "C1", minor=1500)
    refunds = [
        told("REFUND", "R1", minor=300),
        told("REFUND", "R2", minor=200),
        told("REFUND_FAILED", "R2", minor=200),
    ]
    assert found(held, authorised(), captured, *refunds) == Approved(PSP, True, 1500, 300)
    moved = found(replace(held, movements=True), authorised(), captured, *refunds)
    assert isinstance(moved, Approved)
    assert moved.movements == (
        Movement(Operation.CAPTURE, 1500, gateway_ref="C1"),
        Movement(Operation.REFUND, 300, gateway_ref="R1"),
        Movement(Operation.REFUND, 200, "failed", gateway_ref="R2", code="REFUND_FAILED"),
    )
    lost = found(CHARGE, authorised(), told("CAPTURE_FAILED", "C1"))
    assert lost == Approved(PSP, True, 0, 0)


@pytest.mark.parametrize("code", ["CANCELLATION", "TECHNICAL_CANCEL", "EXPIRE"])
def test_a_hold_that_was_released_is_no_charge(code: str) -> None:
    held = replace(CHARGE, capture=False)
    said = found(held, authorised(), told(code, "X1"))
    assert isinstance(said, Declined)
    assert (said.gateway_code, said.released) == (code, True)
    assert (said.code == "authorization_expired") is (code == "EXPIRE")
    kept = found(held, authorised(), told("CAPTURE", "C1", minor=500), told(code, "X1"))
    assert kept == Approved(PSP, True, 500, 0, still_held=False)


def test_a_charge_says_that_it_is_disputed() -> None:
    assert found(CHARGE, authorised()) == Approved(PSP, True, 1999, 0)
    disputed = found(CHARGE, authorised(), told("NOTIFICATION_OF_CHARGEBACK", "D1"))
    assert disputed == Approved(PSP, True, 1999, 0, disputed=True)


def test_a_change_that_we_ordered_is_known_by_our_key() -> None:
    ours = told("REFUND", "R1", minor=300, reference=REFUND.reference)
    moved = found(replace(CHARGE, movements=True), authorised(), ours)
    assert isinstance(moved, Approved)
    assert moved.movements == (Movement(Operation.REFUND, 300, reference=REFUND.reference, gateway_ref="R1"),)


def dispute(*codes: str, charge_ref: str = PSP, nameless: Sequence[str] = ()) -> object:
    """`nameless`: the codes of events that name no payment, but in our reference."""
    flow = ADAPTER.get_dispute(DisputeQuery("D1", charge_ref))
    assert next(flow) == Recall(dispute_ref="D1")
    named = [told(code, "D1") for code in codes]
    others = [replace(told(code, "D1"), gateway_ref="D1") for code in nameless]
    with pytest.raises(StopIteration) as end:
        flow.send(others + named)  # type: ignore[arg-type]
    return end.value.value


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        (["REQUEST_FOR_INFORMATION"], DisputeStatus.WARNING),
        (["NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"], DisputeStatus.NEEDS_RESPONSE),
        (["CHARGEBACK", "CHARGEBACK_REVERSED"], DisputeStatus.UNDER_REVIEW),
        (["CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK"], DisputeStatus.LOST),
        (["NOTIFICATION_OF_CHARGEBACK", "DISPUTE_DEFENSE_PERIOD_ENDED"], DisputeStatus.ACCEPTED),
        (["CHARGEBACK", "CHARGEBACK_REVERSED", "PREARBITRATION_WON"], DisputeStatus.WON),
        (["CHARGEBACK", "PREARBITRATION_OPEN", "SCHEME_ARBITRATION"], DisputeStatus.UNDER_REVIEW),
        (["CHARGEBACK", "SCHEME_ARBITRATION", "SCHEME_ARBITRATION_LOST"], DisputeStatus.LOST),
        (["CHARGEBACK", "SCHEME_ARBITRATION", "SCHEME_ARBITRATION_WON"], DisputeStatus.WON),
    ],
)
def test_a_dispute_stands_as_the_furthest_that_was_told_of_it(
    codes: list[str], status: DisputeStatus
) -> None:
    for order in itertools.permutations(codes):
        said = dispute(*order)
        assert isinstance(said, DisputeReport)
        assert (said.status, said.charge_ref, said.amount) == (status, PSP, USD)


def test_what_is_told_of_a_dispute_without_its_payment_counts_once_another_event_names_that() -> None:
    said = dispute("CHARGEBACK", nameless=["SECOND_CHARGEBACK"])
    assert isinstance(said, DisputeReport)
    assert (said.status, said.charge_ref) == (DisputeStatus.LOST, PSP)
    assert isinstance(dispute(nameless=["SECOND_CHARGEBACK"]), Unknown)


def test_a_dispute_of_another_charge_is_not_known() -> None:
    assert isinstance(dispute("CHARGEBACK", charge_ref="ANOTHER"), Unknown)
    assert isinstance(dispute("AUTHORISATION"), Unknown)
