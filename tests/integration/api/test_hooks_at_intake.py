"""Hooks that validate are asked before anything is written: what they refuse is a 422, what they can't say a 503."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.api_client import CARD, Api, Merchant, Reply, codes, start_api
from support.payments import rows
from support.scripted_hooks import Scripted, ScriptedHooks

from aegis_worker.hooks import Point, Problem

NUMBER, CODE = "4111111111111111", "737"
WRONG = Problem("/metadata/desk", "unknown_desk", "There is no such desk.")
Shop = Callable[..., tuple[Merchant, ScriptedHooks]]


@pytest.fixture
def shop(database_url: str) -> Shop:
    """A shop at an API whose hooks are these functions, and the hooks."""

    def start(
        scripts: dict[Point, Scripted], policies: Any = None, **more: Any
    ) -> tuple[Merchant, ScriptedHooks]:
        named = {point: {f"ours:{point}": script} for point, script in scripts.items()}
        hooks = ScriptedHooks(named, policies)
        start.api = start_api(database_url, hooks=hooks, **more)  # type: ignore[attr-defined]
        return start.api.merchant(), hooks  # type: ignore[attr-defined]

    return start


def api_of(shop: Shop) -> Api:
    api: Api = shop.api  # type: ignore[attr-defined]
    return api


def says(*problems: Problem) -> Scripted:
    return lambda context: problems


def is_down(context: Any) -> None:
    raise ConnectionError("the list of desks is away")


def written(shop: Shop) -> int:
    tables = ("payments", "jobs", "outbox", "idempotency_keys", "payer_details")
    return sum(rows(api_of(shop).database, f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables)


def post_batch(shop: Merchant, *lines: dict[str, Any]) -> Reply:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return shop.post("/v1/payments/batches", data=body, headers={"Content-Type": "application/x-ndjson"})


def a_line(key: str, **more: Any) -> dict[str, Any]:
    return {"idempotency_key": key, "amount": 1999, "currency": "USD", "payment_method": CARD, **more}


@pytest.mark.parametrize(
    "point", [Point.VALIDATE_RAW, Point.VALIDATE, Point.VALIDATE_PAYMENT, Point.VALIDATE_CUSTOMER]
)
def test_what_a_hook_refuses_is_refused_with_its_reasons_and_nothing_is_written(
    shop: Shop, point: Point
) -> None:
    merchant, _ = shop({point: says(WRONG)})
    answer = merchant.post_payment(payer={"email": "asha@shop.example"})
    assert (answer.status_code, answer.json["code"], answer.json["retryable"]) == (
        422,
        "validation_failed",
        False,
    )
    assert answer.json["errors"] == [
        {"pointer": "/metadata/desk", "code": "unknown_desk", "detail": "There is no such desk."}
    ]
    assert written(shop) == 0


@pytest.mark.parametrize(
    "point", [Point.VALIDATE_RAW, Point.VALIDATE, Point.VALIDATE_PAYMENT, Point.VALIDATE_CUSTOMER]
)
def test_a_hook_that_fails_lets_nothing_pass_and_the_same_request_may_be_sent_again(
    shop: Shop, point: Point
) -> None:
    merchant, hooks = shop({point: is_down})
    refused = merchant.post_payment(key="k-1")
    assert (refused.status_code, refused.json["code"], refused.json["retryable"]) == (
        503,
        "hook_failed",
        True,
    )
    assert refused.headers["Retry-After"] == "1"
    assert "desks" not in refused.text
    assert written(shop) == 0
    hooks.scripts = {point: {"ours:well": says()}}
    assert merchant.post_payment(key="k-1").status_code == 202


def test_a_hook_whose_policy_is_open_may_fail(shop: Shop) -> None:
    merchant, _ = shop({Point.VALIDATE: is_down}, {Point.VALIDATE: "open"})
    assert merchant.post_payment().status_code == 202


def test_a_refusal_counts_for_more_than_a_hook_that_failed(shop: Shop) -> None:
    merchant, hooks = shop({Point.VALIDATE: is_down})
    hooks.scripts = {Point.VALIDATE: {"a": is_down, "b": says(WRONG)}}
    assert codes(merchant.post_payment()) == [("/metadata/desk", "unknown_desk")]


def test_what_one_point_refuses_the_next_does_not_see(shop: Shop) -> None:
    merchant, hooks = shop({Point.VALIDATE: says(WRONG), Point.VALIDATE_PAYMENT: says()})
    merchant.post_payment()
    assert [name for name, _ in hooks.asked] == ["ours:post_validation"]


def test_a_repeated_request_gets_its_answer_and_no_hook_is_asked_again(shop: Shop) -> None:
    merchant, hooks = shop({point: says() for point in (Point.VALIDATE_RAW, Point.VALIDATE)})
    first = merchant.post_payment(key="k-1")
    asked = len(hooks.asked)
    hooks.scripts = {point: {"ours:no": says(WRONG)} for point in hooks.scripts}
    again = merchant.post_payment(key="k-1")
    assert (again.status_code, again.data) == (202, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = merchant.post_payment(key="k-1", amount=2000)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    batch = post_batch(merchant, a_line("k-1"))
    assert batch.json["data"][0]["outcome"] == "replayed"
    assert len(hooks.asked) == asked


def test_another_merchant_has_keys_of_their_own(shop: Shop) -> None:
    merchant, hooks = shop({Point.VALIDATE: says()})
    merchant.post_payment(key="k-1")
    api_of(shop).merchant("mer_b").post_payment(key="k-1")
    assert len(hooks.asked) == 2


def test_what_our_own_schema_refuses_is_shown_to_the_first_point_alone(shop: Shop) -> None:
    merchant, hooks = shop({Point.VALIDATE_RAW: says(), Point.VALIDATE: says()})
    answer = merchant.post_payment(amount="much", extra=10**400)
    assert answer.status_code == 422
    [(name, seen)] = hooks.asked
    assert name == "ours:pre_validation"
    assert (seen.merchant_id, seen.mode, seen.body["amount"]) == ("mer_a", "test", "much")


def test_without_a_key_that_can_be_one_no_hook_is_asked(shop: Shop) -> None:
    merchant, hooks = shop({Point.VALIDATE_RAW: says(WRONG)})
    answer = merchant.post("/v1/payments", json={"amount": 1999, "currency": "USD", "payment_method": CARD})
    assert answer.json["code"] == "idempotency_key_missing"
    assert hooks.asked == []


def test_a_hook_sees_the_payment_and_only_the_customers_hook_sees_who_pays(shop: Shop) -> None:
    points = (Point.VALIDATE, Point.VALIDATE_PAYMENT, Point.VALIDATE_CUSTOMER)
    merchant, hooks = shop({point: says() for point in points})
    payer = {"email": "asha@shop.example"}
    merchant.accepted(customer={"id": "cus_1", "country": "IN"}, payer=payer, metadata={"desk": 7})
    seen = dict(hooks.asked)
    facts = seen["ours:post_validation"].payment
    assert (facts.amount_minor, facts.currency, facts.method, facts.customer_country, facts.metadata) == (
        1999,
        "USD",
        "card",
        "IN",
        {"desk": 7},
    )
    assert "asha" not in repr(seen["ours:post_validation"]) + repr(seen["ours:validate_payment"])
    assert seen["ours:validate_customer"].payer == payer


def test_no_hook_sees_a_cards_number_or_code_and_a_refused_card_is_not_kept(shop: Shop, vault: Any) -> None:
    points = (Point.VALIDATE_RAW, Point.VALIDATE, Point.VALIDATE_CUSTOMER)
    merchant, hooks = shop({point: says() for point in points}, vault=vault)
    card = {"number": NUMBER, "exp_month": 12, "exp_year": 2031, "cvc": CODE}
    merchant.accepted(payment_method={"type": "card", "card": card})
    assert len(hooks.asked) == 3
    assert NUMBER not in repr(hooks.asked)
    assert repr(CODE) not in repr([context for name, context in hooks.asked if name == "ours:pre_validation"])
    hooks.scripts = {Point.VALIDATE: {"ours:no": says(WRONG)}}
    assert merchant.post_payment(payment_method={"type": "card", "card": card}).status_code == 422


def test_each_line_of_a_batch_is_asked_about_and_refused_by_itself(shop: Shop) -> None:
    def no_cheap_ones(context: Any) -> tuple[Problem, ...]:
        return (WRONG,) if context.payment.amount_minor < 100 else ()

    def no_desk_seven(context: Any) -> tuple[Problem, ...]:
        if context.body.get("metadata") == {"desk": 8}:
            raise KeyError(8)
        return (WRONG,) if context.body.get("metadata") == {"desk": 7} else ()

    merchant, _ = shop({Point.VALIDATE_RAW: no_desk_seven, Point.VALIDATE: no_cheap_ones})
    lines = [
        a_line("k-1"),
        a_line("k-2", amount=1),
        a_line("k-3", metadata={"desk": 7}),
        a_line("k-4", metadata={"desk": 8}),
        a_line("k-5", amount="much"),
        a_line("k-6"),
    ]
    answer = post_batch(merchant, *lines)
    told = [
        (line["idempotency_key"], line.get("problem", {}).get("code", line["outcome"]))
        for line in answer.json["data"]
    ]
    assert told == [
        ("k-1", "accepted"),
        ("k-2", "validation_failed"),
        ("k-3", "validation_failed"),
        ("k-4", "hook_failed"),
        ("k-5", "validation_failed"),
        ("k-6", "accepted"),
    ]
    assert answer.json["data"][2]["problem"]["errors"][0]["code"] == "unknown_desk"
    assert answer.json["data"][3]["problem"]["retryable"] is True
    again = post_batch(merchant, *lines)
    assert [line["outcome"] for line in again.json["data"]].count("replayed") == 2


def test_where_no_hook_validates_intake_asks_postgresql_as_often_as_ever(shop: Shop) -> None:
    merchant, _ = shop({Point.LISTEN: says()})
    validation = api_of(shop).app.extensions["aegis"].validation
    assert not validation.asks
    assert merchant.post_payment().status_code == 202
