"""Analytics, customers' histories and search by facts, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from support.api_client import CHARGED, Api, Merchant, start_api
from support.command_line import Aegis, aegis, install
from support.documented_answers import follows

from aegis_worker.delivery.changes import ChangesFanOut
from aegis_worker.delivery.drain import drain
from aegis_worker.projections.keep import keep

__all__ = ["aegis"]

# What the vault adds to a payment that is made with a card of its own.
WITH_LAST4 = (
    """UPDATE payments SET payment_method = payment_method || '{"last4": "4242"}' WHERE id = %(id)s"""
)
HISTORY = "/v1/customers/{customer_id}/payments"


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant("mer_a")


def taken_in(api: Api) -> None:
    drain(api.database, [ChangesFanOut()], limit=100, lease_s=30)
    keep(api.database)


def analytics(merchant: Merchant, query: str = "") -> Any:
    answer = merchant.get(f"/v1/analytics/payments{query}")
    assert answer.status_code == 200, answer.text
    follows(merchant.get("/openapi.json").json, "/v1/analytics/payments", "get", answer)
    return answer.json


def test_payments_are_summed_as_they_stand_now_and_of_this_merchant_alone(api: Api, shop: Merchant) -> None:
    shop.accepted()
    api.settle(*CHARGED)
    shop.accepted()
    api.merchant("mer_b").accepted()
    taken_in(api)
    told = analytics(shop, "?group_by=gateway,method&interval=hour")
    assert told["complete"] is True
    assert [(row["gateway"], row["payments"], row["captured"]) for row in told["data"]] == [
        (None, 1, 0),
        ("sandbox_a", 1, 1999),
    ]
    (whole,) = analytics(shop)["data"]
    assert (whole["payments"], whole["charged"], whole["open"], whole["success_rate"]) == (2, 1, 1, 1.0)
    assert analytics(shop, "?state=FAILURE")["data"] == []
    twice = analytics(shop, "?group_by=state,state&interval=day")["data"]
    assert [(row["state"], row["payments"]) for row in twice] == [("OPEN", 1), ("SUCCESS", 1)]


def test_operators_see_what_all_merchants_payments_came_to(api: Api, shop: Merchant) -> None:
    shop.accepted()
    api.settle(*CHARGED)
    api.merchant("mer_b", mode="live").accepted(currency="EUR")
    taken_in(api)
    operator = api.operator()

    def told(query: str = "") -> list[dict[str, Any]]:
        answer = operator.get(f"/v1/ops/analytics/payments{query}")
        assert answer.status_code == 200, answer.text
        follows(operator.get("/openapi.json").json, "/v1/ops/analytics/payments", "get", answer)
        return list(answer.json["data"])

    rows = told("?group_by=merchant_id,mode,state")
    assert [
        (row["merchant_id"], row["mode"], row["state"], row["currency"], row["captured"]) for row in rows
    ] == [
        ("mer_a", "test", "SUCCESS", "USD", 1999),
        ("mer_b", "live", "OPEN", "EUR", 0),
    ]
    assert [row["payments"] for row in told("?merchant_id=mer_a")] == [1]
    assert [row["currency"] for row in told("?mode=live")] == ["EUR"]
    assert told("?merchant_id=nobody") == []


def test_merchants_see_no_others_by_it(api: Api, shop: Merchant) -> None:
    assert shop.get("/v1/ops/analytics/payments").status_code == 403
    assert shop.get("/v1/analytics/payments?group_by=merchant_id").status_code == 422
    assert shop.get("/v1/analytics/payments?merchant_id=mer_b").status_code == 422


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?since=2026-01-01T00:00:00Z&until=2025-01-01T00:00:00Z", "since"),
        ("?since=2020-01-01T00:00:00Z", "since"),
        ("?since=9999-12-31T23:30:00Z", "since"),
        ("?until=0001-01-01T00:00:00Z", "until"),
        ("?group_by=payer", "group_by"),
        ("?interval=minute", "interval"),
        ("?currency=usd", "currency"),
        ("?nothing=1", "nothing"),
    ],
)
def test_what_cannot_be_summed_is_refused_with_its_parameter(
    shop: Merchant, query: str, parameter: str
) -> None:
    answer = shop.get(f"/v1/analytics/payments{query}")
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json["errors"]] == [parameter]


def test_a_customer_has_a_history_in_pages_and_its_sums(api: Api, shop: Merchant) -> None:
    made = [shop.accepted(customer={"id": "cus 1"})["id"] for _ in range(3)]
    api.merchant("mer_b").accepted(customer={"id": "cus 1"})
    taken_in(api)
    first = shop.get("/v1/customers/cus%201/payments?limit=2")
    follows(shop.get("/openapi.json").json, HISTORY, "get", first)
    assert [payment["id"] for payment in first.json["data"]] == made[:0:-1]
    assert [(each["currency"], each["payments"]) for each in first.json["sums"]] == [("USD", 3)]
    second = shop.get(f"/v1/customers/cus%201/payments?starting_after={first.json['next_cursor']}").json
    assert [payment["id"] for payment in second["data"]] == made[:1]
    nobody = shop.get("/v1/customers/nobody/payments").json
    assert (nobody["data"], nobody["sums"]) == ([], [])
    assert shop.get("/v1/customers/%00/payments").status_code == 422


def test_payments_are_found_by_last_digits_error_and_metadata(
    api: Api, shop: Merchant, aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    mine = shop.accepted(metadata={"cart": "c-81", "items": 2})["id"]
    api.database.run(lambda connection: connection.exec_driver_sql(WITH_LAST4, {"id": mine}))
    shop.accepted(metadata={"cart": "c-82"}, reference="error:77")
    taken_in(api)
    operator = api.operator()
    for asked in ("last4:4242", "metadata.cart:c-81", "metadata.items:2"):
        told = operator.get(f"/v1/ops/payments?q={asked}").json
        assert [payment["id"] for payment in told["data"]] == [mine], asked
    assert operator.get("/v1/ops/payments?q=error:stolen_card").json["data"] == []
    install(monkeypatch, database_url)
    assert mine in aegis("status", "last4:4242").out
    assert "error:77" in aegis("status", "error:77").out, "a reference may look like a fact"
    assert aegis("projections", "check", "--json").json == {"differing": 0, "pending": 0}
    assert aegis("projections", "rebuild", "--json").json == {"payments": 2}
    assert "rebuilt (UTC)" in aegis("projections", "status").out
