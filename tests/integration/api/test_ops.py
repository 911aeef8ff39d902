"""Operating over HTTP and from a shell: what waits for a person is shown and decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.api_client import Api, Merchant, start_api
from support.command_line import Aegis, aegis, install
from support.documented_answers import follows
from support.payments import job_of, payment_of, pipeline
from support.reviews import held_back
from support.scripted_gateway import ScriptedGateway

from aegis_api.app import create_app
from aegis_worker.domain.outcomes import Approved, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.errors import ConfigurationError
from aegis_worker.ids import event_id
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from aegis_worker.terminal.installation import cli_actor
from aegis_worker.wiring.web import build_web

__all__ = ["aegis"]

HASTY = Policy(max_attempts=3, verify_ladder_s=(0.001,), poison_cap=5)
REASON = {"reason": "settlement report of 20 November"}
# What no gateway confirms, and a person wants at once.
INSISTS: dict[str, Any] = {"evidence": "case 0815", "force": True}


@pytest.fixture
def gateway() -> ScriptedGateway:
    """Its answers never come, and it can't be asked."""
    gateway = ScriptedGateway("a", lambda request: Unknown("read timeout"))
    gateway.look_up = lambda query: Unknown("status is down")
    return gateway


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


def in_review(api: Api, gateway: ScriptedGateway) -> str:
    payment_id = str(api.merchant("mer_a").accepted()["id"])
    parts = pipeline(api.database, gateway, policy=HASTY)
    run(parts, "payments")
    api.database.run(lambda tx: tx.exec_driver_sql("UPDATE jobs SET run_at = now() WHERE status = 'waiting'"))
    run(parts, "verify")
    return payment_id


def decide(operator: Merchant, payment_id: str, resolution: str, **more: Any) -> Any:
    headers = more.pop("headers", {})
    body = {"resolution": resolution, **REASON, **more}
    return operator.post(f"/v1/ops/payments/{payment_id}/resolve", json=body, headers=headers)


def test_an_operator_sees_what_waits_and_decides(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api, gateway), api.operator("night")
    document = operator.get("/openapi.json").json
    listed = operator.get("/v1/ops/reviews")
    follows(document, "/v1/ops/reviews", "get", listed)
    (review,) = listed.json["data"]
    assert (review["payment_id"], review["merchant_id"]) == (payment_id, "mer_a")
    assert review["resolutions"] == ["charged", "not_charged", "ask_again"]
    assert review["last_said"]["outcome"]["reason"] == "status is down"
    assert review["decision"] is None
    seen = {"If-Match": f'"{review["payment"]["version"]}"'}
    stands = decide(operator, payment_id, "not_charged", evidence="case 0815", headers=seen)
    follows(document, "/v1/ops/payments/{payment_id}/resolve", "post", stands)
    assert (stands.json["state_changed"], stands.json["took_effect"]) == (False, None)
    assert stands.json["decision"]["status"] == "waiting"
    listed = operator.get("/v1/ops/reviews")
    follows(document, "/v1/ops/reviews", "get", listed)
    assert listed.json["data"][0]["decision"] == stands.json["decision"]
    decided = decide(operator, payment_id, "not_charged", **INSISTS, headers=seen)
    assert decided.status_code == 200, decided.text
    follows(document, "/v1/ops/payments/{payment_id}/resolve", "post", decided)
    assert (decided.json["state"], decided.json["checked"]) == ("FAILURE", "unanswered")
    assert decided.headers["ETag"] == f'"{decided.json["version"]}"'
    assert api.told.queues[-1] == "outbox"
    assert operator.get("/v1/ops/reviews").json["data"] == []
    log = operator.get("/v1/ops/audit-log")
    follows(document, "/v1/ops/audit-log", "get", log)
    assert log.json["data"][0]["actor"].endswith("(night)")


def test_an_operator_approves_or_rejects_what_was_held_back(api: Api) -> None:
    approved, rejected = (held_back(api.database, key=key) for key in ("key-1", "key-2"))
    operator = api.operator("night")
    document = operator.get("/openapi.json").json
    listed = operator.get("/v1/ops/reviews", query_string={"kind": "fraud"})
    follows(document, "/v1/ops/reviews", "get", listed)
    assert [review["kind"] for review in listed.json["data"]] == ["fraud", "fraud"]
    assert listed.json["data"][0]["screening"]["findings"][0]["reason"] == "on our list"
    assert operator.get("/v1/ops/reviews", query_string={"kind": "doubt"}).json["data"] == []
    assert operator.get("/v1/ops/reviews", query_string={"kind": "other"}).status_code == 422
    wrong = decide(operator, approved, "charged")
    assert (wrong.status_code, wrong.json["allowed"]) == (409, ["approve", "reject"])
    stale = decide(operator, approved, "approve", headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "version_conflict")
    for payment_id, kind, state in [(approved, "approve", "INITIATED"), (rejected, "reject", "FAILURE")]:
        decided = decide(operator, payment_id, kind)
        follows(document, "/v1/ops/payments/{payment_id}/resolve", "post", decided)
        assert (decided.json["state"], decided.json["took_effect"]) == (state, None)
    assert "payments" in api.told.queues
    again = decide(operator, approved, "approve")
    assert (again.status_code, again.json["code"], again.json["allowed"]) == (409, "invalid_state", [])


