"""The demo's judgement: it has to see what is wrong, not only say that all is well."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from aegis_worker.ids import event_id
from aegis_worker.lab.demo.cast import Order, cast, posts
from aegis_worker.lab.demo.findings import Findings
from aegis_worker.lab.demo.issuers import Issuer
from aegis_worker.lab.demo.ledgers import Charge, Comparison, compare
from aegis_worker.lab.demo.merchant import Posted
from aegis_worker.lab.demo.roles import PLAIN, ROLES
from aegis_worker.lab.demo.sink import Arrivals, Sink
from aegis_worker.lab.demo.vaulted import FAILS_OVER, Outage
from aegis_worker.lab.percentiles import percentiles

A, B = "pay_" + "a" * 32, "pay_" + "b" * 32


def a_payment(id_: str = A, state: str = "SUCCESS", amount: int = 1999) -> dict[str, Any]:
    at = "2026-11-21T09:00:00.000000Z"
    events = [{"seq": 1, "type": "payment.initiated", "created_at": at}]
    return {
        "id": id_,
        "state": state,
        "amounts": {"authorized": amount, "captured": amount, "refunded": 0},
        "currency": "USD",
        "gateway": "sandbox_a",
        "gateway_ref": "spay_1",
        "captures": {"data": []},
        "refunds": {"data": []},
        "created_at": at,
        "events": {"data": [*events, {"seq": 2, "type": "payment.succeeded", "created_at": at}]},
    }


def a_charge(payment_id: str | None = A, **more: Any) -> Charge:
    fields = {"gateway": "sandbox_a", "gateway_ref": "spay_1", "currency": "USD", "captured": 1999}
    return Charge(payment_id, **{**fields, **more})


def orders(*amounts: int, status: str = "succeeded") -> dict[str, Any]:
    return {"data": [{"amount": amount, "status": status} for amount in amounts]}


def test_one_charge_of_the_whole_amount_for_a_success_is_right() -> None:
    assert compare([a_payment()], [a_charge()]) == Comparison()


def test_a_charge_at_each_of_two_gateways_is_charged_twice() -> None:
    found = compare([a_payment()], [a_charge(), a_charge(gateway="sandbox_b")])
    assert found == Comparison(charged_twice=[A])


@pytest.mark.parametrize("state", ["FAILURE", "CANCELLED"])
def test_a_charge_for_what_is_no_success_is_found(state: str) -> None:
    assert compare([a_payment(state=state)], [a_charge()]) == Comparison(charged_not_success=[A])


def test_a_charge_for_a_payment_that_nobody_knows_is_found() -> None:
    assert compare([], [a_charge(B)]).charged_not_success == [B]
    assert len(compare([], [a_charge(None)]).charged_not_success) == 1


def test_of_the_payments_of_one_order_the_captured_one_counts_and_each_charge_there_is_a_capture() -> None:
    payment = a_payment() | {"gateway": "razorpay", "gateway_ref": "order_1"}
    names = {"gateway": "razorpay", "gateway_ref": "order_1"}
    given_back = a_charge(**names, captured=0, released=True)
    taken = a_charge(**names, captures=(1999,))
    assert compare([payment], [given_back, taken]) == Comparison()
    assert compare([payment], [given_back]).success_not_charged == [A]


def test_what_was_refunded_is_not_kept() -> None:
    payment = a_payment() | {
        "amounts": {"authorized": 1999, "captured": 1999, "refunded": 500},
        "refunds": orders(300, 200),
    }
    assert compare([payment], [a_charge(refunded=500, refunds=(200, 300))]) == Comparison()
    found = compare([payment], [a_charge(refunded=200, refunds=(200,))])
    assert found == Comparison(success_not_charged=[A], refunds_differ=[A])


def test_a_refund_of_one_amount_in_place_of_two_is_found() -> None:
    payment = a_payment() | {
        "amounts": {"authorized": 1999, "captured": 1999, "refunded": 500},
        "refunds": orders(300, 200),
    }
    assert compare([payment], [a_charge(refunded=500, refunds=(500,))]) == Comparison(refunds_differ=[A])


def test_a_capture_that_its_gateway_does_not_have_is_found() -> None:
    payment = a_payment() | {"captures": orders(1000, 999)}
    assert compare([payment], [a_charge(captures=(999, 1000))]) == Comparison()
    assert compare([payment], [a_charge(captures=(1999,))]) == Comparison(captures_differ=[A])


def test_what_we_say_is_released_and_the_gateway_still_holds_is_found() -> None:
    released = a_payment(state="CANCELLED") | {"amounts": {"authorized": 1999, "captured": 0, "refunded": 0}}
    assert compare([released], [a_charge(captured=0, released=True)]) == Comparison()
    assert compare([released], [a_charge(captured=0)]) == Comparison(voids_differ=[A])


@pytest.mark.parametrize("state", ["FAILURE", "CANCELLED"])
def test_money_that_came_late_under_the_payments_own_id_and_was_given_back_is_right(state: str) -> None:
    nothing = a_payment(state=state) | {"amounts": {"authorized": 0, "captured": 0, "refunded": 0}}
    for late in (
        a_charge(captured=0, released=True),
        a_charge(captures=(1999,), refunded=1999, refunds=(1999,)),
    ):
        assert compare([nothing], [late]) == Comparison()
    assert compare([nothing], [a_charge(captured=0, held=True)]) == Comparison(still_held=[A])
    assert compare([nothing], [a_charge()]) == Comparison(charged_not_success=[A])


def test_a_second_hold_beside_the_charge_that_we_say_is_found() -> None:
    second = a_charge(captured=0, held=True, gateway="sandbox_b")
    assert compare([a_payment()], [a_charge(), second]) == Comparison(still_held=[A])


def test_a_duplicate_that_was_given_back_is_none_of_what_we_say() -> None:
    duplicate = a_charge(refunded=1999, refunds=(1999,), gateway="sandbox_b")
    assert compare([a_payment()], [a_charge(), duplicate]) == Comparison()


def test_an_order_that_has_not_ended_is_unresolved() -> None:
    payment = a_payment() | {"refunds": orders(500, status="pending")}
    assert compare([payment], [a_charge()]) == Comparison(unresolved=[A])


def test_what_each_side_says_is_counted_by_gateway() -> None:
    payment = a_payment() | {"captures": orders(1000, 999)}
    found = compare([payment], [a_charge(captures=(1999,))])
    assert (found.ours["sandbox_a", "captures"], found.theirs["sandbox_a", "captures"]) == (2, 1)
    assert (found.ours["sandbox_a", "charges"], found.theirs["sandbox_a", "charges"]) == (1, 1)


@pytest.mark.parametrize("charges", [[], [a_charge(captured=1998)], [a_charge(currency="EUR")]])
def test_a_success_without_its_whole_charge_is_found(charges: list[Charge]) -> None:
    assert compare([a_payment()], charges) == Comparison(success_not_charged=[A])


def test_a_payment_that_has_not_ended_is_unresolved() -> None:
    assert compare([a_payment(state="PROCESSING")], []) == Comparison(unresolved=[A])


def arrivals(*events: tuple[str, int]) -> Arrivals:
    return Arrivals([event_id(payment_id, seq) for payment_id, seq in events])


def test_events_of_different_payments_may_come_in_any_order() -> None:
    came = arrivals((A, 1), (B, 1), (B, 2), (A, 2))
    assert (came.out_of_order(), came.missing({A: 2, B: 2})) == ({}, {})


def test_an_event_after_a_later_one_of_its_payment_is_out_of_order() -> None:
    assert arrivals((A, 1), (A, 3), (A, 2)).out_of_order() == {A: 1}


def test_an_event_that_comes_again_later_is_a_repetition_and_not_out_of_order() -> None:
    came = arrivals((A, 1), (A, 2), (A, 1))
    assert (came.out_of_order(), came.repeated) == ({}, 1)


def test_events_that_never_came_are_missing() -> None:
    assert arrivals((A, 1), (A, 3)).missing({A: 4, B: 1}) == {A: 2, B: 1}


def findings(**changes: Any) -> Findings:
    (order,) = cast(1, seed=1, first_gateway="sandbox_a")
    fields: dict[str, Any] = {
        "seed": 1,
        "duration_s": 1.0,
        "posted": [Posted(order, A, "job_1", False, 12.0), Posted(order, A, "job_1", True, 3.0)],
        "payments": [a_payment()],
        "comparison": Comparison(),
        "arrivals": arrivals((A, 1), (A, 2)),
    }
    return Findings(**(fields | changes))


def test_nothing_wrong_is_no_problem() -> None:
    assert findings().problems() == {}


def test_each_kind_of_wrong_is_a_problem_with_its_payments() -> None:
    (order,) = cast(1, seed=1, first_gateway="sandbox_a")
    twice = [Posted(order, A, "job_1", False, 12.0), Posted(order, B, "job_2", False, 12.0)]
    assert findings(comparison=Comparison(charged_twice=[A])).problems() == {"charged twice": [A]}
    assert list(findings(posted=twice).problems()) == ["posted again and not replayed"]
    assert findings(arrivals=arrivals((A, 2), (A, 1))).problems() == {"webhooks out of order": [A]}
    assert findings(arrivals=arrivals((A, 1))).problems() == {"webhooks missing": [A]}
    forged = Arrivals([event_id(A, 1), event_id(A, 2)], forged=1)
    assert list(findings(arrivals=forged).problems()) == ["webhooks with a wrong signature"]
    assert list(findings(payments=[a_payment(state="FAILURE")]).problems()) == [
        "ended otherwise than its gateway decided"
    ]


def test_a_card_of_the_vault_has_to_be_charged_by_another_gateway_than_the_one_that_was_down() -> None:
    order = Order(FAILS_OVER, "key", {}, repeated=False)
    posted = [Posted(order, A, "job_1", False, 12.0)]
    found = findings(posted=posted, outage=Outage("stripe", posted))
    assert (found.problems(), found.as_json()["failed_over"]) == ({}, 1)
    down = findings(posted=posted, outage=Outage("sandbox_a", posted))
    assert list(down.problems()) == ["not charged by another gateway than the one that was down"]
    failed = findings(posted=posted, payments=[a_payment(state="FAILURE")], outage=Outage("stripe", posted))
    assert "ended otherwise than its gateway decided" in failed.problems()


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles([float(n) for n in range(1, 101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}


@pytest.mark.parametrize("payments", [40, 200, 2000])
def test_a_cast_has_at_least_two_of_each_role(payments: int) -> None:
    orders = cast(payments, seed=3, first_gateway="sandbox_a")
    counts = Counter(order.role for order in orders)
    assert len(orders) == payments == len({order.key for order in orders})
    assert all(counts[role] >= 2 for role in (PLAIN, *(role.name for role in ROLES)))


@pytest.mark.parametrize("payments", [1, 2, 7])
def test_a_small_cast_is_as_large_as_asked_for(payments: int) -> None:
    assert len(cast(payments, seed=3, first_gateway="sandbox_a")) == payments


def test_the_same_seed_gives_the_same_posts_and_another_one_others() -> None:
    first, same, other = (cast(30, seed=seed, first_gateway="sandbox_a") for seed in (1, 1, 2))
    assert posts(first, 1) == posts(same, 1) != posts(other, 2)


def issuer(name: str, **more: Any) -> Issuer:
    return Issuer(name, frozenset({"card"}), frozenset({"USD", "BHD"}), **more)


def tokens_by_role(orders: Sequence[Order]) -> dict[str, set[tuple[str, ...]]]:
    """Whose tokens payments of each role have."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for order in orders:
        found.setdefault(order.role, set()).add(tuple(order.body["payment_method"]["tokens"]))
    return found


