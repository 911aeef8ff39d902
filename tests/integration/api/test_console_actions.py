"""What operators do at the console: through the use cases of the API and under their name, or refused in place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.api_client import CHARGED, HELD, Api, start_api
from support.console import signed_in
from support.merchant_server import a_sink, answers
from support.payments import accept_one, job_of, payment_of, pipeline, rows
from support.reviews import doubtful, held_back, in_review
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.changes import Change, JobChange
from aegis_worker.domain.outcomes import Approved
from aegis_worker.domain.screening import Action
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.claims import claim
from aegis_worker.persistence.record import record
from aegis_worker.pipeline.run import run

SAW = "searched by our key from 02:20 to 03:10, nothing there"
FOUND: dict[str, str] = {"where": "dashboard", "evidence": "INC-884", "reason": SAW, "amount": "19.99"}


@pytest.fixture
def gateway() -> ScriptedGateway:
    return doubtful()


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway, ScriptedGateway("b"))


def log_of(api: Api, action: str) -> list[dict[str, Any]]:
    return list(api.operator().get(f"/v1/ops/audit-log?action={action}").json["data"])


def test_asking_shows_what_the_gateway_says_beside_the_decision(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api.database, gateway), signed_in(api)
    page = f"/console/reviews/{payment_id}"
    asked = operator.post(f"{page}/ask", page)
    assert asked.status_code == 200
    assert "Unknown: status is down" in asked.text
    assert job_of(api.database, payment_id)["status"] == "review"
    gateway.look_up = lambda query: Approved("ch_7")
    assert "That is definite" in operator.post(f"/console/payments/{payment_id}/ask", page).text
    assert [entry["actor"] for entry in log_of(api, "payment.asked")] == ["console:ada"] * 2


LATER = """
UPDATE jobs SET run_at = now() + interval '1 hour', updated_at = now() - interval '1 minute', queue = 'verify',
    status = 'waiting' WHERE status = 'waiting'