def test_every_refusal_of_a_decision_is_as_described(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api, gateway), api.operator()
    document = operator.get("/openapi.json").json
    gateway.look_up = lambda query: Approved("ch_1")
    contradicted = decide(operator, payment_id, "not_charged")
    gateway.look_up = lambda query: Unknown("status is down")
    for code, status, answer in [
        ("resolution_contradicted", 409, contradicted),
        ("resolution_refused", 422, decide(operator, payment_id, "charged")),
        ("resolution_refused", 422, decide(operator, payment_id, "not_charged")),
        ("resolution_refused", 422, decide(operator, payment_id, "not_charged", force=True)),
        ("validation_failed", 422, decide(operator, payment_id, "not_charged", evidence="x")),
        ("validation_failed", 422, decide(operator, payment_id, "not_charged", force="yes")),
        ("invalid_state", 409, decide(operator, payment_id, "withdraw")),
        ("version_conflict", 412, decide(operator, payment_id, "not_charged", headers={"If-Match": '"1"'})),
        ("version_conflict", 412, decide(operator, payment_id, "not_charged", headers={"If-Match": '"x"'})),
        ("invalid_state", 409, decide(operator, payment_id, "rebuild")),
        ("not_found", 404, decide(operator, "pay_" + "0" * 32, "charged")),
        ("validation_failed", 422, decide(operator, payment_id, "shrug")),
        ("validation_failed", 422, decide(operator, payment_id, "charged", reason="no")),
        ("validation_failed", 422, decide(operator, payment_id, "charged", attempt=True)),
        ("sensitive_data_rejected", 422, decide(operator, payment_id, "charged", reason="4111111111111111")),
        ("insufficient_scope", 403, decide(api.merchant(), payment_id, "charged")),
    ]:
        assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
        follows(document, "/v1/ops/payments/{payment_id}/resolve", "post", answer)
    assert contradicted.json["gateways_say"][0]["says"] == "Approved, its reference ch_1"
    refused = decide(operator, payment_id, "rebuild").json
    assert refused["allowed"] == ["charged", "not_charged", "ask_again"]
    assert job_of(api.database, payment_id)["status"] == "review"
    assert decide(operator, payment_id, "not_charged", **INSISTS).status_code == 200
    assert decide(operator, payment_id, "not_charged").json["code"] == "invalid_state"


def test_any_version_is_taken_where_none_is_named(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api, gateway), api.operator()
    assert (
        decide(operator, payment_id, "not_charged", headers={"If-Match": "*"}, **INSISTS).status_code == 200
    )


