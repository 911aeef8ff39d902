"""Erasing a customer over HTTP: for operators, again and again the same, and kept in the audit log."""

from __future__ import annotations

import pytest
from support.api_client import Api, codes, start_api
from support.documented_answers import follows
from support.erasing import NOTHING_ERASED

ERASURE = {"merchant_id": "mer_a", "customer_id": "cus_117", "reason": "asked for it by letter"}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


def test_an_operator_erases_a_customer_and_finds_nothing_the_second_time(api: Api) -> None:
    """The process has no card vault, and says so, because another of the installation may have one."""
    shop, operator = api.merchant(), api.operator("night")
    posted = shop.accepted(customer={"id": "cus_117", "name": "Asha Rao"}, payer={"ip": "203.0.113.7"})
    erased = operator.post("/v1/ops/erasures", json=ERASURE)
    follows(operator.get("/openapi.json").json, "/v1/ops/erasures", "post", erased)
    counts = NOTHING_ERASED | {"cards": None, "payments": 1, "payer_details": 1}
    assert erased.json == {"object": "erasure", **counts, "complete": True}
    shown = shop.get(posted["links"]["self"]).json
    assert (shown["customer"], shown["payment_method"]) == (
        {"erased": True, "id": "cus_117"},
        {"type": "card"},
    )
    again = operator.post("/v1/ops/erasures", json=ERASURE)
    assert again.json == {"object": "erasure", **NOTHING_ERASED, "cards": None, "complete": True}
    log = operator.get("/v1/ops/audit-log").json["data"]
    entries = [entry for entry in log if entry["action"].startswith("customer.")]
    assert [entry["action"] for entry in entries] == ["customer.erased", "customer.erasing"] * 2
    assert {entry["details"]["reason"] for entry in entries} == {"asked for it by letter"}
    assert all(entry["actor"] == entries[0]["actor"] for entry in entries)


def test_a_merchants_key_erases_nobody(api: Api) -> None:
    refused = api.merchant().post("/v1/ops/erasures", json=ERASURE)
    assert (refused.status_code, refused.json["code"]) == (403, "insufficient_scope")


def test_a_reason_has_to_be_given(api: Api) -> None:
    refused = api.operator().post("/v1/ops/erasures", json={**ERASURE, "reason": None})
    assert (refused.status_code, codes(refused)) == (422, [("/reason", "invalid_type")])
