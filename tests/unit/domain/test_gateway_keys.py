"""Keys of calls: one for each attempt, short enough for every gateway, never shared by two that mean different things."""

from __future__ import annotations

import pytest

from aegis_worker.domain.gateway_keys import (
    FIRST_ORDERED,
    MOST_ORDERED,
    attempt_named_by,
    gateway_key,
    keys_of_same_hop,
    named_by,
    parse_gateway_key,
)
from aegis_worker.domain.outcomes import Operation

PAYMENT = "pay_" + "0123456789abcdef" * 2
ORDERED = (Operation.CAPTURE, Operation.VOID, Operation.REFUND)
NUMBERS = (*range(1, 21), FIRST_ORDERED, FIRST_ORDERED + MOST_ORDERED - 1)


def made(operation: Operation, number: int) -> str:
    return gateway_key(PAYMENT, operation, number)


def test_no_two_attempts_share_a_key() -> None:
    keys = [
        made(operation, number)
        for operation in Operation
        for number in NUMBERS
        if number < FIRST_ORDERED or operation in ORDERED
    ]
    assert len(set(keys)) == len(keys)


def test_what_a_merchant_ordered_and_the_reversal_of_a_charge_have_letters_of_their_own() -> None:
    letters = {made(operation, FIRST_ORDERED)[len(PAYMENT)] for operation in ORDERED}
    reversals = {made(operation, 1)[len(PAYMENT) + 1] for operation in (Operation.VOID, Operation.REFUND)}
    assert len(letters) == 3
    assert letters.isdisjoint(reversals)


@pytest.mark.parametrize("operation", ORDERED)
def test_with_three_digits_it_has_forty_characters(operation: Operation) -> None:
    assert len(made(operation, FIRST_ORDERED + MOST_ORDERED - 1)) == 40


def test_it_tells_the_operation_and_the_number_that_it_was_made_for() -> None:
    for operation in Operation:
        for number in NUMBERS:
            if number < FIRST_ORDERED or operation in ORDERED:
                assert attempt_named_by(made(operation, number)) == (operation, number)
    assert attempt_named_by("order-1088") is None


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("operation", ORDERED)
def test_it_tells_the_payment_and_the_attempt_that_it_was_made_for(operation: Operation, number: int) -> None:
    assert parse_gateway_key(made(operation, number)) == (PAYMENT, number)


def test_what_was_ordered_is_known_under_its_own_key_only() -> None:
    key = made(Operation.CAPTURE, FIRST_ORDERED)
    assert keys_of_same_hop(key) == {key}
    assert keys_of_same_hop(made(Operation.PROCESS, 1)) >= {made(Operation.INITIATE, 1)}


def test_a_reference_names_a_payment_and_perhaps_the_attempt() -> None:
    payment = "pay_" + "0a" * 16
    assert named_by(f"{payment}-p2") == (payment, 2)
    assert named_by(f"{payment}c101") == (payment, 101)
    assert named_by(payment) == (payment, None)
    for other in ("", "order 7", payment[:-1], f"{payment}-q1"):
        assert named_by(other) is None
