"""A payer's return from an action: kept sealed, handed to the gateway once, erased when it is settled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.confirming_shop import SandboxShop, Shop
from support.database_dump import everything_in
from support.payments import rows
from support.sandbox_process import Sandbox, eventually, running_sandbox
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import ActionRequired, Approved
from aegis_worker.pipeline.run import run
from aegis_worker.sealing.keys import SealingKey
from aegis_worker.sealing.ring import KeyRing

STEPS = ["initiate", "authenticate", "process"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def shop(database_url: str, sandbox: Sandbox) -> SandboxShop:
    return SandboxShop(database_url, sandbox)


def test_what_the_payer_brought_back_moves_the_money_once(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    assert shop.state == "REQUIRES_ACTION"
    answer = shop.confirm(shop.brought_back())
    assert (answer.status_code, answer.json["state"], answer.json["job"]["status"]) == (
        202,
        "REQUIRES_ACTION",
        "waiting",
    )
    assert shop.kept == [True]
    run(shop.parts, "payments")
    assert (shop.state, shop.now["next_action"]) == ("SUCCESS", None)
    assert shop.attempts == [("process", 1, "APPROVED", 1), ("confirm", 1, "APPROVED", 1)]
    assert shop.story == [
        "initiated",
        "processing",
        "action_required",
        "authenticated",
        "processing",
        "succeeded",
    ]
    assert (shop.charges, shop.kept) == ([1999], [False])


def test_a_payer_who_failed_the_challenge_is_not_charged(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    shop.confirm(shop.brought_back("failed"))
    run(shop.parts, "payments")
    assert (shop.state, shop.now["last_error"]["code"]) == ("FAILURE", "authentication_failed")
    assert (shop.charges, shop.kept) == ([], [False])


def test_what_the_gateway_can_make_nothing_of_leaves_the_payment_to_its_payer(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    shop.confirm({"challenge_result": "nonsense"})
    run(shop.parts, "payments")
    assert (shop.state, shop.now["certainty"], shop.kept) == ("REQUIRES_ACTION", "known", [False])
    assert shop.attempts == [("process", 1, "ACTION_REQUIRED", 1), ("confirm", 1, "DECLINED", 1)]
    assert shop.confirm(shop.brought_back(), "confirm-2").status_code == 202
    run(shop.parts, "payments")
    assert shop.state == "SUCCESS"
    assert shop.attempts[-1] == ("confirm", 2, "APPROVED", 1)


def test_a_charge_that_is_pending_after_the_confirm_is_waited_for(shop: SandboxShop) -> None:
    shop.pay("tok_sdk_then_pending_1")
    shop.confirm(shop.brought_back())
    run(shop.parts, "payments")
    assert (shop.state, shop.now["next_action"], shop.kept) == ("PROCESSING", None, [False])
    assert eventually(lambda: shop.charges == [1999])
    shop.work()
    assert shop.state == "SUCCESS"


def test_a_decline_after_the_confirm_ends_the_payment(shop: SandboxShop) -> None:
    shop.pay("tok_sdk_then_hard_fraud")
    shop.confirm(shop.brought_back())
    run(shop.parts, "payments")
    assert (shop.state, shop.now["last_error"]["code"]) == ("FAILURE", "suspected_fraud")


def test_one_action_may_follow_the_other(shop: SandboxShop) -> None:
    shop.pay("tok_sdk_then_sdk_once")
    first = shop.now["next_action"]
    shop.confirm(shop.brought_back())
    run(shop.parts, "payments")
    second = shop.now["next_action"]
    assert (shop.state, first["data"] != second["data"]) == ("REQUIRES_ACTION", True)
    assert shop.story.count("action_required") == 2
    shop.confirm(shop.brought_back(), "confirm-2")
    run(shop.parts, "payments")
    assert (shop.state, shop.charges, shop.kept) == ("SUCCESS", [1999], [False, False])


def test_a_gateway_that_authenticates_first_charges_after_the_confirm(
    database_url: str, sandbox: Sandbox
) -> None:
    shop = SandboxShop(database_url, sandbox, steps=STEPS)
    shop.pay("tok_sdk")
    shop.confirm(shop.brought_back())
    run(shop.parts, "payments")
    assert shop.state == "SUCCESS"
    assert [one[:3] for one in shop.attempts] == [
        ("initiate", 1, "APPROVED"),
        ("authenticate", 1, "APPROVED"),
        ("confirm", 1, "APPROVED"),
        ("process", 1, "APPROVED"),
    ]


def test_the_same_data_under_another_key_is_the_same_confirm(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    brought = shop.brought_back()
    answers = [shop.confirm(brought), shop.confirm(brought), shop.confirm(brought, "confirm-2")]
    assert [one.status_code for one in answers] == [202, 202, 202]
    assert [one.headers.get("Idempotent-Replayed") for one in answers] == [None, "true", None]
    run(shop.parts, "payments")
    assert [one[0] for one in shop.attempts] == ["process", "confirm"]
    again = shop.confirm(brought, "confirm-3")
    assert (again.status_code, again.json["state"], "job" in again.json) == (200, "SUCCESS", False)


def test_one_key_stands_for_one_request(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    shop.confirm(shop.brought_back())
    assert shop.confirm({"challenge_result": "other"}).json["code"] == "idempotency_key_reused"
    shop.pay("tok_sdk")
    assert shop.confirm(shop.brought_back()).json["code"] == "idempotency_key_reused", "of another payment"


def test_other_data_waits_until_the_confirm_under_way_has_ended(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    shop.confirm({"challenge_result": "nonsense"})
    refused = shop.confirm(shop.brought_back(), "confirm-2")
    assert (refused.status_code, refused.json["code"], refused.json["retryable"]) == (409, "job_open", True)
    run(shop.parts, "payments")
    assert shop.confirm(shop.brought_back(), "confirm-2").status_code == 202


def test_whoever_comes_late_is_told_how_the_payment_stands(shop: SandboxShop) -> None:
    shop.pay("tok_sdk_3")
    brought = shop.brought_back()
    assert eventually(lambda: shop.at_gateway == ["failed"])
    shop.work()
    late = shop.confirm(brought)
    assert (late.status_code, late.json["state"]) == (200, "FAILURE")
    assert shop.kept == []


def test_a_payment_that_never_waited_for_its_payer_takes_no_confirm(shop: SandboxShop) -> None:
    shop.pay("tok_ok")
    refused = shop.confirm({"challenge_result": "x"})
    assert (refused.status_code, refused.json["code"], refused.json["allowed"]) == (
        409,
        "invalid_state",
        ["sync"],
    )
    assert shop.confirm({}, path=f"/v1/payments/pay_{'0' * 32}").status_code == 404
    other = shop.api.merchant("mer_b").post(
        shop.path + "/confirm", json={"gateway_data": {}}, headers={"Idempotency-Key": "k"}
    )
    assert other.status_code == 404


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"pan": "4111111111111111"}, "sensitive_data_rejected"),
        ({str(number): 1 for number in range(51)}, "validation_failed"),
        ({"a": "x" * 32_768}, "validation_failed"),
        ({"a": [[[[[[1]]]]]]}, "validation_failed"),
    ],
)
def test_what_is_too_much_or_a_card_number_is_refused(
    shop: SandboxShop, data: dict[str, Any], code: str
) -> None:
    shop.pay("tok_sdk")
    assert shop.confirm(data).json["code"] == code
    assert shop.kept == []


def test_neither_secret_stands_anywhere_in_the_open(
    shop: SandboxShop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.pay("tok_sdk_then_drop")
    secrets = [shop.now["next_action"]["data"]["client_secret"], shop.brought_back()["challenge_result"]]
    shop.confirm(shop.brought_back())
    seen = [everything_in(shop.api.database)]
    run(shop.parts, "payments")
    seen.append(everything_in(shop.api.database))
    shop.work()
    assert shop.state == "SUCCESS"
    seen += [everything_in(shop.api.database), *capfd.readouterr()]
    seen += [shop.merchant.get(shop.path + more).text for more in ("", "/events", "/attempts", "/explain")]
    assert not [secret for secret in secrets for text in seen if secret in text]


def test_a_worker_reads_what_was_sealed_before_the_keys_were_exchanged(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    shop.confirm(shop.brought_back())
    newer = KeyRing([SealingKey("new", b"n" * 32), *shop.api.settings.sealing_keys])
    run(shop.worker(newer), "payments")
    assert shop.state == "SUCCESS"


def test_what_no_key_opens_is_left_to_a_person_and_moves_nothing(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    shop.confirm(shop.brought_back())
    run(shop.worker(KeyRing([SealingKey("new", b"n" * 32)])), "payments")
    (review,) = rows(shop.api.database, "SELECT reason FROM jobs WHERE status = 'review'")
    assert ("AEGIS_SEALING_KEYS" in review["reason"], shop.charges) == (True, [])
    shop.confirm(shop.brought_back(), "again")
    assert shop.kept == [True], "it is the same confirm"


def test_a_gateway_that_takes_nothing_back_is_asked(database_url: str) -> None:
    asked = ActionRequired("ch_1", Redirect("https://bank.example/3ds"))
    gateway = ScriptedGateway("scripted", lambda request: asked)
    gateway.capabilities = replace(gateway.capabilities, confirms=False)
    gateway.look_up = answering(asked)
    shop = Shop(database_url, gateway)
    shop.pay("tok_ok")
    gateway.look_up = answering(Approved("ch_1"))
    assert shop.confirm({"anything": "canary"}).status_code == 202
    run(shop.parts, "verify")
    assert (shop.state, shop.kept) == ("SUCCESS", [])
    assert [call.operation.value for call in gateway.calls] == ["process"]
