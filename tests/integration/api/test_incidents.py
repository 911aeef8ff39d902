"""Incidents over HTTP, for operators; and what a merchant is told of a frozen payment."""

from __future__ import annotations

import pytest
from support.api_client import SUCCEEDED, Api, start_api

from aegis_worker.audit.run import AuditParts, audit_on
from aegis_worker.audit.violations import Bounds


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


def audit(api: Api):
    return audit_on(AuditParts(api.database, {}, Bounds(), batch=100, budget_s=60.0))


def three_incidents(api: Api, break_in) -> list[str]:
    """Payments whose rows were changed by hand, one of them put right since; their ids."""
    merchant = api.merchant()
    ids = [merchant.accepted()["id"] for _ in range(3)]
    break_in("UPDATE payments SET gateway = 'by hand'", "DELETE FROM outbox")
    audit(api)
    break_in(f"UPDATE payments SET gateway = NULL WHERE id = '{ids[0]}'")
    audit(api)
    return ids


def test_incidents_are_listed_with_their_evidence_newest_first(api: Api, break_in) -> None:
    ids, operator = three_incidents(api, break_in), api.operator()
    body = operator.get("/v1/ops/incidents").json
    assert [incident["payment_id"] for incident in body["data"]] == ids[::-1]
    newest = body["data"][0]
    assert (newest["invariant"], newest["summary"]) == ("I4", "row and events differ in gateway")
    assert newest["evidence"] == {"differences": {"gateway": {"row": "by hand", "events": None}}}
    assert (newest["object"], newest["resolved_at"]) == ("incident", None)


def test_filters_and_pages(api: Api, break_in) -> None:
    ids, operator = three_incidents(api, break_in), api.operator()

    def listed(query: str) -> list[str]:
        body = operator.get(f"/v1/ops/incidents?{query}").json
        return [incident["payment_id"] for incident in body["data"]]

    assert listed("open=true") == ids[:0:-1]
    assert listed("open=false") == ids[:1]
    assert listed("invariant=I1") == []
    assert listed(f"invariant=I4&payment_id={ids[1]}") == [ids[1]]
    first = operator.get("/v1/ops/incidents?limit=2").json
    assert (len(first["data"]), first["has_more"]) == (2, True)
    assert listed(f"limit=2&starting_after={first['next_cursor']}") == [ids[0]]


@pytest.mark.parametrize(
    "query", ["invariant=I8", "open=yes", "payment_id=7", "starting_after=7", "state=open"]
)
def test_a_query_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    assert api.operator().get(f"/v1/ops/incidents?{query}").status_code == 422


def test_incidents_are_for_operators(api: Api) -> None:
    assert api.merchant().get("/v1/ops/incidents").status_code == 403


def test_a_frozen_payment_is_not_synchronised_and_the_merchant_is_told(api: Api, break_in) -> None:
    merchant = api.merchant()
    payment_id = merchant.accepted()["id"]
    api.settle(*SUCCEEDED)
    break_in("UPDATE payments SET captured_minor = 5")
    assert audit(api).frozen == [payment_id]
    answer = merchant.post(f"/v1/payments/{payment_id}/sync")
    assert (answer.status_code, answer.json["code"], answer.json["retryable"]) == (
        409,
        "payment_frozen",
        False,
    )
