"""POST /v1/payments/batches: every line is told what it would be told by itself, and none spoils another."""

from __future__ import annotations

import io
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event
from support.api_client import CARD, SUCCEEDED, Api, Merchant, Reply, start_api
from support.documented_answers import follows
from support.payments import rows

_numbers = itertools.count()
BATCHES = "/v1/payments/batches"


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def a_line(key: str | None, **fields: Any) -> dict[str, Any]:
    body = {"amount": 1999, "currency": "USD", "payment_method": CARD, **fields}
    return body if key is None else {"idempotency_key": key, **body}


def as_body(*lines: dict[str, Any] | str | bytes) -> bytes:
    return b"".join(_as_bytes(line) + b"\n" for line in lines)


def _as_bytes(line: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(line, dict):
        return json.dumps(line).encode()
    return line.encode() if isinstance(line, str) else line


def post(
    shop: Merchant, *lines: dict[str, Any] | str | bytes, body: bytes | None = None, **headers: str
) -> Reply:
    headers = {"Content-Type": "application/x-ndjson", **headers}
    return shop.post(BATCHES, data=as_body(*lines) if body is None else body, headers=headers)


def told(answer: Reply) -> list[tuple[int, str]]:
    """Each line's number, and its outcome or the code of its problem."""
    assert answer.status_code == 200, answer.text
    return [
        (each["line"], each.get("problem", {}).get("code", each["outcome"])) for each in answer.json["data"]
    ]


def count_payments(api: Api) -> int:
    return int(rows(api.database, "SELECT count(*) FROM payments")[0]["count"])


def test_every_line_is_accepted_and_workers_are_told_once(api: Api, shop: Merchant) -> None:
    answer = post(shop, *[a_line(f"k{n}", reference=f"r{n}", amount=100 + n) for n in range(100)])
    assert told(answer) == [(n + 1, "accepted") for n in range(100)]
    assert {name: answer.json[name] for name in ("object", "accepted", "replayed", "refused")} == {
        "object": "batch",
        "accepted": 100,
        "replayed": 0,
        "refused": 0,
    }
    assert api.told.queues == ["payments"]
    for each in answer.json["data"][::33]:
        stored = shop.get(f"/v1/payments/{each['payment_id']}").json
        assert (stored["state"], stored["amount"]) == ("INITIATED", 99 + each["line"])
        assert stored["reference"] == f"r{each['line'] - 1}"
        assert shop.get(f"/v1/jobs/{each['job_id']}").json["payment_id"] == each["payment_id"]


def test_the_same_body_again_resumes(api: Api, shop: Merchant) -> None:
    first = post(shop, a_line("k1"), a_line("k2", amount=0), a_line("k3"))
    assert told(first) == [(1, "accepted"), (2, "validation_failed"), (3, "accepted")]
    api.settle(*SUCCEEDED)
    again = post(shop, a_line("k1"), a_line("k2", amount=5), a_line("k3"))
    assert told(again) == [(1, "replayed"), (2, "accepted"), (3, "replayed")]
    for before, now in ((0, 0), (2, 2)):
        assert again.json["data"][now] == {**first.json["data"][before], "outcome": "replayed"}
    assert count_payments(api) == 3


def test_a_replay_tells_workers_nothing(api: Api, shop: Merchant) -> None:
    post(shop, a_line("k1"))
    api.told.queues.clear()
    post(shop, a_line("k1"))
    assert api.told.queues == []


def test_keys_are_those_of_single_posts(api: Api, shop: Merchant) -> None:
    single = shop.post_payment(key="single", reference="r1")
    answer = post(shop, a_line("single", reference="r1"), a_line("listed", metadata={"rate": 1e2}))
    assert told(answer) == [(1, "replayed"), (2, "accepted")]
    assert answer.json["data"][0]["payment_id"] == single.json["id"]
    assert answer.json["data"][0]["job_id"] == single.json["job"]["id"]
    again = shop.post_payment(key="listed", metadata={"rate": 100})
    assert again.headers.get("Idempotent-Replayed") is None, "100 and 1e2 are other requests"
    assert again.json["code"] == "idempotency_key_reused"
    again = shop.post_payment(key="listed", metadata={"rate": 1e2})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["id"] == answer.json["data"][1]["payment_id"]
    assert told(post(shop, a_line("single", reference="r2"))) == [(1, "idempotency_key_reused")]


def test_a_key_or_a_reference_twice_in_a_body_concerns_its_lines_alone(shop: Merchant) -> None:
    answer = post(
        shop,
        a_line("k1", reference="r1"),
        a_line("k1", reference="r1"),
        a_line("k1", reference="r2"),
        a_line("k2", reference="r1"),
        a_line("k3", reference="r3"),
    )
    assert told(answer) == [
        (1, "accepted"),
        (2, "replayed"),
        (3, "idempotency_key_reused"),
        (4, "duplicate_reference"),
        (5, "accepted"),
    ]
    assert answer.json["data"][1]["payment_id"] == answer.json["data"][0]["payment_id"]
    assert told(post(shop, a_line("k9"), a_line("k8", reference="r3"))) == [
        (1, "accepted"),
        (2, "duplicate_reference"),
    ]


def test_every_bad_line_is_refused_by_its_number_and_reason(api: Api, shop: Merchant) -> None:
    answer = post(
        shop,
        a_line("k1"),
        "",
        "nonsense",
        b'{"amount": "\xff"}',
        "[]",
        a_line(None),
        a_line("k\u00e9"),
        {**a_line(None), "idempotency_key": 7},
        a_line("k2", amount=0, currency="XX"),
        a_line("k3", description="4111 1111 1111 1111"),
        a_line("4111111111111111"),
        a_line("k4", metadata={"text": "x" * 70_000}),
        '{"amount": 1, "amount": 2}',
        a_line("k5"),
    )
    assert told(answer) == [
        (1, "accepted"),
        (3, "malformed_json"),
        (4, "malformed_json"),
        (5, "malformed_json"),
        (6, "idempotency_key_missing"),
        (7, "idempotency_key_invalid"),
        (8, "idempotency_key_invalid"),
        (9, "validation_failed"),
        (10, "sensitive_data_rejected"),
        (11, "sensitive_data_rejected"),
        (12, "payload_too_large"),
        (13, "malformed_json"),
        (14, "accepted"),
    ]
    by_line = {each["line"]: each for each in answer.json["data"]}
    pointers = {error["pointer"] for error in by_line[9]["problem"]["errors"]}
    assert pointers == {"/amount", "/currency"}
    assert by_line[9]["idempotency_key"] == "k2"
    assert by_line[10]["problem"]["errors"][0]["pointer"] == "/description"
    assert by_line[11]["idempotency_key"] is None
    assert by_line[11]["problem"]["errors"][0]["pointer"] == "/idempotency_key"
    assert b"4111" not in answer.data
    assert count_payments(api) == 2


@pytest.mark.parametrize(
    "body",
    [
        as_body(a_line("k1"), a_line("k2")).rstrip(b"\n"),
        as_body(a_line("k1"), a_line("k2")).replace(b"\n", b"\r\n"),
        as_body("", a_line("k1"), " \t\r", a_line("k2"), "", ""),
    ],
    ids=["no newline at the end", "CRLF", "blank lines"],
)
def test_lines_may_end_as_editors_end_them(shop: Merchant, body: bytes) -> None:
    assert [outcome for _, outcome in told(post(shop, body=body))] == ["accepted", "accepted"]


def test_a_byte_order_mark_belongs_to_the_first_line(shop: Merchant) -> None:
    body = b"\xef\xbb\xbf" + as_body(a_line("k1"), a_line("k2"))
    assert told(post(shop, body=body)) == [(1, "malformed_json"), (2, "accepted")]


def test_what_is_no_batch_is_refused_whole_before_anything_is_written(api: Api, shop: Merchant) -> None:
    document = shop.get("/openapi.json").json
    one = as_body(a_line("k1"))
    nobody = Merchant("mer_x", "aegis_test_" + "A" * 43, shop.client)
    for status, code, answer in [
        (400, "malformed_json", post(shop, body=b"")),
        (400, "malformed_json", post(shop, body=b"\n \r\n\n")),
        (413, "payload_too_large", post(shop, *[a_line(f"k{n}") for n in range(1001)])),
        (413, "payload_too_large", post(shop, body=one + b"\n" * 1000)),
        (413, "payload_too_large", post(shop, body=one + b" " * (64 * 65_536))),
        (415, "unsupported_media_type", post(shop, body=one, **{"Content-Type": "application/json"})),
        (415, "unsupported_media_type", post(shop, body=one, **{"Content-Encoding": "gzip"})),
        (400, "idempotency_key_invalid", post(shop, body=one, **{"Idempotency-Key": "k"})),
        (401, "invalid_api_key", post(nobody, body=one)),
    ]:
        assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
        follows(document, BATCHES, "post", answer)
    assert count_payments(api) == 0
    assert api.told.queues == []


def test_a_body_in_chunks_may_be_as_long_as_a_batch_may_and_no_longer(shop: Merchant) -> None:
    def post_chunks(data: bytes) -> Reply:
        return shop.post(
            BATCHES,
            input_stream=io.BytesIO(data),
            headers={"Content-Type": "application/x-ndjson"},
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )

    line = as_body(a_line("k1"))
    assert told(post_chunks(line + b" " * 200_000)) == [(1, "accepted")]
    too_long = post_chunks(line + b" " * 64 * 65_536)
    assert (too_long.status_code, too_long.json["code"]) == (413, "payload_too_large")


def test_a_thousand_lines_are_taken(api: Api, shop: Merchant) -> None:
    answer = post(shop, *[a_line(f"k{n}") for n in range(1000)])
    assert answer.json["accepted"] == 1000
    assert count_payments(api) == 1000


def test_lines_that_are_all_refused_do_not_ask_the_database(api: Api, shop: Merchant) -> None:
    shop.get("/v1/payments?limit=1")  # so that the key is known
    statements: list[str] = []
    event.listen(api.database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert told(post(shop, "nonsense", a_line("k1", amount=-1))) == [
        (1, "malformed_json"),
        (2, "validation_failed"),
    ]
    assert statements == []


def test_a_key_in_flight_elsewhere_is_told_so_and_can_be_sent_again(api: Api, shop: Merchant) -> None:
    held, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)"
            f" VALUES ('{shop.merchant_id}', 'POST /v1/payments', 'k1', '', 'p', 'j')"
        )
        held.set()
        release.wait(20)
        connection.rollback()

    other = threading.Thread(target=lambda: api.database.run(hold))
    other.start()
    assert held.wait(10)
    lines = [a_line(f"k{n}") for n in range(3)]
    answer = post(shop, *lines)
    release.set()
    other.join()
    assert told(answer) == [(1, "accepted"), (2, "idempotency_in_progress"), (3, "accepted")]
    assert answer.json["data"][1]["problem"]["retryable"] is True
    assert told(post(shop, *lines)) == [(1, "replayed"), (2, "accepted"), (3, "replayed")]


