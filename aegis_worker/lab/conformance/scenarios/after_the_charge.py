"""What follows a charge at every gateway: captures, voids, refunds, each with its look-up."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from aegis_worker.domain.outcomes import Approved, Declined, Operation, Pending, Unknown

from ..emulator import eventually
from ..subject import Paid
from ..till import Till, is_heard_of, sent

_CAPTURE, _VOID, _REFUND = Operation.CAPTURE, Operation.VOID, Operation.REFUND


def test_a_hold_and_its_final_capture_of_a_part(till: Till) -> None:
    held = till.pay(hold=True)
    assert isinstance(held.outcome, Approved)
    assert not held.outcome.captured
    assert till.captured(held) == []
    captured = till.order(_CAPTURE, held, 500)
    assert isinstance(captured.outcome, Approved)
    assert isinstance(till.ask(captured), Approved)
    charge = till.ask(held)
    assert isinstance(charge, Approved)
    assert (charge.captured, charge.captured_minor, charge.gateway_ref) == (True, 500, held.ref)
    assert [(row["status"], row["captured"]) for row in till.booked(held)] == [("succeeded", 500)]


def test_a_hold_and_its_capture_of_all(till: Till) -> None:
    held = till.pay(hold=True)
    captured = till.order(_CAPTURE, held)
    assert isinstance(captured.outcome, Approved)
    assert isinstance(till.ask(captured), Approved)
    charge = till.ask(held)
    assert isinstance(charge, Approved)
    assert (charge.captured, charge.captured_minor, charge.gateway_ref) == (True, 1999, held.ref)
    assert [(row["status"], row["captured"]) for row in till.booked(held)] == [("succeeded", 1999)]


def test_a_hold_says_when_it_ends(till: Till) -> None:
    held = till.pay("tok_hold_1", hold=True)
    assert isinstance(held.outcome, Approved)
    assert held.outcome.capture_before is not None
    assert abs(held.outcome.capture_before.timestamp() - time.time()) < 60


def test_a_hold_is_released_when_it_ends(till: Till) -> None:
    held = till.pay("tok_hold_1", hold=True)
    found = till.settled(held, Declined)
    assert isinstance(found, Declined)
    assert found.released
    capture = till.order(Operation.CAPTURE, held, till.part(500))
    is_decided_later = isinstance(capture.outcome, Pending) and not till.can_be_asked
    assert not isinstance(till.ask(capture) if is_decided_later else capture.outcome, Approved | Pending)
    assert till.captured(held) == []


def test_several_captures(till: Till) -> None:
    held = till.pay(hold=True)
    first = till.order(_CAPTURE, held, 500, number=0, final=False)
    second = till.order(_CAPTURE, held, 700, number=1, final=False)
    last = till.order(_CAPTURE, held, 100, number=2)
    for capture in (first, second, last):
        assert isinstance(capture.outcome, Approved)
        assert isinstance(till.ask(capture), Approved)
    assert [(row["status"], row["captured"]) for row in till.booked(held)] == [("succeeded", 1300)]


def test_a_capture_that_was_never_sent_is_not_found(till: Till) -> None:
    held = till.pay(hold=True)
    if till.gateway.capabilities.several_captures:
        till.order(_CAPTURE, held, 500, number=0)
    assert not is_heard_of(till.ask(_unsent(till.order, _CAPTURE, held)))


def test_a_capture_whose_answer_was_lost(till: Till) -> None:
    held = till.pay("tok_drop_on_capture", hold=True)
    capture = till.order(_CAPTURE, held, till.part(500))
    assert isinstance(capture.outcome, Unknown)
    assert isinstance(till.ask(capture), Approved)
    assert till.captured(held) == [till.part(500)]


def test_more_than_is_held_is_not_captured(till: Till) -> None:
    held = till.pay(hold=True)
    assert isinstance(till.order(_CAPTURE, held, 2000).outcome, Declined)
    assert till.captured(held) == []


def test_a_void(till: Till) -> None:
    held = till.pay(hold=True)
    void = till.order(_VOID, held)
    assert isinstance(void.outcome, Approved)
    assert isinstance(till.ask(void), Approved)
    assert isinstance(till.ask(held), Declined)
    assert isinstance(till.order(_CAPTURE, held).outcome, Declined)
    assert till.captured(held) == []


def test_a_void_whose_answer_was_lost(till: Till) -> None:
    held = till.pay("tok_drop_on_void", hold=True)
    void = till.order(_VOID, held)
    assert isinstance(void.outcome, Unknown)
    assert isinstance(till.ask(void), Approved)


def test_a_void_after_the_capture(till: Till) -> None:
    paid = till.pay()
    assert isinstance(till.order(_VOID, paid).outcome, Declined)
    assert till.captured(paid) == [1999]


def test_a_refund_of_all(till: Till) -> None:
    paid = till.pay()
    refund = till.order(_REFUND, paid)
    assert isinstance(refund.outcome, Approved)
    assert isinstance(till.ask(refund), Approved)
    charge = till.ask(paid)
    assert isinstance(charge, Approved)
    assert (charge.given_back, charge.gateway_ref) == (True, paid.ref)


def test_refunds_of_parts_and_no_more_than_there_is(till: Till) -> None:
    paid = till.pay()
    refunds = [till.order(_REFUND, paid, minor, number=minor) for minor in (300, 700)]
    assert all(isinstance(refund.outcome, Approved) for refund in refunds)
    assert all(isinstance(till.ask(refund), Approved) for refund in refunds)
    assert isinstance(till.order(_REFUND, paid, 1000, number=3).outcome, Declined)
    charge = till.ask(paid)
    assert isinstance(charge, Approved)
    assert (charge.refunded_minor, charge.gateway_ref) == (1000, paid.ref)


def test_a_refund_whose_answer_was_lost(till: Till) -> None:
    paid = till.pay("tok_drop_on_refund")
    refund = till.order(_REFUND, paid, 300)
    assert isinstance(refund.outcome, Unknown)
    assert isinstance(till.ask(refund), Approved)
    assert isinstance(till.again(refund), Approved | Pending)
    assert [row["refunded"] for row in till.booked(paid)] == [300]


def test_a_refund_that_was_never_sent_is_not_found(till: Till) -> None:
    paid = till.pay()
    till.order(_REFUND, paid, 300)
    assert not is_heard_of(till.ask(_unsent(till.order, _REFUND, paid)))


def test_a_refund_that_is_pending(till: Till) -> None:
    refund = till.order(_REFUND, till.pay(till.subject.pending_refund))
    assert isinstance(refund.outcome, Pending)
    till.settled(refund, Approved)


def test_a_refund_that_fails_late(till: Till) -> None:
    paid = till.pay(till.subject.late_refund)
    refund = till.order(_REFUND, paid)
    assert isinstance(refund.outcome, Approved)
    till.settled(refund, Declined)
    assert [row["refunded"] for row in till.booked(paid)] == [0]


def test_a_refund_by_hand_at_the_gateway(till: Till) -> None:
    paid = till.pay()
    till.subject.refund_by_hand(till.emulator, paid.charge, 1999)

    def is_given_back() -> bool:
        charge = till.ask(paid)
        return isinstance(charge, Approved) and charge.given_back

    assert eventually(is_given_back)


@pytest.mark.parametrize("operation", [_CAPTURE, _REFUND])
def test_an_operation_that_is_refused_for_now(till: Till, operation: Operation) -> None:
    paid = till.pay(f"tok_429_7_on_{operation.value}", hold=operation is _CAPTURE)
    order = till.order(operation, paid, till.part(500))
    assert getattr(order.outcome, "retry_after_s", None) == 7.0
    assert isinstance(sent(till.gateway, order.request), Approved | Pending)


def _unsent(order: object, operation: Operation, paid: Paid) -> Paid:
    """An operation that only we know of."""
    key = f"{paid.request.payment_id}{'c' if operation is _CAPTURE else 'b'}150"
    request = replace(paid.request, operation=operation, idempotency_key=key, gateway_ref=paid.charge)
    return Paid(request, Unknown("never sent"), paid.ref)