"""


def in_doubt(api: Api, gateway: ScriptedGateway, count: int) -> list[str]:
    """Payments that are asked about again in an hour."""
    made = [accept_one(api.database, f"key-doubt-{number}").payment.id for number in range(count)]
    run(pipeline(api.database, gateway), "payments")
    api.database.run(lambda tx: tx.exec_driver_sql(LATER))
    assert {payment_of(api.database, each).certainty for each in made} == {"unknown"}
    return made


def due(api: Api) -> set[str]:
    found = rows(api.database, "SELECT payment_id FROM jobs WHERE queue = 'verify' AND run_at <= now()")
    return {row["payment_id"] for row in found}


def test_payments_in_doubt_are_asked_about_together_ticked_or_all(api: Api, gateway: ScriptedGateway) -> None:
    first, second, third = in_doubt(api, gateway, 3)
    operator, page, door = signed_in(api), "/console/payments?certainty=unknown", "/console/doubts/ask"
    assert f'name="ask.{first}"' in operator.get(page).text
    assert operator.post(door, page, do="selected").status_code == 422
    assert operator.post(door, page, do="selected", **{"ask.pay_1": "1"}).status_code == 404
    assert due(api) == set()
    asked = operator.post(door, page, do="selected", **{f"ask.{first}": "1", f"ask.{second}": "1"})
    assert asked.headers["Location"] == f"{page}&done=asked_about"
    assert due(api) == {first, second}
    assert operator.post(door, page, do="all").headers["Location"] == f"{page}&done=asked_about"
    assert due(api) == {first, second, third}
    again = operator.post(door, page, do="all")
    assert again.headers["Location"] == f"{page}&done=asked_already", "a form sent twice climbs no rung"
    told = [(entry["actor"], entry["payment_id"]) for entry in log_of(api, "payment.asked")]
    assert sorted(told) == [("console:ada", each) for each in sorted([first, second, third])]


def test_what_waits_for_a_person_or_is_in_no_doubt_is_not_asked_about(
    api: Api, gateway: ScriptedGateway
) -> None:
    review, charged = in_review(api.database, gateway), api.merchant().accepted()["id"]
    operator, page = signed_in(api), "/console/payments?certainty=unknown"
    assert f"ask.{review}" not in operator.get(page).text
    asked = operator.post(
        "/console/doubts/ask", page, do="selected", **{f"ask.{review}": "1", f"ask.{charged}": "1"}
    )
    assert asked.headers["Location"].endswith("asked_already")
    assert operator.post("/console/doubts/ask", page, do="all").headers["Location"].endswith("asked_already")
    assert (job_of(api.database, review)["status"], log_of(api, "payment.asked")) == ("review", [])


def test_a_viewer_asks_about_none_and_sees_no_boxes(api: Api, gateway: ScriptedGateway) -> None:
    in_doubt(api, gateway, 1)
    viewer, page = signed_in(api, "viewer", "vic"), "/console/payments?certainty=unknown"
    assert "ask-many" not in viewer.get(page).text
    assert viewer.post("/console/doubts/ask", "/console/account", do="all").status_code == 403
    operator = signed_in(api)
    assert operator.client.post("/console/doubts/ask", data={"do": "all"}).status_code == 403, (
        "of another site"
    )
    assert due(api) == set()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"resolution": ""}, "Choose what you found."),
        ({"amount": "19.90"}, "Type the amount to confirm: 19.99."),
        ({"amount": ""}, "Type the amount to confirm: 19.99."),
        ({"reason": "seen"}, "at least 20 characters"),
        ({"version": "1"}, "It changed while you looked"),
        ({"resolution": "approve"}, "does not wait for this decision"),
        ({"resolution": "charged", "evidence": ""}, "evidence"),
    ],
)
def test_a_decision_is_refused_in_place_and_what_was_typed_stays(
    api: Api, gateway: ScriptedGateway, changed: dict[str, str], told: str
) -> None:
    payment_id, operator = in_review(api.database, gateway), signed_in(api)
    page = f"/console/reviews/{payment_id}"
    version = str(payment_of(api.database, payment_id).version)
    typed = {"resolution": "not_charged", "version": version, **FOUND, **changed}
    refused = operator.post(page, page, **typed)
    assert refused.status_code in (409, 412, 422), refused.text
    assert told in refused.text
    assert typed["reason"] in refused.text
    assert job_of(api.database, payment_id)["status"] == "review"
    assert log_of(api, "payment.decided") == []


def test_a_decision_that_a_gateway_contradicts_says_what_it_says(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api.database, gateway), signed_in(api)
    gateway.look_up = lambda query: Approved("ch_7")
    page = f"/console/reviews/{payment_id}"
    refused = operator.post(page, page, resolution="not_charged", **FOUND)
    assert refused.status_code == 409
    assert "a: Approved, its reference ch_7" in refused.text


def test_a_decision_is_recorded_under_the_persons_name(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api.database, gateway), signed_in(api)
    page = f"/console/reviews/{payment_id}"
    recorded = operator.post(page, page, resolution="not_charged", **FOUND)
    assert recorded.headers["Location"] == f"/console/payments/{payment_id}?done=waits"
    shown = operator.get(recorded.headers["Location"]).text
    assert "It takes effect when the gateway confirms it" in shown
    assert "console:ada" in shown
    (entry,) = log_of(api, "payment.decided")
    assert (entry["actor"], entry["details"]["reason"]) == ("console:ada", SAW)
    assert operator.post(page, page, resolution="not_charged", force="yes", **FOUND).status_code == 303
    assert payment_of(api.database, payment_id).state is State.FAILURE
    assert "does not wait for a person" in operator.get(page).text


def test_what_was_held_back_is_approved(api: Api) -> None:
    payment_id, operator = held_back(api.database, Action.REVIEW), signed_in(api)
    page = f"/console/reviews/{payment_id}"
    assert "on our list" in operator.get(page).text
    approved = operator.post(page, page, resolution="approve", reason="the customer has called")
    assert approved.headers["Location"].endswith("?done=approved")
    assert job_of(api.database, payment_id)["status"] != "review"


def test_a_gateway_is_paused_with_a_reason_and_resumed(api: Api) -> None:
    operator = signed_in(api)
    page = "/console/gateways/a/pause"
    assert "New payments go to b" in operator.get(page).text
    assert operator.post(page, page, do="pause", reason="").status_code == 422
    paused = operator.post(page, page, do="pause", reason="their maintenance window")
    assert paused.headers["Location"] == "/console/gateways?done=paused#gw-a"
    assert "“their maintenance window”" in operator.get("/console/gateways").text
    assert operator.post(page, page, do="resume").headers["Location"] == "/console/gateways?done=resumed#gw-a"
    (entry,) = log_of(api, "gateway.paused")
    assert (entry["actor"], entry["details"]["gateway"]) == ("console:ada", "a")
    assert operator.post("/console/gateways/x/pause", page, reason="not there").status_code == 404


def test_routing_is_tried_then_put_in_force_then_taken_back(api: Api) -> None:
    api.merchant().accepted()
    api.settle(*CHARGED)
    operator, page = signed_in(api), "/console/routing"
    draft = 'strategy = "RULE_BASED"\nfallback = ["b", "a"]'
    wrong = operator.post(page, page, do="try", draft='fallback = ["x"]')
    assert (wrong.status_code, "/fallback" in wrong.text, "The draft has mistakes." in wrong.text) == (
        422,
        True,
        True,
    )
    assert "is neither JSON nor TOML" in operator.post(page, page, do="try", draft="fallback = [").text
    tried = operator.post(page, page, do="try", draft=draft)
    assert tried.status_code == 200
    assert "payments would go elsewhere" in tried.text
    assert "<ins>+" in tried.text
    assert operator.post(page, page, do="apply", draft=draft, reason="short").status_code == 422
    applied = operator.post(page, page, do="apply", draft=draft, version="0", reason="b does better lately")
    assert applied.headers["Location"] == "/console/routing?done=applied"
    late = operator.post(page, page, do="apply", draft="{}", version="0", reason="somebody else was first")
    assert (late.status_code, "at the version" in late.text) == (412, True)
    first = json.dumps({"fallback": ["a", "b"]})
    operator.post(page, page, do="apply", draft=first, version="1", reason="back to a before b")
    assert "&#34;b&#34;,\n    &#34;a&#34;" in operator.get(f"{page}?from=1").text
    assert operator.post(page, page, do="file", version="2", reason="the file holds again").status_code == 303
    assert [entry["actor"] for entry in log_of(api, "routing.changed")] == ["console:ada"] * 3
    assert operator.get(f"{page}?from=9").status_code == 404


def test_rules_are_tried_and_applied(api: Api) -> None:
    api.merchant().accepted()
    operator, page = signed_in(api), "/console/rules"
    rule = {
        "id": "large",
        "action": "review",
        "conditions": [{"field": "amount", "operator": "gte", "value": 1000}],
    }
    draft = json.dumps({"rules": [rule]})
    tried = operator.post(page, page, do="try", draft=draft)
    assert (tried.status_code, "rule large" in tried.text) == (200, True), tried.text
    applied = operator.post(
        page, page, do="apply", draft=draft, version="0", reason="large ones are looked at"
    )
    assert applied.status_code == 303
    assert "large" in operator.get(page).text


def test_an_event_is_posted_again_or_it_is_said_why_to_nobody(api: Api) -> None:
    payment_id, operator = api.merchant().accepted()["id"], signed_in(api)
    event = f"evt_{payment_id.removeprefix('pay_')}_1"
    page = f"/console/payments/{payment_id}"
    sent = operator.post(f"/console/events/{event}/redeliver", page)
    assert sent.headers["Location"] == f"{page}?done=nobody"
    assert "Posted to nobody" in operator.get(sent.headers["Location"]).text
    assert [entry["actor"] for entry in log_of(api, "event.redelivered")] == ["console:ada"]
    assert operator.post(f"/console/events/{event[:-1]}9/redeliver", page).status_code == 404


def test_a_test_event_goes_to_the_endpoint_and_its_answer_is_shown(
    database_url: str, gateway: ScriptedGateway
) -> None:
    api = start_api(database_url, gateway, webhook_allow_private=True)
    with a_sink() as shop:
        made = api.merchant().post("/v1/webhook-endpoints", json={"url": shop.url()}).json
        operator, page = signed_in(api), "/console/webhooks"
        tried = operator.post(f"/console/webhooks/{made['id']}/test", page)
        assert "It took the test event" in tried.text
        (received,) = shop.received
        assert received.json["type"] == "test"
        shop.otherwise["/hooks"] = answers(503, b"<b>closed</b>")
        refused = operator.post(f"/console/webhooks/{made['id']}/test", page)
        assert "It did not take the test event" in refused.text
        assert "HTTP 503, “&lt;b&gt;closed&lt;/b&gt;”" in refused.text
    assert [entry["details"]["taken"] for entry in log_of(api, "webhook_endpoint.tested")] == [False, True]


def test_an_admin_makes_a_key_that_is_shown_once_and_revokes_it(api: Api) -> None:
    admin, page = signed_in(api, "admin"), "/console/keys"
    made = admin.post(page, page, role="merchant", merchant="shop", mode="test", label="web-1")
    key = made.text.split('value="aegis_test_')[1].split('"')[0]
    assert len(key) > 30
    assert key not in admin.get(page).text
    assert admin.post(page, page, role="merchant", merchant="not a name").status_code == 422
    key_id = log_of(api, "api_key.created")[0]["details"]["key_id"]
    (mine,) = [entry for entry in log_of(api, "api_key.created") if entry["actor"] == "console:ada"]
    assert mine["details"]["label"] == "web-1"
    assert key_id
    revoke = f"/console/keys/{mine['details']['key_id']}/revoke"
    assert admin.get(revoke).status_code == 200
    assert admin.post(revoke, revoke).headers["Location"] == "/console/keys?done=revoked"
    assert signed_in(api, "operator", "bob").post(page, page, role="operator").status_code == 403


def test_an_operator_refunds_and_captures_for_a_merchant(database_url: str) -> None:
    api = start_api(database_url, ScriptedGateway("sandbox_a"))
    shop, operator = api.merchant(), signed_in(api)
    charged, held = shop.accepted()["id"], shop.accepted(capture_method="manual")["id"]
    settle_each(api, {charged: CHARGED, held: HELD})
    page = f"/console/payments/{charged}/refund"
    assert "19.99" in operator.get(page).text
    for wrong, told in (
        ("", "Type the amount"),
        ("1.999", "no amount of USD"),
        ("30", "may still be refunded"),
    ):
        refused = operator.post(page, page, amount=wrong, reason="the customer sent all of it back")
        assert (refused.status_code, told in refused.text) == (422, True), refused.text
    ordered = operator.post(page, page, amount="5.00", reason="the customer sent one of them back")
    assert ordered.headers["Location"] == f"/console/payments/{charged}?done=ordered"
    assert "5.00" in operator.get("/console/refunds").text
    page = f"/console/payments/{held}/capture"
    taken = operator.post(
        page, page, amount="19.99", final="yes", reason="it was shipped this morning, all of it"
    )
    assert taken.headers["Location"] == f"/console/payments/{held}?done=ordered"
    cancel = f"/console/payments/{held}/cancel"
    assert (
        operator.post(cancel, cancel, amount="1", reason="the merchant has asked for it").status_code == 422
    )


def settle_each(api: Api, facts: dict[str, Any]) -> None:
    """Settle payments that were accepted in this order, each by its own facts."""

    def work(connection: Any) -> None:
        for job in claim(connection, "payments", limit=10, lease_s=60, worker="test"):
            payment, events = job.payment.record(facts[job.payment.id])
            ended = JobChange("succeeded", reason=None, result={"state": payment.state})
            change = Change(job.id, job.lease_epoch, payment, job.payment.version, events, ended)
            record(connection, [change], lease_s=60)

    api.database.run(work)
