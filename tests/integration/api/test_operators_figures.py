"""What operators are told over HTTP: is money safe, figures over time, any merchant's payments, what gateways say now."""

from __future__ import annotations

from typing import Any

import pytest
from support.api_client import CHARGED, Api, Merchant, start_api
from support.documented_answers import follows
from support.payments import accept_one, job_of, pipeline
from support.reviews import doubtful, in_review
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Approved, NotFound
from aegis_worker.persistence.api_keys import create_key
from aegis_worker.pipeline.run import run
from aegis_worker.queries.finding import match_payments
from aegis_worker.queries.payments import PaymentFilters


@pytest.fixture
def gateway() -> ScriptedGateway:
    return doubtful()


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


@pytest.fixture
def operator(api: Api) -> Merchant:
    return api.operator()


def told(operator: Merchant, path: str, query: str = "") -> Any:
    """The answer, which the document describes."""
    answer = operator.get(path + query)
    assert answer.status_code == 200, answer.text
    follows(operator.get("/openapi.json").json, path, "get", answer)
    return answer.json


def ids(page: Any) -> list[str]:
    return [row["id"] for row in page["data"]]


def test_where_nothing_happened_nothing_is_wrong_and_the_audit_has_not_run(operator: Merchant) -> None:
    safety = told(operator, "/v1/ops/safety")
    assert (safety["wrong"], safety["worst"], safety["audited_at"]) == ([], None, None)
    assert safety["for_people"] == {"payments": 0, "sums": [], "oldest_age_s": 0.0}
    assert safety["in_doubt"] == {"payments": 0, "sums": []}


def test_what_waits_for_a_person_and_what_is_asked_about_are_counted_apart(
    api: Api, operator: Merchant, gateway: ScriptedGateway
) -> None:
    in_review(api.database, gateway)
    doubted = accept_one(api.database, "key-2").payment.id
    run(pipeline(api.database, gateway), "payments")
    safety = told(operator, "/v1/ops/safety")
    one = [{"currency": "USD", "payments": 1, "minor": 1999}]
    assert (safety["for_people"]["sums"], safety["in_doubt"]["sums"]) == (one, one)
    (doubt,) = told(operator, "/v1/ops/doubts")["data"]
    assert (doubt["payment_id"], doubt["gateway"], doubt["checks"]) == (doubted, "a", 0)
    assert doubt["what"] == "may or may not have happened: read timeout"


def test_what_the_audit_found_comes_first(api: Api, operator: Merchant) -> None:
    payment_id = accept_one(api.database).payment.id
    wrong = "('inc_1', 'I1', %(id)s, 'payments', 'two charges stand', '{}')"
    insert = f"INSERT INTO incidents (id, invariant, payment_id, looked, summary, evidence) VALUES {wrong}"
    api.database.run(lambda tx: tx.exec_driver_sql(insert, {"id": payment_id}))
    safety = told(operator, "/v1/ops/safety")
    assert safety["wrong"] == [{"invariant": "I1", "payments": 1}]
    assert safety["worst"] == {
        "payment_id": payment_id,
        "invariant": "I1",
        "summary": "two charges stand",
    }


def test_payments_and_calls_are_counted_in_their_minute(
    api: Api, operator: Merchant, gateway: ScriptedGateway
) -> None:
    shop = api.merchant()
    for _ in range(2):
        shop.accepted()
    api.settle(*CHARGED)
    shop.accepted()
    accept_one(api.database)
    run(pipeline(api.database, gateway, batch=1), "payments")
    payments = told(operator, "/v1/ops/payments-by-minute", "?minutes=5")
    assert payments["complete"] is True
    assert sum(payments["charged"]) == 2
    assert sum(payments["in_doubt"]) == 2
    assert len(payments["at"]) == len(payments["open"]) >= 5
    (calls,) = told(operator, "/v1/ops/gateways-by-minute")["gateways"]
    assert (calls["gateway"], sum(calls["calls"]), sum(calls["in_doubt"])) == ("a", 2, 2)


def test_one_box_finds_a_payment_by_all_that_names_it(api: Api, operator: Merchant) -> None:
    shop, other = api.merchant("mer_a"), api.merchant("mer_b")
    mine = shop.accepted(reference="order-1042", customer={"id": "cus_1"})
    api.settle(*CHARGED)
    theirs = other.accepted(reference="order-1042")
    insert = "INSERT INTO gateway_references VALUES ('a', 'ch_1', %(id)s)"
    api.database.run(lambda tx: tx.exec_driver_sql(insert, {"id": mine["id"]}))
    event = f"evt_{mine['id'].removeprefix('pay_')}_1"
    for named in (mine["id"], mine["job"]["id"], f"{mine['id']}-p1", event, "cus_1", "ch_1"):
        assert ids(told(operator, "/v1/ops/payments", f"?q={named}")) == [mine["id"]], named
    both = told(operator, "/v1/ops/payments", "?q=order-1042")["data"]
    assert [(row["id"], row["merchant_id"]) for row in both] == [
        (theirs["id"], "mer_b"),
        (mine["id"], "mer_a"),
    ]
    assert both[0]["job"]["status"] == "queued"
    assert told(operator, "/v1/ops/payments", "?q=nobody's")["data"] == []


