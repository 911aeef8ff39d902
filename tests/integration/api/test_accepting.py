"""POST /v1/payments: accepted once, durable, replayed byte for byte, and refused with a reason."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import got_request_exception
from sqlalchemy import text
from structlog.testing import capture_logs
from support.api_client import CARD, SUCCEEDED, Api, Merchant, codes, start_api

from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType

VISA = "4111111111111111"
BODY = {"amount": 1999, "currency": "USD", "payment_method": CARD}
EVERYTHING: dict[str, Any] = {
    "reference": "order-1042",
    "customer": {"name": "Ãsha", "id": "cus_1", "country": "IN", "email": "asha@shop.example"},
    "description": "Two tickets 😀",
    "statement_descriptor": "BLUE TICKETS",
    "return_url": "https://shop.example/return",
    "metadata": {
        "z": 1,
        "a": "ü",
        "rate": 0.1,
        "big": 1e14,
        "exact": 100.0,
        "minus": -0.0,
        "no": None,
        "yes": True,
    },
}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def rows(api: Api, table: str) -> int:
    with api.database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_payment_is_accepted_and_durable(api: Api, shop: Merchant) -> None:
    answer = shop.post_payment(**EVERYTHING)
    body = answer.json
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/payments/{body['id']}" == body["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    assert "Idempotent-Replayed" not in answer.headers
    assert (body["state"], body["certainty"], body["version"]) == ("INITIATED", "known", 1)
    assert (body["amount"], body["currency"], body["capture_method"]) == (1999, "USD", "automatic")
    assert set(body["amounts"].values()) == {0}
    for name, value in EVERYTHING.items():
        assert body[name] == value
    assert body["payment_method"] == CARD
    assert body["job"]["status"] == "queued"
    assert shop.get(body["job"]["links"]["self"]).json["payment_id"] == body["id"]
    counted = {table: rows(api, table) for table in ("payments", "jobs", "payment_events", "outbox")}
    assert counted == dict.fromkeys(counted, 1)


def test_the_workers_are_told_once_for_an_accepted_payment_and_not_for_a_replay(
    api: Api, shop: Merchant
) -> None:
    shop.post_payment(key="one")
    shop.post_payment(key="one")
    shop.post_payment(amount=0)
    assert api.told.queues == ["payments"]


def test_a_replay_is_the_first_answer_byte_for_byte_also_after_the_payment_has_ended(
    api: Api, shop: Merchant
) -> None:
    first = shop.post_payment(key="one", **EVERYTHING)
    again = shop.post_payment(key="one", **EVERYTHING)
    api.settle(*SUCCEEDED)
    late = shop.post_payment(key="one", **EVERYTHING)
    for replay in (again, late):
        assert (replay.status_code, replay.data) == (first.status_code, first.data)
        assert replay.headers["Idempotent-Replayed"] == "true"
        assert replay.headers["Location"] == first.headers["Location"]
    assert rows(api, "payments") == 1


def test_another_spelling_of_the_same_request_is_a_replay(shop: Merchant) -> None:
    first = shop.post_payment(key="one", metadata={"a": "é", "b": 1})
    body = {**BODY, "metadata": {"b": 1, "a": "é"}}
    respelt = json.dumps(dict(reversed(body.items())), indent=3, ensure_ascii=False).encode()
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json; charset=utf-8"}
    again = shop.post("/v1/payments", data=respelt, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data == first.data


def test_another_merchants_same_key_is_independent(api: Api, shop: Merchant) -> None:
    first = shop.post_payment(key="one")
    other = api.merchant("mer_b").post_payment(key="one", amount=5)
    assert other.status_code == 202
    assert "Idempotent-Replayed" not in other.headers
    assert other.json["id"] != first.json["id"]


def test_a_request_whose_twin_is_still_being_accepted_is_told_to_ask_again(api: Api, shop: Merchant) -> None:
    # The twin: a transaction that holds the key's row and does not end.
    with api.database.engine.connect() as twin:
        twin.execute(
            text(
                "INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)"
                " VALUES ('mer_a', 'POST /v1/payments', 'one', '', 'pay_x', 'job_x')"
            )
        )
        answer = shop.post_payment(key="one")
        twin.rollback()
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_in_progress")
    assert answer.json["retryable"] is True
    assert answer.headers["Retry-After"] == "1"
    assert shop.post_payment(key="one").status_code == 202


def test_a_reference_is_taken_once_until_its_payment_has_failed(api: Api, shop: Merchant) -> None:
    assert shop.post_payment(reference="order-1").status_code == 202
    refused = shop.post_payment(reference="order-1")
    assert (refused.status_code, refused.json["code"]) == (409, "duplicate_reference")
    assert api.merchant("mer_b").post_payment(reference="order-1").status_code == 202
    api.settle(Fact(EventType.FAILED, {"last_error": {"code": "generic_decline"}}), status="failed")
    assert shop.post_payment(reference="order-1").status_code == 202


def test_a_missing_key_is_refused(api: Api, shop: Merchant) -> None:
    answer = shop.post("/v1/payments", json=BODY)
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_missing")
    assert rows(api, "payments") == 0


def test_an_invalid_key_is_refused(shop: Merchant, subtests: pytest.Subtests) -> None:
    for key in ("", "k" * 256, "käse", "tab\there", "nul\x00", "del\x7f"):
        with subtests.test(key=key):
            answer = shop.post("/v1/payments", json=BODY, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key})
            assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_invalid")


def test_any_printable_key_of_up_to_255_characters_is_taken(
    shop: Merchant, subtests: pytest.Subtests
) -> None:
    for key in ("k" * 255, "!", "~ key with spaces", '"quoted"'):
        with subtests.test(key=key):
            assert shop.post_payment(key=key).status_code == 202
            assert shop.post_payment(key=key).headers["Idempotent-Replayed"] == "true"


def test_all_faults_of_a_body_are_told_at_once_and_nothing_is_stored(api: Api, shop: Merchant) -> None:
    answer = shop.post_body(
        {
            "amount": True,
            "currency": "XAU",
            "payment_method": {"type": "upi", "vpa": "asha"},
            "metadata": {"k+": 1},
            "tip": 1,
        }
    )
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert codes(answer) == [
        ("/amount", "invalid_type"),
        ("/currency", "invalid_value"),
        ("/metadata/k+", "invalid_key"),
        ("/payment_method/vpa", "invalid_format"),
        ("/tip", "unknown_field"),
    ]
    assert rows(api, "idempotency_keys") == 0


CARD_NUMBERS: list[tuple[dict[str, Any], str]] = [
    ({"reference": VISA}, "/reference"),
    ({"reference": "paid with 4111 1111 1111 1111"}, "/reference"),
    ({"description": "4111-1111-1111-1111"}, "/description"),
    ({"statement_descriptor": f"CARD {VISA}"}, "/statement_descriptor"),
    ({"return_url": f"https://shop.example/?c={VISA}"}, "/return_url"),
    ({"customer": {"id": VISA}}, "/customer/id"),
    ({"customer": {"name": f"Asha {VISA}"}}, "/customer/name"),
    ({"customer": {"email": f"{VISA}@shop.example"}}, "/customer/email"),
    ({"customer": {"country": VISA}}, "/customer/country"),
    ({"metadata": {"card": VISA}}, "/metadata/card"),
    ({"metadata": {"card": int(VISA)}}, "/metadata/card"),
    ({"metadata": {"card": float(VISA)}}, "/metadata/card"),
    ({"metadata": {f"card_{VISA}": 1}}, "/metadata"),
    ({"metadata": {"card": [VISA]}}, "/metadata/card/0"),
    ({"payment_method": {"type": "card", "token": f"tok_{VISA}"}}, "/payment_method/token"),
    ({"payment_method": {"type": "card", "number": VISA}}, "/payment_method/number"),
    ({"payment_method": {"type": "card", "token": "tok", "cvc": "123"}}, "/payment_method/cvc"),
    ({"metadata": {"cvv": "123"}}, "/metadata/cvv"),
    ({"payment_method": {"type": "upi", "vpa": f"{VISA}@bank"}}, "/payment_method/vpa"),
    ({"payment_method": {"type": "net_banking", "bank_code": VISA}}, "/payment_method/bank_code"),
    ({"payment_method": {"type": "wallet", "provider": VISA}}, "/payment_method/provider"),
    ({"amount": int(VISA)}, "/amount"),
    ({"currency": VISA}, "/currency"),
    ({"capture_method": VISA}, "/capture_method"),
    ({"pan": VISA}, "/pan"),
    ({VISA: 1}, ""),
]


def test_a_card_number_in_any_field_is_refused_and_never_repeated(
    api: Api, shop: Merchant, capfd: pytest.CaptureFixture[str], subtests: pytest.Subtests
) -> None:
    for body, pointer in CARD_NUMBERS:
        with subtests.test(pointer=pointer):
            answer = shop.post_payment(**body)
            assert (answer.status_code, answer.json["code"]) == (422, "sensitive_data_rejected")
            assert codes(answer) == [(pointer, "card_number")]
            for shown in (answer.text, str(answer.headers), *capfd.readouterr()):
                assert VISA not in shown
                assert "4111-1111" not in shown
    assert rows(api, "payments") == rows(api, "idempotency_keys") == 0


def test_a_card_number_as_idempotency_key_is_refused_and_never_repeated(api: Api, shop: Merchant) -> None:
    answer = shop.post_payment(key=f"order-{VISA}")
    assert (answer.status_code, answer.json["code"]) == (422, "sensitive_data_rejected")
    assert answer.json["errors"][0]["header"] == "Idempotency-Key"
    assert VISA not in answer.text
    assert rows(api, "idempotency_keys") == 0


NO_SMALL_OBJECTS: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"{", {}, 400, "malformed_json"),
    (b"", {}, 400, "malformed_json"),
    (b"[1]", {}, 400, "malformed_json"),
    (b'{"amount":1,"amount":2}', {}, 400, "malformed_json"),
    (b'{"amount":NaN}', {}, 400, "malformed_json"),
    (b'\xef\xbb\xbf{"amount":1}', {}, 400, "malformed_json"),
    (b'{"a":"\xff"}', {}, 400, "malformed_json"),
    (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", {}, 400, "malformed_json"),
    (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    (b"{}", {"Content-Type": "application/merge-patch+json"}, 415, "unsupported_media_type"),
    (b"{}", {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
    (b'{"a":"' + b"x" * 65_536 + b'"}', {}, 413, "payload_too_large"),
]


def test_a_body_that_is_not_a_small_json_object_is_refused(shop: Merchant, subtests: pytest.Subtests) -> None:
    for data, headers, status, code in NO_SMALL_OBJECTS:
        with subtests.test(data=data[:20], headers=headers):
            sent = {"Idempotency-Key": "one", "Content-Type": "application/json", **headers}
            answer = shop.post("/v1/payments", data=data, headers=sent)
            assert (answer.status_code, answer.json["code"]) == (status, code)
            assert answer.content_type == "application/problem+json"


def test_a_body_in_chunks_without_a_length_is_bounded_too(shop: Merchant) -> None:
    def post(data: bytes) -> Any:
        return shop.post(
            "/v1/payments",
            input_stream=io.BytesIO(data),
            headers={"Idempotency-Key": "one", "Content-Type": "application/json"},
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )

    assert post(b" " * 65_000 + json.dumps(BODY).encode()).status_code == 202
    too_long = post(b" " * 65_537 + json.dumps(BODY).encode())
    assert (too_long.status_code, too_long.json["code"]) == (413, "payload_too_large")


def test_a_body_of_the_longest_length_allowed_is_read(shop: Merchant) -> None:
    body = json.dumps(BODY).encode()
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    answer = shop.post("/v1/payments", data=b" " * (65_536 - len(body)) + body, headers=headers)
    assert answer.status_code == 202


def test_waiting_ends_when_the_payment_is_decided(api: Api, shop: Merchant) -> None:
    with ThreadPoolExecutor(1) as threads:
        worker = threads.submit(api.settle_when_due, *SUCCEEDED)
        answer = shop.post_payment(key="one", prefer="wait=10")
        worker.result()
    body = answer.json
    assert answer.status_code == 200
    assert (body["state"], body["amounts"]["captured"], body["gateway"]) == ("SUCCESS", 1999, "sandbox_a")
    assert body["job"]["status"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.headers["ETag"] == '"3"'
    assert "Retry-After" not in answer.headers


def test_waiting_in_vain_gives_the_payment_as_it_stands(shop: Merchant) -> None:
    answer = shop.post_payment(prefer="wait=1")
    assert (answer.status_code, answer.json["state"]) == (202, "INITIATED")
    assert answer.json["job"]["status"] == "queued"
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.headers["Retry-After"] == "1"


def test_waiting_ends_when_it_is_the_payers_turn(api: Api, shop: Merchant) -> None:
    action = {"type": "redirect", "expires_at": None}
    shop.post_payment(key="one")
    api.settle(Fact(EventType.ACTION_REQUIRED, {"next_action": action}), status="waiting")
    answer = shop.post_payment(key="one", prefer="wait=10")
    assert (answer.status_code, answer.json["state"]) == (202, "REQUIRES_ACTION")
    assert answer.json["next_action"] == action
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_waiting_holds_no_database_connection(database_url: str) -> None:
    api = start_api(database_url, pool_size=1)
    shop = api.merchant()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(shop.post_payment, prefer="wait=10")
        seen = [api.merchant(f"mer_{number}").get("/v1/jobs").status_code for number in range(5)]
        assert not waiting.done()
        api.settle_when_due(*SUCCEEDED)
        assert waiting.result(timeout=30).status_code == 200
    assert seen == [200] * 5


def test_when_all_places_are_taken_the_answer_comes_at_once(api: Api, shop: Merchant) -> None:
    waiters = api.app.extensions["aegis"].waiters
    with waiters.place(), waiters.place():
        answer = shop.post_payment(prefer="wait=10")
    assert (answer.status_code, answer.json["job"]["status"]) == (202, "queued")
    assert "Preference-Applied" not in answer.headers


def test_a_database_that_goes_away_while_waiting_does_not_turn_an_accepted_payment_into_an_error(
    api: Api, shop: Merchant
) -> None:
    def cut_connections() -> None:
        with api.database.engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND usename = current_user"
                )
            )

    killer = threading.Timer(0.3, cut_connections)
    killer.start()
    answer = shop.post_payment(prefer="wait=2")
    killer.join()
    assert answer.status_code == 202
    assert rows(api, "payments") == 1


def test_a_bug_is_a_500_that_leaks_nothing(api: Api, shop: Merchant) -> None:
    reported: list[str] = []

    def report(sender: Any, exception: Exception) -> None:
        reported.append(str(exception))

    got_request_exception.connect(report, api.app)
    with api.database.engine.connect() as connection:
        connection.execute(text("ALTER TABLE jobs RENAME COLUMN queue TO line"))
        connection.commit()
    with capture_logs() as lines:
        answer = shop.post_payment(customer={"email": "asha@shop.example"})
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert answer.json["detail"].startswith("The request failed")
    for secret in ("jobs", "column", "psycopg2", "asha@shop.example", "Traceback"):
        assert secret not in answer.text
    (line,) = [line for line in lines if line["event"] == "request failed"]
    assert line["error"] == "ProgrammingError"
    assert reported == [str(line["exc_info"])]
    assert "asha@shop.example" not in reported[0]
    assert rows(api, "payments") == 0
