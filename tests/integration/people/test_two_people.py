"""Two people: what is above the limit waits for a second one, is carried out once, and exactly as it was asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from support.api_client import CHARGED, HELD, Api, Merchant, Reply, start_api
from support.console import Browser, signed_in
from support.documented_answers import follows
from support.payments import pipeline, rows
from support.scripted_gateway import ScriptedGateway

from aegis_worker.console_settings import ConsoleSettings
from aegis_worker.domain.outcomes import Approved, Unknown
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.people import approving
from aegis_worker.people.parts import TwoPersonParts
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from aegis_worker.wiring.review import review_parts, two_person_parts

BreakIn = Callable[..., None]
WHY = "the goods never arrived, ticket 4711"
YES = "I have seen the ticket and the parcel's trace"
ABOVE = ConsoleSettings("", (), {"USD": 500})
HASTY = Policy(max_attempts=3, verify_ladder_s=(0.001,), poison_cap=5)


@pytest.fixture
def gateway() -> ScriptedGateway:
    gateway = ScriptedGateway("sandbox_a", lambda request: Unknown("read timeout"))
    gateway.look_up = lambda query: Unknown("status is down")
    return gateway


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway, console=ABOVE)


@pytest.fixture
def paid(api: Api) -> str:
    """A payment of 19.99 USD that was charged."""
    payment = api.merchant(scopes=["refunds:write"]).accepted()
    api.settle(*CHARGED)
    return str(payment["id"])


def parts_of(api: Api) -> TwoPersonParts:
    review = review_parts(api.settings, api.database, lambda: api.gateways, api.told.notify)
    return two_person_parts(api.settings, review)


def refund(operator: Merchant, payment_id: str, key: str = "refund-1", **fields: Any) -> Reply:
    headers = fields.pop("headers", {}) | {"Idempotency-Key": key}
    body = {"reason": WHY, **fields}
    return operator.post(f"/v1/ops/payments/{payment_id}/refunds", json=body, headers=headers)


def asked(operator: Merchant, payment_id: str, **fields: Any) -> dict[str, Any]:
    answer = refund(operator, payment_id, **fields)
    assert answer.status_code == 202, answer.text
    approval: dict[str, Any] = answer.json["approval"]
    return approval


def approve(operator: Merchant, approval: dict[str, Any], **fields: Any) -> Reply:
    body = {"request_sha256": approval["request_sha256"], "reason": YES, **fields}
    return operator.post(f"/v1/ops/approvals/{approval['id']}/approve", json=body)


def refunds(api: Api) -> list[Any]:
    return rows(api.database, "SELECT amount_minor FROM refunds ORDER BY id")


def audited(api: Api, *actions: str) -> list[tuple[str, str]]:
    entries = rows(api.database, "SELECT action, actor FROM audit_log ORDER BY seq")
    return [(one["action"], one["actor"]) for one in entries if one["action"] in actions]


def test_a_refund_above_the_limit_is_made_once_a_second_person_has_approved_it(api: Api, paid: str) -> None:
    night, day = api.operator("night"), api.operator("day")
    document = day.get("/openapi.json").json
    answer = refund(night, paid, amount=900)
    follows(document, "/v1/ops/payments/{payment_id}/refunds", "post", answer)
    approval = answer.json["approval"]
    assert (answer.json["refund"], approval["status"], approval["amount"]) == (None, "asked", 900)
    assert refunds(api) == []
    listed = day.get("/v1/ops/approvals?status=asked")
    follows(document, "/v1/ops/approvals", "get", listed)
    assert listed.json["data"] == [approval]
    done = approve(day, approval)
    follows(document, "/v1/ops/approvals/{approval_id}/approve", "post", done)
    assert (done.json["status"], refunds(api)) == ("carried_out", [{"amount_minor": 900}])
    assert api.told.queues[-1] == "payments"
    names = {
        actor.split("(")[-1].rstrip(")") for _, actor in audited(api, "approval.asked", "refund.ordered")
    }
    assert names == {"night"}
    assert [
        what for what, _ in audited(api, "approval.approved", "refund.ordered", "approval.carried_out")
    ] == [
        "approval.approved",
        "refund.ordered",
        "approval.carried_out",
    ]
    again = approve(day, approval)
    assert (again.json, refunds(api)) == (done.json, [{"amount_minor": 900}])


def test_one_below_it_is_made_at_once_and_splitting_it_saves_nobodys_word(api: Api, paid: str) -> None:
    operator = api.operator()
    first = refund(operator, paid, amount=400)
    assert (first.json["approval"], first.json["refund"]["amount"]) == (None, 400)
    assert refund(operator, paid, amount=400).json["refund"]["id"] == first.json["refund"]["id"]
    assert len(audited(api, "refund.ordered")) == 1
    second = refund(operator, paid, "refund-2", amount=400)
    assert (second.json["refund"], second.json["approval"]["amount"]) == (None, 400)
    assert refunds(api) == [{"amount_minor": 400}]


def test_a_currency_that_is_not_named_takes_two_for_any_amount(
    database_url: str, gateway: ScriptedGateway
) -> None:
    api = start_api(database_url, gateway, console=ConsoleSettings("", (), {"EUR": 10**6}))
    payment = api.merchant().accepted()
    api.settle(*CHARGED)
    assert refund(api.operator(), payment["id"], amount=1).json["approval"]["status"] == "asked"


def test_without_a_limit_one_person_is_enough_and_merchants_own_keys_need_nobody(
    database_url: str, gateway: ScriptedGateway, api: Api, paid: str
) -> None:
    shop = api.merchant(scopes=["refunds:write"])
    made = shop.post(f"/v1/payments/{paid}/refunds", json={"amount": 600}, headers={"Idempotency-Key": "a"})
    assert made.status_code == 202
    alone = start_api(database_url, gateway)
    assert refund(alone.operator(), paid).json["refund"]["amount"] == 1399


def test_who_asked_can_not_approve_whatever_the_label_says(api: Api, paid: str) -> None:
    night = api.operator("night")
    approval = asked(night, paid, amount=900)
    refused = approve(night, approval)
    assert (refused.status_code, refused.json["code"]) == (403, "own_approval")
    api.database.run(lambda tx: tx.exec_driver_sql("UPDATE api_keys SET label = 'day' WHERE label = 'night'"))
    again = Merchant("*", night.key, start_api_again(api).test_client())
    assert approve(again, approval).json["code"] == "own_approval"
    assert refunds(api) == []


def start_api_again(api: Api) -> Any:
    """Another process, which has not seen the key under its old label."""
    return start_api(api.settings.database_url, *api.gateways.values(), console=ABOVE).app


def test_only_what_was_seen_is_approved(api: Api, paid: str) -> None:
    approval = asked(api.operator("night"), paid, amount=900)
    answer = approve(api.operator("day"), approval, request_sha256="0" * 64)
    assert (answer.status_code, answer.json["code"]) == (412, "version_conflict")
    assert refunds(api) == []


def test_a_payment_that_moved_on_meanwhile_has_to_be_asked_about_again(api: Api, paid: str) -> None:
    night, day = api.operator("night"), api.operator("day")
    approval = asked(night, paid, amount=900)
    refund(night, paid, "small", amount=100)
    answer = approve(day, approval)
    assert (answer.status_code, answer.json["code"]) == (412, "version_conflict")
    ended = day.get(f"/v1/ops/approvals/{approval['id']}").json
    assert ended["status"] == "expired"
    assert "moved on" in ended["ended_because"]
    assert refunds(api) == [{"amount_minor": 100}]
    anew = asked(night, paid, key="refund-2", amount=900)
    assert anew["id"] != approval["id"]
    assert approve(day, anew).json["status"] == "carried_out"


def test_the_same_request_asks_once_and_another_one_under_its_key_is_refused(api: Api, paid: str) -> None:
    night, day = api.operator("night"), api.operator("day")
    approval = asked(night, paid)
    assert asked(night, paid)["id"] == approval["id"]
    assert refund(night, paid, amount=1999).json["code"] == "idempotency_key_reused"
    approve(day, approval)
    repeated = asked(night, paid)
    assert (repeated["id"], repeated["status"]) == (approval["id"], "carried_out")
    assert refunds(api) == [{"amount_minor": 1999}]
    assert len(audited(api, "approval.asked")) == 1


def test_of_several_who_approve_at_once_one_refund_comes(api: Api, paid: str) -> None:
    approval = asked(api.operator("night"), paid, amount=900)
    people = [api.operator(f"day {number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: approve(one, approval), people))
    assert sorted({answer.status_code for answer in answers}) in ([200], [200, 409])
    assert refunds(api) == [{"amount_minor": 900}]
    assert len(audited(api, "refund.ordered")) == len(audited(api, "approval.approved")) == 1


def test_what_was_approved_before_its_process_died_is_carried_out_later_and_once(
    api: Api, paid: str, break_in: BreakIn
) -> None:
    approval = asked(api.operator("night"), paid, amount=900)
    seen = {"approval_id": approval["id"], "reason": YES, "seen": approval["request_sha256"]}
    api.database.run(lambda tx: approving._approve(tx, actor="console:ada", **seen))
    parts = parts_of(api)
    assert approving.look_after_approvals(parts)["approvals_carried_out"] == 0  # its process may still live
    break_in("UPDATE approvals SET decided_at = decided_at - interval '1 min'")
    assert approving.look_after_approvals(parts)["approvals_carried_out"] == 1
    assert approving.look_after_approvals(parts)["approvals_carried_out"] == 0
    assert refunds(api) == [{"amount_minor": 900}]


def test_a_store_that_is_away_when_it_is_carried_out_is_waited_for(
    api: Api, paid: str, break_in: BreakIn
) -> None:
    approval = asked(api.operator("night"), paid, amount=900)
    parts = parts_of(api)

    def away() -> Any:
        raise DatabaseUnavailable("away")

    seen = {"reason": YES, "seen": approval["request_sha256"]}
    broken = replace(parts, review=replace(parts.review, gateways=away))
    left = approving.approve(broken, approval["id"], actor="console:ada", **seen)
    assert (left.status, refunds(api)) == ("approved", [])
    break_in("UPDATE approvals SET decided_at = decided_at - interval '1 min'")
    approving.look_after_approvals(parts)
    assert refunds(api) == [{"amount_minor": 900}]


def test_it_is_over_when_nobody_decided_in_time(api: Api, paid: str, break_in: BreakIn) -> None:
    night, day = api.operator("night"), api.operator("day")
    first = asked(night, paid, amount=900)
    second = asked(night, paid, key="refund-2", amount=901)
    break_in("UPDATE approvals SET expires_at = clock_timestamp()")
    assert approve(day, first).json["code"] == "invalid_state"
    assert approving.look_after_approvals(parts_of(api))["approvals_expired"] == 1
    assert day.get(f"/v1/ops/approvals/{second['id']}").json["status"] == "expired"
    assert refunds(api) == []


def test_it_is_over_when_what_was_approved_could_not_be_carried_out_in_time(
    api: Api, paid: str, break_in: BreakIn
) -> None:
    night = api.operator("night")
    approval = asked(night, paid, amount=900)
    seen = {"approval_id": approval["id"], "reason": YES, "seen": approval["request_sha256"]}
    api.database.run(lambda tx: approving._approve(tx, actor="console:ada", **seen))
    break_in("UPDATE approvals SET expires_at = clock_timestamp()")
    assert approving.look_after_approvals(parts_of(api))["approvals_expired"] == 1
    ended = night.get(f"/v1/ops/approvals/{approval['id']}").json
    assert (ended["status"], ended["ended_because"]) == ("expired", "approved, and not carried out in time")
    assert refunds(api) == []


def test_another_refuses_it_or_who_asked_takes_it_back(api: Api, paid: str) -> None:
    night, day = api.operator("night"), api.operator("day")
    no = {"reason": "the parcel was delivered"}
    for who, number in ((day, 1), (night, 2)):
        approval = asked(night, paid, key=f"refund-{number}", amount=900 + number)
        refused = who.post(f"/v1/ops/approvals/{approval['id']}/refuse", json=no)
        follows(day.get("/openapi.json").json, "/v1/ops/approvals/{approval_id}/refuse", "post", refused)
        assert refused.json["status"] == "refused"
        assert approve(day, approval).json["code"] == "invalid_state"
    assert refunds(api) == []


def test_what_can_not_be_done_any_more_ends_failed_and_says_why(
    api: Api, paid: str, break_in: BreakIn
) -> None:
    approval = asked(api.operator("night"), paid, amount=900)
    break_in("UPDATE payments SET frozen_at = clock_timestamp()")
    done = approve(api.operator("day"), approval).json
    assert done["status"] == "failed"
    assert "frozen" in done["ended_because"]


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE approvals SET amount_minor = 1, status = 'refused', ended_at = now()", "never changes"),
        (
            "UPDATE approvals SET status = 'carried_out', ended_at = now(), decided_by = 'x'",
            "moves from asked",
        ),
        ("UPDATE approvals SET status = 'approved', decided_by = asked_by", "approved_by_another"),
        (
            "UPDATE approvals SET status = 'approved', decided_by = split_part(asked_by, ' ', 1) || ' (x)'",
            "approved_by_another",
        ),
        ("UPDATE approvals SET status = 'approved'", "approved_by_another"),
        ("DELETE FROM approvals", "are kept"),
        ("TRUNCATE approvals", "are kept"),
    ],
)
def test_the_database_itself_keeps_the_rule(api: Api, paid: str, statement: str, complaint: str) -> None:
    asked(api.operator("night"), paid, amount=900)
    with pytest.raises(Exception, match=complaint):
        api.database.run(lambda tx: tx.exec_driver_sql(statement))


def in_review(api: Api, gateway: ScriptedGateway) -> str:
    payment_id = str(api.merchant().accepted()["id"])
    parts = pipeline(api.database, gateway, policy=HASTY)
    run(parts, "payments")
    api.database.run(lambda tx: tx.exec_driver_sql("UPDATE jobs SET run_at = now() WHERE status = 'waiting'"))
    run(parts, "verify")
    return payment_id


def decide(operator: Merchant, payment_id: str, resolution: str, **more: Any) -> Reply:
    return operator.post(
        f"/v1/ops/payments/{payment_id}/resolve", json={"resolution": resolution, "reason": WHY, **more}
    )


def test_a_decision_waits_too_and_no_gateway_is_asked_before(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, night = in_review(api, gateway), api.operator("night")
    looked: list[Any] = []

    def look_up(query: Any) -> Unknown:
        looked.append(query)
        return Unknown("status is down")

    gateway.look_up = look_up
    waits = decide(night, payment_id, "not_charged", evidence="case 0815", force=True)
    document = night.get("/openapi.json").json
    follows(document, "/v1/ops/payments/{payment_id}/resolve", "post", waits)
    assert (waits.status_code, looked) == (202, [])
    again = decide(night, payment_id, "not_charged", evidence="case 0815", force=True)
    assert again.json["id"] == waits.json["id"]
    done = approve(api.operator("day"), waits.json).json
    assert (done["status"], done["result"]["state"], done["result"]["took_effect"]) == (
        "carried_out",
        "FAILURE",
        "forced",
    )
    assert looked
    (decided,) = rows(api.database, "SELECT actor FROM audit_log WHERE action = 'payment.resolved'")
    assert decided["actor"].endswith("(night)")


def test_a_decision_that_a_gateway_contradicts_ends_failed(api: Api, gateway: ScriptedGateway) -> None:
    payment_id = in_review(api, gateway)
    waits = decide(api.operator("night"), payment_id, "not_charged", evidence="case 0815", force=True)
    gateway.look_up = lambda query: Approved("ch_1")
    done = approve(api.operator("day"), waits.json).json
    assert done["status"] == "failed"
    assert rows(api.database, "SELECT state FROM payments")[0]["state"] == "PROCESSING"


def test_to_ask_again_takes_nobody_else(api: Api, gateway: ScriptedGateway) -> None:
    assert decide(api.operator(), in_review(api, gateway), "ask_again").status_code == 200


def test_at_the_console_another_person_approves_as_the_page_shows_it(api: Api, paid: str) -> None:
    approval = asked(api.operator("night"), paid, amount=900)
    page = f"/console/approvals/{approval['id']}"
    viewer, operator = signed_in(api, "viewer", "eve"), signed_in(api, "operator")
    assert "Approve:" not in viewer.get(page).text
    fields = {"seen": approval["request_sha256"], "reason": YES}
    assert viewer.post(f"{page}/approve", "/console/account", **fields).status_code == 403
    assert "9.00 USD" in operator.get("/console/approvals").text
    assert operator.post(f"{page}/approve", page, **fields).status_code == 303
    assert "carried out" in operator.get(page).text
    assert ("approval.approved", "console:ada") in audited(api, "approval.approved")


def test_at_the_console_who_asked_is_offered_to_take_it_back_only(
    api: Api, paid: str, break_in: BreakIn
) -> None:
    operator: Browser = signed_in(api, "operator")
    approval = asked(api.operator("night"), paid, amount=900)
    break_in("UPDATE approvals SET asked_by = 'console:ada'")
    page = f"/console/approvals/{approval['id']}"
    assert "Take it back" in operator.get(page).text
    fields = {"seen": approval["request_sha256"], "reason": YES}
    assert operator.post(f"{page}/approve", page, **fields).status_code == 403
    assert operator.post(f"{page}/refuse", page, reason="no more needed").status_code == 303
    assert refunds(api) == []


def test_what_was_written_into_a_request_stays_text(api: Api, paid: str) -> None:
    approval = asked(api.operator("<b>night"), paid, amount=900, reason="<script>alert(1)</script>")
    page = signed_in(api, "viewer").get(f"/console/approvals/{approval['id']}").text
    assert "<script>alert" not in page
    assert "<b>night" not in page


@pytest.mark.parametrize(("kind", "body"), [("captures", {"amount": 500}), ("cancel", {})])
def test_operators_capture_and_cancel_with_a_reason(api: Api, kind: str, body: dict[str, Any]) -> None:
    payment = api.merchant().accepted(capture_method="manual")
    api.settle(*HELD)
    operator = api.operator()
    path = f"/v1/ops/payments/{payment['id']}/{kind}"
    made = operator.post(path, json={"reason": WHY, **body}, headers={"Idempotency-Key": "order-1"})
    follows(operator.get("/openapi.json").json, path.replace(payment["id"], "{payment_id}"), "post", made)
    assert made.status_code == 202
    again = operator.post(path, json={"reason": WHY, **body}, headers={"Idempotency-Key": "order-1"})
    assert again.json["id"] == made.json["id"]
    assert len(audited(api, "capture.ordered", "void.ordered")) == 1
    assert operator.post(path, json=body, headers={"Idempotency-Key": "order-2"}).status_code == 422
