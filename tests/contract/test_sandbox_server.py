"""The sandbox gateway's HTTP API, idempotency keys, ledger, faults and webhooks, on the real process."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.sandbox_process import Sandbox, eventually, new_reference, payment_body, running_sandbox


def created(sandbox: Sandbox, **fields: Any) -> str:
    answer = sandbox.post("/v1/payments", payment_body(**fields))
    assert answer.status == 201
    return str(answer.json["id"])


@pytest.mark.slow
def test_as_many_calls_as_two_worker_processes_may_have_under_way_are_all_answered(sandbox: Sandbox) -> None:
    address, request = urlsplit(sandbox.url), b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as connections:
        opened = [
            connections.enter_context(socket.create_connection((address.hostname, address.port), timeout=60))
            for _ in range(2 * 1024)
        ]
        for connection in opened:
            connection.sendall(request)
        assert {connection.recv(12) for connection in opened} == {b"HTTP/1.1 200"}


class TestOnePaymentsWay:
    def test_create_authenticate_and_charge_move_a_payment_to_succeeded(self, sandbox: Sandbox) -> None:
        payment = created(sandbox)
        assert sandbox.post(f"/v1/payments/{payment}/authenticate", {}).json["status"] == "authenticated"
        charged = sandbox.post(f"/v1/payments/{payment}/charge", {}).json
        assert (charged["status"], charged["amount_captured"]) == ("succeeded", 1999)

    def test_one_call_creates_and_charges(self, sandbox: Sandbox) -> None:
        answer = sandbox.charge()
        assert (answer.status, answer.json["status"]) == (200, "succeeded")

    def test_manual_capture_holds_the_funds_until_they_are_captured_in_part(self, sandbox: Sandbox) -> None:
        held = sandbox.charge(capture_method="manual").json
        assert (held["status"], held["amount_authorized"], held["amount_captured"]) == ("authorized", 1999, 0)
        captured = sandbox.post(f"/v1/payments/{held['id']}/capture", {"amount": 1000}).json
        assert (captured["status"], captured["amount_captured"]) == ("succeeded", 1000)

    def test_a_hold_stays_until_a_final_capture_or_until_all_of_it_is_captured(
        self, sandbox: Sandbox
    ) -> None:
        for last in ({"amount": 100, "final": True}, {"amount": 999, "final": False}):
            held = sandbox.charge(capture_method="manual").json
            path = f"/v1/payments/{held['id']}"
            first = sandbox.post(f"{path}/capture", {"amount": 1000, "final": False}).json
            assert (first["status"], first["amount_captured"]) == ("authorized", 1000)
            assert sandbox.post(f"{path}/refund", {"amount": 1000}).json["amount_refunded"] == 1000
            ended = sandbox.post(f"{path}/capture", last).json
            assert (ended["status"], ended["amount_captured"]) == ("succeeded", 1000 + last["amount"])

    def test_a_void_after_a_capture_releases_the_rest_only(self, sandbox: Sandbox) -> None:
        held = sandbox.charge(capture_method="manual").json
        sandbox.post(f"/v1/payments/{held['id']}/capture", {"amount": 1000, "final": False})
        released = sandbox.post(f"/v1/payments/{held['id']}/void", {}).json
        assert (released["status"], released["amount_captured"]) == ("succeeded", 1000)

    def test_more_than_is_authorized_cannot_be_captured(self, sandbox: Sandbox) -> None:
        held = sandbox.charge(capture_method="manual").json
        answer = sandbox.post(f"/v1/payments/{held['id']}/capture", {"amount": 2000})
        assert (answer.status, answer.code) == (422, "amount_too_large")

    def test_partial_refunds_add_up_to_what_was_captured_and_no_more(self, sandbox: Sandbox) -> None:
        path = f"/v1/payments/{sandbox.charge().json['id']}/refund"
        assert sandbox.post(path, {"amount": 999}).json["amount_refunded"] == 999
        assert sandbox.post(path, {"amount": 1001}).code == "amount_too_large"
        assert sandbox.post(path, {"amount": 1000}).json["amount_refunded"] == 1999

    def test_a_voided_authorization_cannot_be_captured(self, sandbox: Sandbox) -> None:
        payment = sandbox.charge(capture_method="manual").json["id"]
        assert sandbox.post(f"/v1/payments/{payment}/void", {}).json["status"] == "voided"
        answer = sandbox.post(f"/v1/payments/{payment}/capture", {})
        assert (answer.status, answer.code) == (409, "invalid_state")

    def test_a_captured_payment_cannot_be_voided_or_charged_again(self, sandbox: Sandbox) -> None:
        payment = sandbox.charge().json["id"]
        assert sandbox.post(f"/v1/payments/{payment}/void", {}).code == "invalid_state"
        assert sandbox.post(f"/v1/payments/{payment}/charge", {}).code == "invalid_state"

    def test_look_ups_by_id_and_by_any_operations_reference_show_the_operations(
        self, sandbox: Sandbox
    ) -> None:
        payment = sandbox.charge(reference="order-1").json["id"]
        sandbox.post(f"/v1/payments/{payment}/refund", {"amount": 5, "reference": "refund-1"})
        by_id = sandbox.call("GET", f"/v1/payments/{payment}").json
        assert sandbox.find("refund-1") == sandbox.find("order-1") == [by_id]
        assert [(done["operation"], done["reference"], done["amount"]) for done in by_id["operations"]] == [
            ("charge", "order-1", 1999),
            ("refund", "refund-1", 5),
        ]

    def test_a_reference_never_used_finds_nothing(self, sandbox: Sandbox) -> None:
        assert sandbox.find(new_reference()) == []
        assert sandbox.call("GET", "/v1/payments/spay_0").code == "not_found"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"amount": 19.99},
            {"amount": True},
            {"amount": 0},
            {"amount": 100_000_000_000},
            {"currency": "usd"},
            {"capture_method": "later"},
            {"payment_method": {"type": "card", "number": "4242424242424242"}},
            {"payment_method": {"type": "cash"}},
            {"reference": "line\nbreak"},
            {"return_url": "javascript:alert(1)"},
            {"statement_descriptor": "BLUE"},
            {"statement_descriptor": "BLUE*TICKETS"},
            {"statement_descriptor": "BLÅ BILLETTER"},
            {"statement_descriptor": "12345"},
            {"surprise": 1},
        ],
        ids=json.dumps,
    )
    def test_a_payment_that_is_not_well_formed(self, sandbox: Sandbox, wrong: dict[str, Any]) -> None:
        assert sandbox.post("/v1/charges", payment_body() | wrong).status == 400

    def test_a_body_that_is_no_json(self, sandbox: Sandbox) -> None:
        assert sandbox.post("/v1/charges", b"{").code == "invalid_json"

    def test_a_body_beyond_64_kib(self, sandbox: Sandbox) -> None:
        assert sandbox.post("/v1/charges", b"x" * 65_537).status == 413

    def test_a_wrong_api_key(self, sandbox: Sandbox) -> None:
        answer = sandbox.post("/v1/charges", payment_body(), Authorization="Bearer sk_other")
        assert (answer.status, answer.code) == (401, "invalid_api_key")

    def test_a_misspelt_decline_rather_than_approved_by_accident(self, sandbox: Sandbox) -> None:
        assert sandbox.charge("tok_soft_insuficient_funds").code == "unknown_script"


class TestIdempotency:
    def test_a_replay_answers_byte_for_byte_and_charges_nothing(self, sandbox: Sandbox) -> None:
        body, key = payment_body(), new_reference()
        first, second = (sandbox.post("/v1/charges", body, idempotency_key=key) for _ in range(2))
        assert (second.status, second.body) == (first.status, first.body)
        assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (
            None,
            "true",
        )
        assert len(sandbox.booked(body["reference"])) == 1

    def test_a_decline_is_replayed_too(self, sandbox: Sandbox) -> None:
        body, key = payment_body("tok_hard_lost_card"), new_reference()
        first, second = (sandbox.post("/v1/charges", body, idempotency_key=key) for _ in range(2))
        assert (second.status, second.body) == (402, first.body)

    def test_the_same_key_with_another_body_is_refused(self, sandbox: Sandbox) -> None:
        body, key = payment_body(), new_reference()
        sandbox.post("/v1/charges", body, idempotency_key=key)
        answer = sandbox.post("/v1/charges", body | {"amount": 2000}, idempotency_key=key)
        assert (answer.status, answer.code) == (422, "idempotency_mismatch")

    def test_the_same_body_in_another_order_is_the_same_request(self, sandbox: Sandbox) -> None:
        body, key = payment_body(), new_reference()
        first = sandbox.post("/v1/charges", body, idempotency_key=key)
        again = sandbox.post("/v1/charges", dict(reversed(body.items())), idempotency_key=key)
        assert again.body == first.body

    def test_twenty_threads_with_one_key_make_one_charge(self, sandbox: Sandbox) -> None:
        body, key = payment_body(), new_reference()
        with ThreadPoolExecutor(20) as pool:
            answers = list(
                pool.map(lambda _: sandbox.post("/v1/charges", body, idempotency_key=key), range(20))
            )
        assert {answer.body for answer in answers} == {answers[0].body}
        assert [row["captured"] for row in sandbox.booked(body["reference"])] == [1999]

    def test_a_refused_request_leaves_its_key_free(self, sandbox: Sandbox) -> None:
        body, key = payment_body(), new_reference()
        assert sandbox.post("/v1/charges", body | {"currency": "usd"}, idempotency_key=key).status == 400
        assert sandbox.post("/v1/charges", body, idempotency_key=key).status == 200

    def test_a_charge_behind_a_500_is_what_a_replay_tells(self, sandbox: Sandbox) -> None:
        body, key = payment_body("tok_500"), new_reference()
        assert sandbox.post("/v1/charges", body, idempotency_key=key).status == 500
        assert sandbox.post("/v1/charges", body, idempotency_key=key).json["status"] == "succeeded"
        assert len(sandbox.booked(body["reference"])) == 1

    @pytest.mark.parametrize("token", ["tok_500", "tok_500_nocharge"])
    def test_with_replays_errors_a_500_is_kept_for_good(self, tmp_path: Path, token: str) -> None:
        body, key = payment_body(token), new_reference()
        with running_sandbox(tmp_path, "--replays-errors") as stripe_like:
            first, second = (stripe_like.post("/v1/charges", body, idempotency_key=key) for _ in range(2))
        assert (second.status, second.body) == (500, first.body)

    def test_without_idempotency_every_call_charges(self, tmp_path: Path) -> None:
        body, key = payment_body(), new_reference()
        with running_sandbox(tmp_path, "--no-idempotency") as keyless:
            for _ in range(2):
                keyless.post("/v1/charges", body, idempotency_key=key)
            assert len(keyless.booked(body["reference"])) == 2

    def test_a_key_beyond_its_window_is_a_new_key(self, tmp_path: Path) -> None:
        body, key = payment_body(), new_reference()
        with running_sandbox(tmp_path, "--key-window-s", "0.2") as forgetful:
            first = forgetful.post("/v1/charges", body, idempotency_key=key).body
            assert eventually(lambda: forgetful.post("/v1/charges", body, idempotency_key=key).body != first)


class TestLedger:
    def test_it_pages_all_payments_with_what_was_captured_and_refunded(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path) as sandbox:
            references = [f"order-{number}" for number in range(5)]
            for reference in references:
                sandbox.charge(reference=reference)
            sandbox.post(f"/v1/payments/{sandbox.ledger()[4]['payment_id']}/refund", {"amount": 99})
            rows = sandbox.ledger(page=2)
        assert [row["reference"] for row in rows] == references
        assert [(row["captured"], row["refunded"]) for row in rows] == [*[(1999, 0)] * 4, (1999, 99)]
        assert {row["merchant_payment_id"] for row in rows} == {
            f"pay_{reference}" for reference in references
        }

    def test_sigkill_loses_nothing_that_was_answered(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path) as sandbox:
            body, key = payment_body(), new_reference()
            first = sandbox.post("/v1/charges", body, idempotency_key=key)
            sandbox.kill()
            sandbox.start()
            assert [row["captured"] for row in sandbox.booked(body["reference"])] == [1999]
            assert sandbox.post("/v1/charges", body, idempotency_key=key).body == first.body

    @pytest.mark.slow
    def test_first_call_scripts_and_what_is_due_outlive_a_sigkill(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path) as sandbox:
            body = payment_body("tok_429")
            assert sandbox.post("/v1/charges", body).status == 429
            pending = sandbox.charge("tok_pending_1").json["id"]
            sandbox.kill()
            sandbox.start()
            assert sandbox.post("/v1/charges", body).status == 200
            path = f"/v1/payments/{pending}"
            assert eventually(lambda: sandbox.call("GET", path).json["status"] == "succeeded")

    def test_sigterm_ends_it_cleanly(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path) as sandbox:
            sandbox.charge()
            assert sandbox.stop() == 0
        assert (tmp_path / "sandbox_a.log").read_text() == ""


class TestInstanceFaults:
    def test_refuse_all_answers_503_to_everything_and_books_nothing(self, sandbox: Sandbox) -> None:
        sandbox.set_faults(refuse_all=True)
        reference = new_reference()
        assert sandbox.charge(reference=reference).status == 503
        assert sandbox.call("GET", f"/v1/payments?reference={reference}").status == 503
        assert sandbox.booked(reference) == []

    def test_retry_after_s_answers_429_to_posts_while_look_ups_work(self, sandbox: Sandbox) -> None:
        sandbox.set_faults(retry_after_s=3)
        answer = sandbox.charge()
        assert (answer.status, answer.headers["retry-after"]) == (429, "3")
        assert sandbox.find(new_reference()) == []

    def test_status_down_answers_503_to_look_ups_while_charges_work(self, sandbox: Sandbox) -> None:
        sandbox.set_faults(status_down=True)
        payment = sandbox.charge().json["id"]
        assert sandbox.call("GET", f"/v1/payments/{payment}").status == 503

    def test_status_lag_s_hides_new_charges_from_look_ups(self, sandbox: Sandbox) -> None:
        sandbox.set_faults(status_lag_s=60)
        reference = new_reference()
        sandbox.charge(reference=reference)
        assert sandbox.find(reference) == []

    def test_fail_share_fails_the_same_charges_for_the_same_seed(self, sandbox: Sandbox) -> None:
        runs = []
        for _ in range(2):
            sandbox.set_faults(fail_share=0.6, fail_script="soft_try_again", seed=7)
            runs.append([sandbox.charge().status for _ in range(20)])
        assert runs[0] == runs[1]
        assert set(runs[0]) == {200, 402}

    def test_a_fail_script_can_make_every_commit_late(self, sandbox: Sandbox) -> None:
        sandbox.set_faults(fail_share=1, fail_script="late_commit_60")
        body = payment_body()
        with pytest.raises(TimeoutError):
            sandbox.post("/v1/charges", body, timeout_s=0.5, idempotency_key=body["reference"])
        assert sandbox.booked(body["reference"]) == []

    def test_latency_ms_delays_answers_and_not_the_charge(self, sandbox: Sandbox) -> None:
        sandbox.set_faults(latency_ms=60_000)
        body = payment_body()
        with pytest.raises(TimeoutError):
            sandbox.post("/v1/charges", body, timeout_s=0.5)
        assert eventually(lambda: len(sandbox.booked(body["reference"])) == 1)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"latency_ms": 10**9},
            {"fail_share": 2},
            {"status_down": 1},
            {"surprise": 1},
            {"fail_script": "nonsense"},
        ],
        ids=json.dumps,
    )
    def test_a_fault_out_of_bounds_or_unknown_is_refused(
        self, sandbox: Sandbox, wrong: dict[str, Any]
    ) -> None:
        before = sandbox.call("GET", "/_sandbox/faults").json
        assert sandbox.set_faults(**wrong).status == 400
        assert sandbox.call("GET", "/_sandbox/faults").json == before

    def test_calls_are_counted_by_endpoint(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path) as sandbox:
            payment = sandbox.charge().json["id"]
            sandbox.post(f"/v1/payments/{payment}/refund", {"amount": 1})
            sandbox.find("x")
            calls = sandbox.call("GET", "/_sandbox/calls").json["calls"]
        assert calls == {
            "POST /v1/charges": 1,
            "POST /v1/payments/{id}/refund": 1,
            "GET /v1/payments?reference": 1,
        }


class TestWebhooks:
    @pytest.mark.slow
    def test_each_status_change_is_sent_signed_and_retried_until_accepted(self, tmp_path: Path) -> None:
        secret = "whsec_test"
        flags = ("--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET", "--webhook-url")
        with (
            listening(refuse_first=1) as merchant,
            running_sandbox(
                tmp_path, *flags, merchant.url, env={"SANDBOX_WEBHOOK_SECRET": secret}
            ) as sandbox,
        ):
            payment = sandbox.charge("tok_pending_1").json["id"]
            assert eventually(lambda: len(merchant.accepted) == 2)
        for header, body in merchant.accepted:
            timestamp, signature = (part.split("=")[1] for part in header.split(","))
            signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
            assert signature == signed.hexdigest()
        events = [json.loads(body) for _, body in merchant.accepted]
        assert {event["type"] for event in events} == {"payment.pending", "payment.succeeded"}
        assert {event["data"]["id"] for event in events} == {payment}


class Merchant:
    """Where webhooks arrive: (signature header, body) of each accepted one."""

    def __init__(self, refuse_first: int) -> None:
        self.accepted: list[tuple[str, bytes]] = []
        merchant, refusals = self, iter([500] * refuse_first)

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = next(refusals, 204)
                if status == 204:
                    merchant.accepted.append((self.headers["Sandbox-Signature"], body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks?from=sandbox"


@contextmanager
def listening(refuse_first: int) -> Iterator[Merchant]:
    merchant = Merchant(refuse_first)
    thread = threading.Thread(target=merchant.server.serve_forever)
    thread.start()
    try:
        yield merchant
    finally:
        merchant.server.shutdown()
        thread.join()
        merchant.server.server_close()
