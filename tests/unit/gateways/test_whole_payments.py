"""What follows from answers that show the whole payment, by the adapter that `aegis new-gateway` writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.lab.skeleton.toy.aegispay_toy.answers import ANSWERS

PAYMENT_ID = "pay_" + "a" * 32
KEY, REFUND = f"{PAYMENT_ID}-p1", f"{PAYMENT_ID}b101"
CHARGE = GatewayRequest(
    Operation.PROCESS, PAYMENT_ID, KEY, PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "t"})
)


def shown(state: str = "succeeded", **fields: Any) -> dict[str, Any]:
    taken = 1999 if state == "succeeded" else 0
    body = {"id": "toy_1", "reference": KEY, "state": state, "amount": 1999, "currency": "USD"}
    return {
        **body,
        "taken": taken,
        "returned": 0,
        "held_until": None,
        "redirect": None,
        "changes": [],
    } | fields


def change(state: str = "succeeded", **fields: Any) -> dict[str, Any]:
    return {"id": "c_1", "kind": "refund", "reference": REFUND, "amount": 300, "state": state} | fields


def answer(body: Any, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, {"retry-after": "7"}, json.dumps(body).encode())


def asked(
    operation: Operation = Operation.PROCESS, ref: str | None = "toy_1", minor: int = 1999
) -> StatusQuery:
    key = KEY if operation is Operation.PROCESS else REFUND
    return StatusQuery(operation, key, ref, Money(minor, "USD"))


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (shown(), Approved("toy_1", True, 1999, 0)),
        (shown("authorized"), Approved("toy_1", False, 0, 0)),
        (shown("pending"), Pending("toy_1")),
        (shown("requires_action"), Pending("toy_1")),
        (shown("failed", code="lost_card"), Declined("lost_card", "lost_card", "", "toy_1")),
        (shown("failed", code="new"), Declined("generic_decline", "new", "", "toy_1")),
    ],
)
def test_a_charge_ends_as_its_payment_stands(body: dict[str, Any], outcome: object) -> None:
    assert ANSWERS.outcome(CHARGE, answer(body)) == outcome


def test_a_payer_is_sent_on_and_a_hold_that_was_released_is_no_plain_decline() -> None:
    waits = ANSWERS.outcome(CHARGE, answer(shown("requires_action", redirect="https://bank.example/3ds")))
    assert isinstance(waits, ActionRequired)
    released = ANSWERS.found(asked(), answer(shown("voided")))
    assert isinstance(released, Declined)
    assert released.released


@pytest.mark.parametrize(
    "fields", [{"reference": "another"}, {"amount": 2000}, {"currency": "EUR"}, {"taken": 1998}]
)
def test_an_answer_about_something_else_is_a_doubt(fields: dict[str, Any]) -> None:
    said = ANSWERS.outcome(CHARGE, answer(shown(**fields)))
    assert isinstance(said, Unknown)
    assert said.kind is UnknownKind.MISMATCH


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"code": "busy"}, NotSent),
        (401, {"code": "key"}, Declined),
        (422, {"code": "amount_too_large"}, Declined),
        (422, {"code": "idempotency_mismatch"}, Unknown),
        (409, {"code": "key_in_use"}, Unknown),
        (418, {"code": "teapot"}, Unknown),
        (200, {"id": "toy_1"}, Unknown),
        (500, "nonsense", Unknown),
    ],
)
def test_an_error_is_what_its_status_says_unless_its_code_leaves_a_doubt(
    status: int, body: Any, kind: type
) -> None:
    said = ANSWERS.outcome(CHARGE, answer(body, status))
    assert isinstance(said, kind)
    assert getattr(said, "stored", False) == (status == 500)
    assert getattr(said, "retry_after_s", None) == (7.0 if status == 429 else None)


def test_a_change_is_told_by_its_key_and_one_that_is_not_shown_was_not_found() -> None:
    done = shown(changes=[change()])
    assert ANSWERS.found(asked(Operation.REFUND, minor=300), answer(done)) == Approved("c_1")
    waits = shown(changes=[change("pending")])
    assert ANSWERS.found(asked(Operation.REFUND, minor=300), answer(waits)) == Pending("c_1")
    failed = shown(changes=[change("failed", code="fraud")])
    assert isinstance(ANSWERS.found(asked(Operation.REFUND, minor=300), answer(failed)), Declined)
    assert ANSWERS.found(asked(Operation.REFUND, minor=300), answer(shown())) == NotFound()
    assert isinstance(ANSWERS.found(asked(Operation.REFUND, ref="toy_2"), answer(shown())), Unknown)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"reference": KEY, "payments": []}, 200, NotFound),
        ({"reference": KEY, "payments": [shown()]}, 200, Approved),
        ({"reference": "another", "payments": []}, 200, Unknown),
        ({"reference": KEY, "payments": [shown(), shown(id="toy_2")]}, 200, Unknown),
        ({"payments": []}, 200, Unknown),
        ({"code": "not_found"}, 404, Unknown),
    ],
)
def test_only_a_list_that_was_asked_for_under_our_reference_proves_absence(
    body: Any, status: int, kind: type
) -> None:
    assert isinstance(ANSWERS.found_by_reference(asked(ref=None), answer(body, status)), kind)


def test_an_id_that_the_gateway_does_not_know_any_more_is_a_doubt() -> None:
    assert isinstance(ANSWERS.found(asked(), answer({"code": "not_found"}, 404)), Unknown)
