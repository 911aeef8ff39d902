"""Lists of captures, cancels, refunds and disputes over all payments: pages, filters, and nobody else's."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from support.api_client import Api, Merchant, start_api

from aegis_worker.ids import first_id_at

_NUMBERS = itertools.count(1)
ORDERED = {"captures": "cap", "voids": "voi", "refunds": "ref"}
ALL = {**ORDERED, "disputes": "dsp"}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def add(api: Api, table: str, count: int = 1, **fields: Any) -> list[str]:
    """Rows of the table, oldest first; their ids."""
    ids = []
    for number in itertools.islice(_NUMBERS, count):
        row: dict[str, Any] = {
            "id": f"{ALL[table]}_{number:012x}{uuid.uuid4().hex[12:]}",
            "payment_id": f"pay_{number:032x}",
            "merchant_id": "mer_a",
            "mode": "test",
            "amount_minor": 100,
            "currency": "USD",
            "gateway": "sandbox_a",
        }
        if table == "disputes":
            row |= {
                "gateway_ref": f"dp_{number}",
                "charge_ref": "ch_1",
                "own_charge": True,
                "status": "won",
                "gateway_status": "won",
                "reason": "general",
                "asked_at": "2026-11-27",
            }
        else:
            row |= {"number": 1, "status": "succeeded", "key": "k", "request_hmac": b""}
        if table == "captures":
            row["final"] = True
        row |= fields
        columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        statement = f"INSERT INTO {table} ({columns}) VALUES ({values})"
        api.database.run(lambda tx, sql=statement, row=row: tx.exec_driver_sql(sql, row))  # type: ignore[misc]
        ids.append(str(row["id"]))
    return ids


def listed(shop: Merchant, table: str, query: str = "") -> list[str]:
    answer = shop.get(f"/v1/{table}{query}")
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json["data"]]


@pytest.mark.parametrize("table", ALL)
def test_pages_follow_one_another_newest_first(api: Api, shop: Merchant, table: str) -> None:
    ids = add(api, table, 5)
    seen: list[str] = []
    after = ""
    while True:
        page = shop.get(f"/v1/{table}?limit=2{after}").json
        seen += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        after = f"&starting_after={page['next_cursor']}"
    assert seen == ids[::-1]


@pytest.mark.parametrize("table", ALL)
def test_a_list_and_each_of_its_rows_are_their_merchants_of_one_mode(
    api: Api, shop: Merchant, table: str
) -> None:
    (ours,) = add(api, table)
    (of_live,) = add(api, table, mode="live")
    (of_another,) = add(api, table, merchant_id="mer_b")
    assert listed(shop, table) == [ours]
    assert listed(api.merchant(mode="live"), table) == [of_live]
    assert listed(api.merchant("mer_b"), table) == [of_another]
    assert shop.get(f"/v1/{table}/{ours}").status_code == 200
    for strange in (of_live, of_another):
        assert shop.get(f"/v1/{table}/{strange}").status_code == 404


@pytest.mark.parametrize("table", ALL)
def test_filters_hold_together(api: Api, shop: Merchant, table: str) -> None:
    other = "lost" if table == "disputes" else "failed"
    usual = "won" if table == "disputes" else "succeeded"
    add(api, table)
    (there,) = add(api, table, status=other, gateway="stripe")
    add(api, table, status=other)
    assert listed(shop, table, f"?status={other}&gateway=stripe") == [there]
    assert len(listed(shop, table, f"?status={other}")) == 2
    assert len(listed(shop, table, f"?status={usual}")) == 1
    assert listed(shop, table, "?gateway=nobody") == []


@pytest.mark.parametrize("table", ALL)
def test_bounds_of_time_hold(api: Api, shop: Merchant, table: str) -> None:
    made = {
        "id": first_id_at(ALL[table], datetime(2025, 10, 20, tzinfo=UTC)),
        "created_at": "2025-10-20T00:00:00Z",
    }
    (there,) = add(api, table, 1, **made)
    assert listed(shop, table, "?created[gte]=2025-10-20T00:00:00Z") == [there]
    assert listed(shop, table, "?created[lt]=2025-10-20T00:00:00Z") == []
    assert listed(shop, table, "?created[lt]=2025-10-20T00:00:01Z&created[gte]=2025-10-19T00:00:00Z") == [
        there
    ]


@pytest.mark.parametrize("table", ALL)
def test_what_is_no_filter_or_no_status_is_refused(shop: Merchant, table: str) -> None:
    for query in ("?statuses=won", "?status=lots", "?limit=101", "?starting_after=pay_1", "?created[gt]=now"):
        assert shop.get(f"/v1/{table}{query}").status_code == 422, query