def test_what_goes_differently_is_each_gateways_in_turn_and_plain_cards_are_of_all_or_of_one() -> None:
    issuers = [issuer("sandbox_a"), issuer("stripe")]
    orders = cast(200, seed=1, first_gateway="sandbox_a", issuers=issuers)
    found = tokens_by_role(orders)
    both, each = ("sandbox_a", "stripe"), {("sandbox_a",), ("stripe",)}
    assert found.pop(PLAIN) == {both, *each}
    for role in ROLES:
        assert found.pop(role.name) == ({both} if role.fails_over else each)
    assert found == {}
    assert all(order.body["amount"] % 10 == 0 for order in orders)
    assert {order.body["currency"] for order in orders} == {"USD", "BHD"}


def test_a_gateway_has_its_own_token_for_what_the_sandboxes_do() -> None:
    orders = cast(100, seed=1, first_gateway="stripe", issuers=[issuer("stripe")])
    pending = [order for order in orders if order.role == "refunded while a refund is pending"]
    assert {order.body["payment_method"]["tokens"]["stripe"] for order in pending} == {"tok_pendingRefund"}


def test_who_pays_from_a_wallet_of_the_gateways_own_has_to_act() -> None:
    wallets = Issuer("paypal", frozenset({"card", "wallet"}), frozenset({"USD"}), frozenset({"paypal"}))
    plain = [order for order in cast(200, 1, "paypal", issuers=[wallets]) if order.role == PLAIN]
    paid = {(order.body["payment_method"].get("provider"), order.payer) for order in plain}
    assert paid == {("paypal", "pass"), (None, "")}
    assert all("return_url" in order.body for order in plain if order.payer)


