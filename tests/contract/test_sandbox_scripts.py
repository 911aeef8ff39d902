"""Every script of the sandbox gateway does what its line in the table says, on the real process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from support.payers import payer_clicks
from support.sandbox_process import NO_ANSWER, HttpAnswer, Sandbox, eventually, new_reference, payment_body

from aegis_worker.emulator.script_table import SCRIPTS
from aegis_worker.emulator.scripts import Effect


def charge_without_answer(sandbox: Sandbox, token: str, reference: str) -> None:
    with pytest.raises(NO_ANSWER):
        sandbox.charge(token, reference=reference)


def charge_until_timeout(sandbox: Sandbox, token: str, reference: str) -> None:
    """Charges, with the reference as its key, and gives up waiting after half a second."""
    body = payment_body(token, reference=reference)
    with pytest.raises(TimeoutError):
        sandbox.post("/v1/charges", body, timeout_s=0.5, idempotency_key=reference)


def created(sandbox: Sandbox, **fields: Any) -> str:
    return str(sandbox.post("/v1/payments", payment_body(**fields)).json["id"])


def status_of(sandbox: Sandbox, answer: HttpAnswer) -> str:
    return str(sandbox.call("GET", f"/v1/payments/{answer.json['id']}").json["status"])


@pytest.mark.parametrize(
    "name", [name for name, script in SCRIPTS.items() if script.effect is Effect.DECLINE]
)
def test_a_decline_script_declines_with_its_code_and_books_nothing(sandbox: Sandbox, name: str) -> None:
    reference = new_reference()
    answer = sandbox.charge(f"tok_{name}", reference=reference)
    assert (answer.status, answer.code) == (402, SCRIPTS[name].code)
    assert [(row["status"], row["captured"]) for row in sandbox.booked(reference)] == [("failed", 0)]


@pytest.mark.parametrize("name", ["drop", "status_lag_1", "status_down_1"])
def test_a_dropped_connection_hides_a_charge_that_happened(sandbox: Sandbox, name: str) -> None:
    reference = new_reference()
    charge_without_answer(sandbox, f"tok_{name}", reference)
    assert [row["captured"] for row in sandbox.booked(reference)] == [1999]


def test_drop_nocharge_drops_the_connection_and_books_nothing(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_without_answer(sandbox, "tok_drop_nocharge", reference)
    assert sandbox.booked(reference) == []


@pytest.mark.parametrize(("token", "charged"), [("tok_500", [1999]), ("tok_500_nocharge", [])])
def test_a_500_may_or_may_not_have_charged(sandbox: Sandbox, token: str, charged: list[int]) -> None:
    reference = new_reference()
    assert sandbox.charge(token, reference=reference).status == 500
    assert [row["captured"] for row in sandbox.booked(reference)] == charged


def test_garbage_is_an_unparsable_200_after_a_charge(sandbox: Sandbox) -> None:
    reference = new_reference()
    answer = sandbox.charge("tok_garbage", reference=reference)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answer.body)
    assert (answer.status, len(sandbox.booked(reference))) == (200, 1)


def test_429_refuses_the_first_call_with_retry_after_and_approves_the_next(sandbox: Sandbox) -> None:
    body, key = payment_body("tok_429_7"), new_reference()
    first = sandbox.post("/v1/charges", body, idempotency_key=key)
    assert (first.status, first.headers["retry-after"]) == (429, "7")
    assert sandbox.booked(body["reference"]) == []
    assert sandbox.post("/v1/charges", body, idempotency_key=key).json["status"] == "succeeded"


def test_once_limits_any_script_to_the_first_call(sandbox: Sandbox) -> None:
    body, key = payment_body("tok_500_nocharge_once"), new_reference()
    answers = [sandbox.post("/v1/charges", body, idempotency_key=key).status for _ in range(2)]
    assert answers == [500, 200]


def test_pending_turns_into_succeeded_by_itself(sandbox: Sandbox) -> None:
    answer = sandbox.charge("tok_pending_1")
    assert (answer.status, answer.json["status"], answer.json["amount_captured"]) == (202, "pending", 0)
    assert eventually(lambda: status_of(sandbox, answer) == "succeeded")


def test_pending_fail_turns_into_failed_by_itself(sandbox: Sandbox) -> None:
    answer = sandbox.charge("tok_pending_fail_1")
    assert answer.json["status"] == "pending"
    assert eventually(lambda: status_of(sandbox, answer) == "failed")


def test_latency_charges_at_once_and_answers_later(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_until_timeout(sandbox, "tok_latency_60000", reference)
    assert eventually(lambda: [row["captured"] for row in sandbox.booked(reference)] == [1999])
    assert sandbox.charge("tok_latency_10").json["status"] == "succeeded"


def test_a_late_commit_is_nowhere_until_its_time(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_until_timeout(sandbox, "tok_late_commit_60", reference)
    assert sandbox.find(reference) == sandbox.booked(reference) == []
    again = payment_body("tok_late_commit_60", reference=reference)
    assert sandbox.post("/v1/charges", again, idempotency_key=reference).code == "key_in_use"


def test_a_late_commit_happens_though_nobody_waits_for_it(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_until_timeout(sandbox, "tok_late_commit_1", reference)
    assert eventually(lambda: [payment["status"] for payment in sandbox.find(reference)] == ["succeeded"])
    assert [row["captured"] for row in sandbox.booked(reference)] == [1999]


def test_a_late_commit_answers_those_who_wait(sandbox: Sandbox) -> None:
    reference = new_reference()
    assert sandbox.charge("tok_late_commit_1", reference=reference).json["status"] == "succeeded"
    assert len(sandbox.find(reference)) == 1


def test_status_lag_hides_a_charge_from_look_ups(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_without_answer(sandbox, "tok_status_lag_60", reference)
    assert sandbox.find(reference) == []


def test_status_lag_ends(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_without_answer(sandbox, "tok_status_lag_1", reference)
    assert eventually(lambda: len(sandbox.find(reference)) == 1)


def test_status_down_makes_look_ups_of_that_payment_answer_503(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_without_answer(sandbox, "tok_status_down_60", reference)
    assert sandbox.call("GET", f"/v1/payments?reference={reference}").status == 503
    assert sandbox.find(new_reference()) == []


def test_status_down_ends(sandbox: Sandbox) -> None:
    reference = new_reference()
    charge_without_answer(sandbox, "tok_status_down_1", reference)
    path = f"/v1/payments?reference={reference}"
    assert eventually(lambda: sandbox.call("GET", path).status == 200)


def test_3ds_waits_for_the_payer_who_clicks_on_the_page(sandbox: Sandbox) -> None:
    payment = created(sandbox, token="tok_3ds_60")
    asked = sandbox.post(f"/v1/payments/{payment}/authenticate", {}).json
    assert asked["status"] == "requires_action"
    assert sandbox.post(f"/v1/payments/{payment}/charge", {}).code == "invalid_state"
    page = asked["next_action"]["redirect_url"]
    assert sandbox.call("GET", page.removeprefix(sandbox.url)).status == 200
    assert sandbox.call("GET", f"/v1/payments/{payment}").json["status"] == "requires_action"
    assert "passed" in payer_clicks(page, "pass").body.decode()
    assert sandbox.call("GET", f"/v1/payments/{payment}").json["status"] == "authenticated"
    assert sandbox.post(f"/v1/payments/{payment}/charge", {}).json["status"] == "succeeded"


def test_3ds_ends_by_itself_when_the_payer_is_slow(sandbox: Sandbox) -> None:
    answer = sandbox.post("/v1/authentications", payment_body("tok_3ds_1"))
    assert answer.json["status"] == "requires_action"
    assert eventually(lambda: status_of(sandbox, answer) == "authenticated")


def test_3ds_on_a_charge_goes_on_to_charge_when_the_payer_is_done(sandbox: Sandbox) -> None:
    answer = sandbox.charge("tok_3ds_1")
    assert (answer.json["status"], answer.json["amount_captured"]) == ("requires_action", 0)
    assert eventually(lambda: status_of(sandbox, answer) == "succeeded")


def test_the_payer_is_sent_back_to_the_merchant(sandbox: Sandbox) -> None:
    answer = sandbox.charge("tok_3ds_60", return_url="https://shop.example/done")
    sent_on = payer_clicks(answer.json["next_action"]["redirect_url"], "pass")
    assert (sent_on.status, sent_on.headers["location"]) == (302, "https://shop.example/done")


def test_a_payer_who_fails_3ds_ends_the_payment(sandbox: Sandbox) -> None:
    answer = sandbox.charge("tok_3ds_60")
    assert "failed" in payer_clicks(answer.json["next_action"]["redirect_url"], "fail").body.decode()
    assert sandbox.call("GET", f"/v1/payments/{answer.json['id']}").json["last_error"] == {
        "code": "authentication_failed"
    }


@pytest.mark.parametrize("path", ["/3ds/spay_nobodys/pass", "/3ds/a/b/pass", "/3ds/spay_nobodys/take"])
def test_a_page_that_is_nobodys_takes_no_click(sandbox: Sandbox, path: str) -> None:
    assert sandbox.call("POST", path).status == 404


def test_3ds_fail_fails_the_payment_and_its_charge_is_declined(sandbox: Sandbox) -> None:
    payment = created(sandbox, token="tok_3ds_fail_1")
    answer = sandbox.post(f"/v1/payments/{payment}/authenticate", {})
    assert answer.json["status"] == "requires_action"
    assert eventually(lambda: status_of(sandbox, answer) == "failed")
    assert sandbox.post(f"/v1/payments/{payment}/charge", {}).code == "authentication_failed"


def test_a_script_for_another_instance_approves_here(sandbox: Sandbox) -> None:
    assert sandbox.charge("tok_soft_try_again_at_sandbox_b").json["status"] == "succeeded"
    assert sandbox.charge("tok_soft_try_again_at_sandbox_a").status == 402


def test_a_script_can_act_on_a_later_operation(sandbox: Sandbox) -> None:
    held = sandbox.charge("tok_drop_on_capture", capture_method="manual").json
    with pytest.raises(NO_ANSWER):
        sandbox.post(f"/v1/payments/{held['id']}/capture", {})
    assert sandbox.call("GET", f"/v1/payments/{held['id']}").json["status"] == "succeeded"


def test_a_declined_refund_moves_nothing(sandbox: Sandbox) -> None:
    payment = sandbox.charge("tok_hard_account_closed_on_refund").json["id"]
    assert sandbox.post(f"/v1/payments/{payment}/refund", {}).code == "account_closed"
    assert sandbox.call("GET", f"/v1/payments/{payment}").json["amount_refunded"] == 0


@pytest.mark.parametrize(
    "method",
    [
        {"type": "upi", "vpa": "a@bank"},
        {"type": "net_banking", "bank_code": "HDFC"},
        {"type": "wallet", "provider": "paytm"},
        {"type": "pay_later", "provider": "simpl"},
    ],
    ids=lambda method: method["type"],
)
def test_methods_without_a_token_choose_by_the_amount(sandbox: Sandbox, method: dict[str, str]) -> None:
    amount = 900_000 + SCRIPTS["hard_stolen_card"].amount_suffix
    assert sandbox.charge(amount=amount, payment_method=method).code == "stolen_card"
    assert sandbox.charge(amount=amount).json["status"] == "succeeded"


def test_the_table_is_printed_with_every_script() -> None:
    command = [sys.executable, "-m", "aegis_worker.emulator", "--scripts"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    assert [name for name in SCRIPTS if f"`tok_{name}" not in printed] == []


def test_no_two_scripts_share_an_amount() -> None:
    suffixes = [script.amount_suffix for script in SCRIPTS.values() if script.amount_suffix]
    assert len(set(suffixes)) == len(suffixes)


@pytest.mark.parametrize("name", [name for name, script in SCRIPTS.items() if script.takes])
def test_a_number_beyond_a_scripts_bound_is_refused_with_the_bound_and_books_nothing(
    sandbox: Sandbox, name: str
) -> None:
    script = SCRIPTS[name]
    for number in (str(script.most + 1), "99999999", "9" * 200, "-1", "1.5", "x", ""):
        reference = new_reference()
        answer = sandbox.charge(f"tok_{name}_{number}", reference=reference)
        assert (answer.status, answer.code) == (400, "unknown_script"), number
        assert f"tok_{name}_N takes 0 to {script.most} " in answer.json["error"]["message"]
        assert sandbox.booked(reference) == []


def test_a_script_without_a_number_says_that_it_takes_none(sandbox: Sandbox) -> None:
    answer = sandbox.charge("tok_drop_5", reference=new_reference())
    assert answer.status == 400
    assert "tok_drop takes no number" in answer.json["error"]["message"]


def test_the_list_of_scripts_says_what_each_number_may_be() -> None:
    command = [sys.executable, "-m", "aegis_worker.emulator", "--scripts"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    for script in SCRIPTS.values():
        (line,) = [
            line for line in lines if line.startswith((f"| `tok_{script.name}`", f"| `tok_{script.name}["))
        ]
        assert (f"0 to {script.most} " in line) == bool(script.takes)
