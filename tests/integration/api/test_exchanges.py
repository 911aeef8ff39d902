"""What went out to gateways and came back, over HTTP: for operators, and for nobody else."""

from __future__ import annotations

import pytest
from support.api_client import Api, start_api
from support.console import signed_in
from support.documented_answers import follows
from support.exchanges import keep_exchange, keep_what_was_asked
from support.payments import pipeline
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.exchanges import CallKind
from aegis_worker.domain.outcomes import Unknown
from aegis_worker.pipeline.run import run

EXPANDED = "/v1/payments/{}/attempts?expand=exchange"


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, ScriptedGateway("a"))


@pytest.fixture
def payment_id(api: Api) -> str:
    """Charged at its second try to be told: the first answer was lost."""
    payment_id = str(api.merchant("mer_a").accepted()["id"])
    run(pipeline(api.database, ScriptedGateway("a")), "payments")
    keep_exchange(api.database, payment_id, Unknown("read timeout"), id_=2, ago_s=20)
    keep_exchange(api.database, payment_id, kind=CallKind.LOOK_UP, id_=1, ago_s=10)
    return payment_id


def test_an_operator_gets_them_with_the_attempts_in_order_and_without_secrets(
    api: Api, payment_id: str
) -> None:
    operator = api.operator("night")
    answer = operator.get(EXPANDED.format(payment_id))
    document = operator.get("/openapi.json").json
    follows(document, "/v1/payments/{payment_id}/attempts", "get", answer)
    (attempt,) = answer.json["data"]
    first, second = attempt["exchanges"]
    assert (first["kind"], first["answer"], first["no_answer"]["reason"]) == ("send", None, "read timeout")
    assert (second["kind"], second["answer"]["body"]["status"]) == ("look_up", "succeeded")
    assert second["request"]["body"]["payment_method"] == {"type": "card", "token": "[hidden]"}
    assert second["took_ms"] == 12.3
    assert first["at"] < second["at"]
    assert "s3cret" not in answer.text


def test_the_console_shows_what_no_job_asked_in_its_place(api: Api, payment_id: str) -> None:
    keep_what_was_asked(api.database, payment_id, "comparison")
    keep_what_was_asked(api.database, payment_id, "dispute", operation="dispute", number=0)
    shown = signed_in(api, role="viewer").get(f"/console/payments/{payment_id}").text
    assert shown.count("A comparison asked, and found a difference") == 1
    assert shown.count("The gateway was asked about a dispute") == 1
    assert "s3cret" not in shown


def test_a_merchants_key_is_told_precisely_what_it_lacks(api: Api, payment_id: str) -> None:
    shop = api.merchant("mer_a")
    refused = shop.get(EXPANDED.format(payment_id))
    assert (refused.status_code, refused.json["code"]) == (403, "insufficient_scope")
    assert refused.json["detail"].startswith("expand=exchange needs an operator's key")
    (attempt,) = shop.get(f"/v1/payments/{payment_id}/attempts").json["data"]
    assert "exchanges" not in attempt


def test_operators_list_the_attempts_of_any_payment_and_merchants_those_of_their_own(
    api: Api, payment_id: str
) -> None:
    path = f"/v1/payments/{payment_id}/attempts"
    assert len(api.operator("night").get(path).json["data"]) == 1
    assert api.merchant("mer_b").get(path).status_code == 404
    assert api.operator("night").get(EXPANDED.format(f"pay_{'0' * 32}")).status_code == 404


def test_another_expansion_is_refused(api: Api, payment_id: str) -> None:
    answer = api.operator("night").get(f"/v1/payments/{payment_id}/attempts?expand=secrets")
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")


def test_the_explanation_for_operators_has_them_and_that_for_merchants_has_not(
    api: Api, payment_id: str
) -> None:
    operator = api.operator("night")
    told = operator.get(f"/v1/ops/payments/{payment_id}/explain")
    document = operator.get("/openapi.json").json
    follows(document, "/v1/ops/payments/{payment_id}/explain", "get", told)
    assert [one["kind"] for one in told.json["exchanges"]] == ["send", "look_up"]
    assert "exchanges" not in api.merchant("mer_a").get(f"/v1/payments/{payment_id}/explain").json