def test_the_same_batches_at_once_and_backwards_make_each_payment_once(api: Api, shop: Merchant) -> None:
    lines = [a_line(f"k{n}", reference=f"r{n}") for n in range(60)]
    with ThreadPoolExecutor(4) as pool:
        clients = [Merchant(shop.merchant_id, shop.key, api.app.test_client()) for _ in range(4)]
        bodies = [lines, lines[::-1], lines, lines[::-1]]
        answers = list(pool.map(lambda each: post(each[0], *each[1]), zip(clients, bodies, strict=True)))
    # A line that waited too long for another request, on a busy machine, is told so, and asked for again.
    allowed = {"accepted", "replayed", "idempotency_in_progress"}
    assert {outcome for answer in answers for _, outcome in told(answer)} <= allowed
    assert sum(answer.json["accepted"] for answer in answers) == 60
    ids = {
        (each["idempotency_key"], each.get("payment_id"))
        for answer in answers
        for each in answer.json["data"]
    }
    known = {(key, payment_id) for key, payment_id in ids if payment_id is not None}
    assert len(known) == len({key for key, _ in known}) == 60
    assert told(post(shop, *lines)) == [(number, "replayed") for number in range(1, 61)]
    assert count_payments(api) == 60


def test_a_row_that_the_database_refuses_is_an_internal_error_of_its_line(
    api: Api, shop: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraint = "ALTER TABLE payments ADD CONSTRAINT broken CHECK (amount_minor <> 13) NOT VALID"
    api.database.run(lambda connection: connection.exec_driver_sql(constraint))
    answer = post(shop, a_line("k1"), a_line("k2", amount=13), a_line("k3"))
    assert told(answer) == [(1, "accepted"), (2, "internal_error"), (3, "accepted")]
    assert "constraint" not in answer.text


def test_the_answer_follows_the_document_and_so_does_its_example(shop: Merchant) -> None:
    document = shop.get("/openapi.json").json
    follows(document, BATCHES, "post", post(shop, a_line("k1"), a_line("k1"), "nonsense"))
    described = document["paths"][BATCHES]["post"]["requestBody"]["content"]["application/x-ndjson"]
    assert "1,000 lines" in described["schema"]["description"]
    assert told(post(shop, body=described["example"].encode())) == [(1, "accepted"), (2, "accepted")]
    assert "idempotency_key" in document["components"]["schemas"]["BatchLine"]["required"]


_line = st.one_of(
    st.fixed_dictionaries(
        {"idempotency_key": st.sampled_from("ab"), "amount": st.sampled_from([1, 2])},
        optional={"reference": st.sampled_from("rs")},
    ),
    st.sampled_from(
        [{"idempotency_key": "c", "amount": 0}, {"amount": 1}, {"idempotency_key": "\t", "amount": 1}]
    ),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_line, min_size=1, max_size=6))
def test_a_batch_answers_what_single_posts_one_after_the_other_answer(
    api: Api, lines: list[dict[str, Any]]
) -> None:
    alone, together = api.merchant(f"alone_{next(_numbers)}"), api.merchant(f"together_{next(_numbers)}")
    bodies = [a_line(None, **line) for line in lines]
    singly = [_singly(alone, body) for body in bodies]
    listed = [
        each.get("problem", {}).get("code", each["outcome"]) for each in post(together, *bodies).json["data"]
    ]
    assert listed == singly


def _singly(shop: Merchant, line: dict[str, Any]) -> str:
    key = line.get("idempotency_key")
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {name: value for name, value in line.items() if name != "idempotency_key"}
    answer = shop.post("/v1/payments", json=body, headers=headers)
    if answer.status_code >= 400:
        return str(answer.json["code"])
    return "replayed" if "Idempotent-Replayed" in answer.headers else "accepted"