def test_what_a_gateway_can_not_do_is_not_ordered_of_it() -> None:
    often = {role.name for role in ROLES if role.captures_often}
    issuers = [issuer("adyen", captures_often=False), issuer("stripe")]
    found = tokens_by_role(cast(100, seed=1, first_gateway="adyen", issuers=issuers))
    assert all(found[name] == {("stripe",)} for name in often)
    alone = tokens_by_role(cast(100, seed=1, first_gateway="adyen", issuers=issuers[:1]))
    over = {role.name for role in ROLES if role.fails_over and role.ends_as == "SUCCESS"}
    assert alone.keys() == {PLAIN, *(role.name for role in ROLES)} - often - over


def test_whose_gateway_asks_the_payer_itself_is_sent_there_with_what_they_pay_with() -> None:
    asked = issuer("razorpay", captures_often=False, captures_parts=False, releases=False, has_tokens=False)
    orders = cast(200, seed=1, first_gateway="stripe", issuers=[issuer("stripe"), asked])
    there = [order for order in orders if "tokens" not in order.body["payment_method"]]
    assert {order.payer for order in there} == {"pass", "fail"}
    dropped = [order.token for order in there if order.role == "charged, connection dropped"]
    assert set(dropped) == {"tok_drop"}
    assert not {"held and released", "held, captured in part, the rest released"} & {
        order.role for order in there
    }


def test_where_payers_have_nothing_left_to_do_no_payment_waits_for_one() -> None:
    issuers = [issuer("braintree", authenticates=False), issuer("stripe")]
    found = tokens_by_role(cast(200, seed=1, first_gateway="braintree", issuers=issuers))
    assert {found[role.name] == {("stripe",)} for role in ROLES if role.is_for_payers} == {True}


def test_what_is_posted_again_has_the_same_key_and_body() -> None:
    orders = cast(200, seed=1, first_gateway="sandbox_a")
    counts = Counter(order.key for order in posts(orders, 1))
    assert sorted(counts.values()) == [1] * 190 + [2] * 10


def test_a_webhook_whose_sender_died_in_the_midst_of_it_was_not_delivered_and_is_not_forged() -> None:
    with Sink() as sink:
        place = urlsplit(sink.url)
        with socket.create_connection((place.hostname, place.port), timeout=10) as sender:
            sender.sendall(b"POST /webhooks HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf of it")
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(100) == b""
        assert sink.arrivals() == Arrivals()