def test_a_decision_from_the_shell_is_the_same(
    api: Api, gateway: ScriptedGateway, aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    install(monkeypatch, database_url)
    payment_id = in_review(api, gateway)
    listed = aegis("reviews")
    assert payment_id in listed.out
    assert "status is down" in listed.out
    assert aegis("reviews", "--json").json["data"][0]["payment_id"] == payment_id
    assert aegis("resolve", payment_id, "--reason", "because").exit_code == 2
    refused = aegis("resolve", payment_id, "--rebuild", "--reason", "because")
    assert refused.exit_code == 3
    assert "froze" in refused.err
    charged = ["resolve", payment_id, "--charged", "--reason", "in the report", "--gateway-ref", "ch_9"]
    assert aegis(*charged).exit_code == 3
    charged += ["--evidence", "the report's line 7"]
    stands = aegis(*charged)
    assert stands.exit_code == 0
    assert "--withdraw takes it back" in stands.out
    for shows in (["reviews"], ["status", payment_id], ["explain", payment_id]):
        assert "charged" in aegis(*shows).out
        assert cli_actor() in aegis(*shows).out
    ran = aegis(*charged, "--force", "--json")
    assert (ran.exit_code, ran.json["state"], ran.json["checked"]) == (0, "SUCCESS", "unanswered")
    assert payment_of(api.database, payment_id).state is State.SUCCESS
    entry, recorded = aegis("audit-log", "--payment", payment_id, "--json").json
    assert (recorded["action"], entry["details"]["took_effect"]) == ("payment.decided", "forced")
    assert (entry["actor"], entry["details"]["reason"]) == (cli_actor(), "in the report")


def test_what_does_not_move_is_listed_with_why_and_what_to_do(api: Api, gateway: ScriptedGateway) -> None:
    operator, shop = api.operator(), api.merchant("mer_a")
    document = operator.get("/openapi.json").json
    due, leased, doubtful = (shop.accepted()["id"] for _ in range(3))
    past = "now() - interval '2 h'"

    def age(statement: str, **names: Any) -> None:
        api.database.run(lambda tx: tx.exec_driver_sql(statement, names))

    job = "UPDATE jobs SET run_at = now() + interval '1 h' WHERE payment_id <> %(id)s"
    age(job, id=doubtful)
    run(pipeline(api.database, gateway), "payments")
    age("ALTER TABLE payment_events DISABLE TRIGGER USER")
    age(f"UPDATE payment_events SET at = {past} WHERE type = 'PAYMENT_IN_DOUBT'")
    age("ALTER TABLE payment_events ENABLE TRIGGER USER")
    age(f"UPDATE jobs SET run_at = {past} WHERE payment_id = %(id)s", id=due)
    age(
        f"UPDATE jobs SET status = 'running', lease_until = {past}, claimed_by = 'host:7' WHERE payment_id = %(id)s",
        id=leased,
    )
    age(f"UPDATE outbox SET created_at = {past} WHERE payment_id = %(id)s", id=due)
    age(
        "INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id, status, log)"
        " VALUES ('whd_1', %(id)s, 1, 'whe_1', 'mer_a', 'dead', '[{\"error\": \"HTTP 500\"}]')",
        id=due,
    )
    age(
        "INSERT INTO hook_deliveries (hook, point, payment_id, seq, status, tries, last_error)"
        " VALUES ('our_shop:listen', 'listen', %(id)s, 1, 'dead', 10, 'raised OSError')",
        id=leased,
    )
    listed = operator.get("/v1/ops/stuck")
    follows(document, "/v1/ops/stuck", "get", listed)
    found = {(stuck["kind"], stuck["payment_id"]): stuck for stuck in listed.json["data"]}
    assert set(found) == {
        ("job_not_claimed", due),
        ("lease_expired", leased),
        ("in_doubt", doubtful),
        ("outbox_old", due),
        ("delivery_dead", due),
        ("hook_delivery_dead", leased),
    }
    assert "our_shop:listen: raised OSError" in found["hook_delivery_dead", leased]["why"]
    assert found["hook_delivery_dead", leased]["id"] == event_id(leased, 1)
    assert "host:7" in found["lease_expired", leased]["why"]
    assert "HTTP 500" in found["delivery_dead", due]["why"]
    assert found["job_not_claimed", due]["overdue_s"] >= 7200
    patient = operator.get(
        "/v1/ops/stuck?due_after_s=9000&lease_after_s=9000&doubt_after_s=9000&outbox_after_s=9000"
    )
    assert [stuck["kind"] for stuck in patient.json["data"]] == ["delivery_dead", "hook_delivery_dead"]
    bounded = operator.get("/v1/ops/stuck?outbox_after_s=0&limit=1").json
    assert bounded["more"] == ["outbox_old"]
    assert operator.get("/v1/ops/stuck?due_after_s=soon").status_code == 422
    assert shop.get("/v1/ops/stuck").status_code == 403


def test_what_moves_or_waits_for_a_person_is_not_stuck(api: Api, gateway: ScriptedGateway) -> None:
    in_review(api, gateway)
    api.merchant("mer_a").accepted()
    assert api.operator().get("/v1/ops/stuck?doubt_after_s=0").json["data"] == []


def test_an_operator_sees_how_far_behind_delivery_is(api: Api) -> None:
    api.merchant().accepted()
    operator = api.operator()
    shown = operator.get("/v1/ops/outbox")
    follows(operator.get("/openapi.json").json, "/v1/ops/outbox", "get", shown)
    assert (shown.json["stream"]["pending"], shown.json["stream"]["failed"]) == (1, 0)
    assert shown.json["stream"]["oldest_age_s"] > 0
    assert shown.json["webhooks"] == {
        "pending": 0,
        "failed": 0,
        "leased": 0,
        "oldest_age_s": 0.0,
        "dead": 0,
        "cancelled": 0,
    }
    assert api.merchant("mer_b").get("/v1/ops/outbox").status_code == 403


def test_a_web_process_reads_its_gateways_only_when_one_is_asked(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    install(monkeypatch, database_url, AEGIS_CONFIG_DIR=str(tmp_path))
    parts = build_web()
    assert create_app(parts).test_client().get("/healthz").status_code == 200
    with pytest.raises(ConfigurationError, match=r"gateways\.toml"):
        parts.gateways()
    parts.database.dispose()
