"""What merchants are told of a payment that a hook or rule has stopped: that, and nothing of which it was or why."""

from __future__ import annotations

import json

import pytest
from support.api_client import Api, Merchant, start_api
from support.documented_answers import follows
from support.payments import accept_one, pipeline, run_until_quiet
from support.reviews import held_back, screened_as
from support.screening import OurHooks
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.outcomes import Declined
from aegis_worker.domain.screening import Action
from aegis_worker.hooks import BeforeAnswer, ErrorAnswer
from aegis_worker.persistence import outbox_rows
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.stage import Stage

SECRETS = ("shop:fraud", "on our list", "score")
# What a hook says around a call, and what it is called.
WORDS, ITS_NAME = "a ring from Lagos: see case 4711", "our_shop:"
SOFT = Declined("issuer_unavailable", "91", "no answer from the bank")


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, ScriptedGateway("a"))


@pytest.fixture
def merchant(api: Api) -> Merchant:
    return api.merchant("m_1")


def all_that_it_sees(merchant: Merchant, payment_id: str) -> str:
    """What each route tells its merchant, as text."""
    told = []
    now = merchant.get(f"/v1/payments/{payment_id}").json["updated_at"]
    for path in (
        "",
        "/events",
        "/attempts",
        "/explain",
        "?expand=events,attempts",
        f"/events?as_of={now}",
    ):
        answer = merchant.get(f"/v1/payments/{payment_id}{path}")
        assert answer.status_code == 200, (path, answer.text)
        told.append(answer.json)
    told.append(merchant.get("/v1/jobs", query_string={"payment_id": payment_id}).json)
    told.append(merchant.get("/v1/payments").json)
    return json.dumps(told)


@pytest.mark.parametrize("action", [Action.BLOCK, Action.REVIEW, Action.FLAG, Action.REQUIRE_3DS])
def test_a_merchant_learns_which_action_holds_and_nothing_of_the_rule(
    api: Api, merchant: Merchant, action: Action
) -> None:
    payment_id = screened_as(api.database, action)
    run_until_quiet(pipeline(api.database, ScriptedGateway("a")))
    seen = all_that_it_sees(merchant, payment_id)
    assert [secret for secret in SECRETS if secret in seen] == []
    shown = merchant.get(f"/v1/payments/{payment_id}")
    follows(merchant.get("/openapi.json").json, "/v1/payments/{payment_id}", "get", shown)
    assert shown.json["screening"] == {"action": action.value, "approved": False}


def test_an_operator_sees_which_hook_it_was_and_why(api: Api) -> None:
    payment_id = screened_as(api.database, Action.BLOCK)
    run_until_quiet(pipeline(api.database, ScriptedGateway("a")))
    told = api.operator().get(f"/v1/ops/payments/{payment_id}/explain")
    assert [secret for secret in SECRETS if secret not in told.text] == []


def test_what_was_blocked_says_so_with_what_to_do(api: Api, merchant: Merchant) -> None:
    payment_id = screened_as(api.database, Action.BLOCK)
    run_until_quiet(pipeline(api.database, ScriptedGateway("a")))
    shown = merchant.get(f"/v1/payments/{payment_id}").json
    assert shown["state"] == "FAILURE"
    error = {name: shown["last_error"][name] for name in ("code", "category", "advised_action", "gateway")}
    assert error == {
        "code": "blocked",
        "category": "fraud",
        "advised_action": "do_not_retry",
        "gateway": None,
    }
    found = merchant.get("/v1/payments", query_string={"error_code": "blocked"}).json["data"]
    assert [payment["id"] for payment in found] == [payment_id]


def test_a_merchant_finds_the_jobs_that_wait_for_a_person_by_what_for(api: Api, merchant: Merchant) -> None:
    payment_id = held_back(api.database)
    listed = merchant.get("/v1/jobs", query_string={"review_kind": "fraud"})
    follows(merchant.get("/openapi.json").json, "/v1/jobs", "get", listed)
    (job,) = listed.json["data"]
    assert (job["payment_id"], job["status"], job["review_kind"]) == (payment_id, "review", "fraud")
    assert merchant.get("/v1/jobs", query_string={"review_kind": "doubt"}).json["data"] == []


def test_a_merchant_cancels_what_is_held_back_and_is_told_of_its_sync_that_nothing_was_sent(
    api: Api, merchant: Merchant
) -> None:
    payment_id = held_back(api.database)
    synced = merchant.post(f"/v1/payments/{payment_id}/sync")
    assert (synced.status_code, synced.json["job"]["status"]) == (202, "review")
    cancelled = merchant.post(
        f"/v1/payments/{payment_id}/cancel", json={}, headers={"Idempotency-Key": "cancel-1"}
    )
    assert cancelled.status_code in (200, 202)
    assert merchant.get(f"/v1/payments/{payment_id}").json["state"] == "CANCELLED"


@pytest.mark.parametrize(
    ("asks", "sees"),
    [
        (OurHooks(before_operation=lambda context: BeforeAnswer("delay", 60, WORDS)), "a hook asked for it"),
        (OurHooks(before_operation=lambda context: BeforeAnswer("review", reason=WORDS)), "held back"),
        (OurHooks(on_error=lambda context: ErrorAnswer("review", reason=WORDS)), "a hook asked for it"),
        (OurHooks(on_error=lambda context: ErrorAnswer("retry", 60, reason=WORDS)), "a hook asked for it"),
        (OurHooks(on_error=lambda context: ErrorAnswer("retry", reason=WORDS)), "a hook asked for it"),
    ],
)
def test_a_merchant_learns_that_a_hook_asked_for_something_and_an_operator_learns_why(
    api: Api, merchant: Merchant, asks: OurHooks, sees: str
) -> None:
    payment_id = accept_one(api.database).payment.id
    gateway = ScriptedGateway("a", answering(SOFT))
    run(pipeline(api.database, gateway, stage=Stage(asks)), "payments")
    seen = all_that_it_sees(merchant, payment_id)
    assert sees in seen
    assert WORDS not in seen
    assert ITS_NAME not in seen
    told = api.operator().get(f"/v1/ops/payments/{payment_id}/explain").text
    assert WORDS in told
    assert ITS_NAME in told


def test_no_webhook_and_no_stream_carries_what_a_hook_said(api: Api) -> None:
    payment_id = accept_one(api.database).payment.id
    asks = OurHooks(on_error=lambda context: ErrorAnswer("review", reason=WORDS))
    run(pipeline(api.database, ScriptedGateway("a", answering(SOFT)), stage=Stage(asks)), "payments")
    claimed = api.database.run(lambda tx: outbox_rows.claim(tx, limit=10, lease_s=60)).events
    carried = b"".join(one.event.payload() for one in claimed).decode()
    assert "payment.review_required" in carried
    assert payment_id in carried
    assert WORDS not in carried
    assert ITS_NAME not in carried
