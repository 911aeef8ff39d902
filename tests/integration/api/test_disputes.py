"""Disputes over HTTP: what a merchant sees of one, and what it means for refunds."""

from __future__ import annotations

import pytest
from support.api_client import Api, Merchant, start_api
from support.disputes import shown, told
from support.payments import pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.dispute_statuses import DisputeStatus


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a")


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant(scopes=["refunds:write"])


@pytest.fixture
def payment_id(api: Api, shop: Merchant, gateway: ScriptedGateway) -> str:
    accepted = shop.accepted()
    run_until_quiet(pipeline(api.database, gateway))
    return str(accepted["id"])


def test_a_dispute_is_shown_by_itself_with_its_payment_and_in_lists(
    api: Api, shop: Merchant, payment_id: str
) -> None:
    told(api, shown(minor=500))
    (dispute,) = shop.get("/v1/disputes").json["data"]
    assert dispute == shop.get(dispute["links"]["self"]).json
    assert [dispute] == shop.get(f"/v1/payments/{payment_id}/disputes").json["data"]
    expanded = shop.get(f"/v1/payments/{payment_id}?expand=disputes,refunds").json
    assert (expanded["disputes"]["data"], expanded["refunds"]["data"]) == ([dispute], [])
    assert {name: dispute[name] for name in ("object", "payment_id", "amount", "status", "reason")} == {
        "object": "dispute",
        "payment_id": payment_id,
        "amount": 500,
        "status": "needs_response",
        "reason": "fraudulent",
    }
    assert (dispute["respond_by"], dispute["gateway_ref"]) == ("2026-12-04T12:00:00.000Z", "dp_1")
    amounts = expanded["amounts"]
    assert (amounts["disputed"], amounts["charged_back"], amounts["refundable"]) == (500, 0, 1999)
    assert expanded["state"] == "SUCCESS"


def test_a_refund_of_what_is_disputed_has_to_be_forced(api: Api, shop: Merchant, payment_id: str) -> None:
    told(api, shown(minor=500))
    path = f"/v1/payments/{payment_id}/refunds"
    refused = shop.post(path, json={"amount": 100}, headers={"Idempotency-Key": "refund-1"})
    assert (refused.status_code, refused.json["code"], refused.json["disputed"]) == (409, "dispute_open", 500)
    forced = shop.post(path, json={"amount": 100, "force": True}, headers={"Idempotency-Key": "refund-1"})
    assert (forced.status_code, forced.json["forced"]) == (202, True)


def test_the_events_of_a_dispute_are_in_the_payments_history(
    api: Api, shop: Merchant, payment_id: str
) -> None:
    told(api, shown())
    told(api, shown(DisputeStatus.LOST))
    events = shop.get(f"/v1/payments/{payment_id}/events").json["data"]
    assert [event["type"] for event in events][-2:] == ["dispute.opened", "dispute.lost"]
    lost = events[-1]["data"]
    assert lost["before"] == {"status": "needs_response", "amount_minor": 1999, "dispute_currency": "USD"}


def test_a_payment_that_is_not_ours_has_no_disputes_to_list(api: Api, payment_id: str) -> None:
    told(api, shown())
    assert api.merchant("mer_b").get(f"/v1/payments/{payment_id}/disputes").status_code == 404
    assert api.merchant("mer_b").get("/v1/disputes").json["data"] == []


def test_explain_tells_the_dispute(api: Api, shop: Merchant, payment_id: str) -> None:
    told(api, shown())
    text = str(shop.get(f"/v1/payments/{payment_id}/explain").json)
    assert "the payer disputes 19.99 USD (1999) at a (fraudulent)" in text
    assert "answered until 2026-12-04T12:00:00.000Z" in text