def test_filters_list_the_payments_of_all_merchants(api: Api, operator: Merchant) -> None:
    first, second = api.merchant("mer_a").accepted(), api.merchant("mer_b").accepted(amount=2500)
    page = told(operator, "/v1/ops/payments", "?limit=1")
    assert (ids(page), page["has_more"]) == ([second["id"]], True)
    older = told(operator, "/v1/ops/payments", f"?limit=1&starting_after={page['next_cursor']}")
    assert (ids(older), older["has_more"]) == ([first["id"]], False)
    assert ids(told(operator, "/v1/ops/payments", "?amount[gte]=2000&state=INITIATED")) == [second["id"]]
    assert ids(told(operator, "/v1/ops/payments", "?certainty=unknown")) == []
    refused = operator.get("/v1/ops/payments?q=order-1&state=SUCCESS")
    assert refused.status_code == 422


def test_a_filter_that_matches_little_looks_at_so_many_payments_and_says_where_to_look_on(api: Api) -> None:
    shop = api.merchant()
    wanted = shop.accepted(currency="EUR")["id"]
    for _ in range(3):
        shop.accepted()
    in_euros = PaymentFilters(currency="EUR")
    with api.database.read() as connection:
        first = match_payments(connection, in_euros, limit=5, most=2)
        assert ([*first.rows], first.looked_at) == ([], 2)
        second = match_payments(connection, in_euros, limit=5, most=2, starting_after=first.next_cursor)
    assert [row.payment.id for row in second.rows] == [wanted]


def test_an_answer_that_says_nothing_leaves_the_review_as_it_is(
    api: Api, operator: Merchant, gateway: ScriptedGateway
) -> None:
    payment_id = in_review(api.database, gateway)
    answer = operator.post(f"/v1/ops/payments/{payment_id}/ask")
    assert answer.status_code == 200, answer.text
    follows(operator.get("/openapi.json").json, "/v1/ops/payments/{payment_id}/ask", "post", answer)
    (said,) = answer.json["gateways_say"]
    assert (said["gateway"], said["says"], said["proves"]) == ("a", "Unknown: status is down", "nothing")
    assert (answer.json["settles"], api.told.queues) == (False, [])
    assert job_of(api.database, payment_id)["status"] == "review"
    (entry,) = told(operator, "/v1/ops/audit-log", f"?payment_id={payment_id}")["data"]
    assert (entry["action"], entry["details"]["settles"]) == ("payment.asked", False)


def test_a_definite_answer_has_a_worker_settle_the_payment(
    api: Api, operator: Merchant, gateway: ScriptedGateway
) -> None:
    payment_id = in_review(api.database, gateway)
    gateway.look_up = lambda query: Approved("ch_7")
    answer = operator.post(f"/v1/ops/payments/{payment_id}/ask")
    (said,) = answer.json["gateways_say"]
    assert (said["says"], said["proves"]) == ("Approved, its reference ch_7", "what_it_says")
    assert (answer.json["settles"], api.told.queues) == (True, ["verify"])
    assert job_of(api.database, payment_id)["status"] == "waiting"


def test_a_charge_that_is_not_shown_yet_proves_nothing_so_early(
    api: Api, operator: Merchant, gateway: ScriptedGateway
) -> None:
    payment_id = in_review(api.database, gateway)
    gateway.look_up = lambda query: NotFound()
    (said,) = operator.post(f"/v1/ops/payments/{payment_id}/ask").json["gateways_say"]
    assert said["proves"] == "too_early"


def test_nobody_can_be_asked_about_what_was_never_sent(api: Api, operator: Merchant) -> None:
    payment_id = accept_one(api.database).payment.id
    answer = operator.post(f"/v1/ops/payments/{payment_id}/ask")
    assert (answer.status_code, answer.json["code"]) == (409, "invalid_state")


def test_a_merchants_key_is_told_nothing_of_it(api: Api) -> None:
    create_key(api.database, "mer_a", "test")
    for path in ("safety", "doubts", "payments", "payments-by-minute", "gateways-by-minute"):
        assert api.merchant().get(f"/v1/ops/{path}").status_code == 403
