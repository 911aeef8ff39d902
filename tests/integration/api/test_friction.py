"""What a newcomer stumbled over: references, twice-registered endpoints, amounts, files, repeats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api_client import SUCCEEDED, Api, Merchant, start_api
from support.command_line import Aegis, aegis, install, served

from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]

FAILED = Fact(EventType.FAILED, {"last_error": {"code": "generic_decline"}})


@pytest.fixture
def api(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    install(monkeypatch, database_url, AEGIS_WEBHOOK_ALLOW_PRIVATE="true")
    api = start_api(database_url, webhook_allow_private=True)
    yield api
    api.database.dispose()


@pytest.fixture
def shop(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Merchant]:
    """A merchant, with the API behind a real socket for the command line."""
    shop = api.merchant("shop")
    with served(api.app) as url:
        monkeypatch.setenv("AEGIS_API_URL", url)
        monkeypatch.setenv("AEGIS_API_KEY", shop.key)
        yield shop


# --- 29


def test_a_refused_reference_names_the_payment_that_carries_it_at_every_door(
    aegis: Aegis, shop: Merchant, tmp_path: Path
) -> None:
    carrier = shop.accepted(reference="order-1")["id"]
    alone = shop.post_payment(reference="order-1").json
    assert (alone["code"], alone["payment_id"], carrier in alone["detail"]) == (
        "duplicate_reference",
        carrier,
        True,
    )

    body = {
        "amount": 5,
        "currency": "USD",
        "payment_method": {"type": "card", "token": "tok_ok"},
        "reference": "order-1",
    }
    raw = "\n".join(json.dumps({**body, "idempotency_key": key}) for key in ("b1", "b2"))
    told = shop.post("/v1/payments/batches", data=raw, content_type="application/x-ndjson").json["data"]
    assert [line["problem"]["payment_id"] for line in told] == [carrier, carrier]

    pay = (
        "pay",
        "--amount",
        "5",
        "--currency",
        "USD",
        "--token",
        "tok_ok",
        "--reference",
        "order-1",
        "--wait",
        "0",
    )
    assert carrier in aegis(*pay).out
    assert aegis(*pay, "--json").json["problem"]["payment_id"] == carrier
    (tmp_path / "file").write_text(json.dumps(body) + "\n")
    ran = aegis("pay", "--file", str(tmp_path / "file"), "--wait", "0", "--json")
    assert carrier in ran.json["errors"][0]["detail"]


def test_two_lines_of_one_batch_with_one_reference_name_the_first(shop: Merchant) -> None:
    body = {
        "amount": 5,
        "currency": "USD",
        "payment_method": {"type": "card", "token": "tok_ok"},
        "reference": "r",
    }
    raw = "\n".join(json.dumps({**body, "idempotency_key": key}) for key in ("a", "b"))
    first, second = shop.post("/v1/payments/batches", data=raw, content_type="application/x-ndjson").json[
        "data"
    ]
    assert second["problem"]["payment_id"] == first["payment_id"]


def test_a_payment_is_found_by_its_reference(aegis: Aegis, shop: Merchant) -> None:
    payment = shop.accepted(reference="order 1042 ü")["id"]
    assert aegis("status", "order 1042 ü", "--json").json["payment"]["id"] == payment
    assert payment in aegis("status", "order 1042 ü").out
    assert aegis("status", "order 1042 ü", "--merchant", "other").exit_code == 3
    ran = aegis("status", "order-9999")
    assert (ran.exit_code, "no payment with that reference" in ran.err) == (3, True)


def test_payments_that_share_a_reference_are_listed(aegis: Aegis, api: Api, shop: Merchant) -> None:
    failed = shop.accepted(reference="order-1")["id"]
    api.settle(FAILED, status="failed")
    again = shop.accepted(reference="order-1")["id"]
    theirs = api.merchant("other").accepted(reference="order-1")["id"]
    found = aegis("status", "order-1", "--json").json
    assert [one["id"] for one in found["payments"]] == [theirs, again, failed]
    assert [one["merchant_id"] for one in found["payments"]] == ["other", "shop", "shop"]
    table = aegis("status", "order-1").out
    assert all(id_ in table for id_ in (failed, again, theirs))
    assert aegis("status", "order-1", "--merchant", "other", "--json").json["payment"]["id"] == theirs


def test_an_id_is_an_id_even_where_another_payment_carries_it_as_reference(
    aegis: Aegis, shop: Merchant
) -> None:
    payment = shop.accepted()["id"]
    shop.accepted(reference=payment)
    assert aegis("status", payment, "--json").json["payment"]["id"] == payment


# --- 30


def test_accepted_means_the_same_in_a_batch_and_in_a_file(
    aegis: Aegis, shop: Merchant, tmp_path: Path
) -> None:
    bodies = [
        {
            "amount": n,
            "currency": "USD",
            "payment_method": {"type": "card", "token": "tok_ok"},
            "idempotency_key": f"k{n}",
        }
        for n in (1, 2, 3)
    ]
    raw = "\n".join(map(json.dumps, [*bodies, {**bodies[0], "idempotency_key": "k4", "amount": 0}]))
    (tmp_path / "file").write_text(raw + "\n")
    numbers = ("accepted", "replayed", "refused")
    shop.post("/v1/payments/batches", data=json.dumps(bodies[0]), content_type="application/x-ndjson")
    ran = aegis("pay", "--file", str(tmp_path / "file"), "--wait", "0", "--json")
    assert [ran.json[name] for name in numbers] == [2, 1, 1]
    assert ran.json["not_sent"] == 0
    told = shop.post("/v1/payments/batches", data=raw, content_type="application/x-ndjson").json
    again = aegis("pay", "--file", str(tmp_path / "file"), "--wait", "0", "--json").json
    assert [told[name] for name in numbers] == [again[name] for name in numbers] == [0, 3, 1]


# --- 32


@pytest.mark.parametrize("url", ["http://127.0.0.1:9009/hooks", "HTTP://127.0.0.1:9009/hooks"])
def test_an_endpoint_that_is_there_already_is_refused_and_named(
    aegis: Aegis, shop: Merchant, url: str
) -> None:
    first = shop.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9009/hooks"}).json["id"]
    twice = shop.post("/v1/webhook-endpoints", json={"url": url, "event_types": ["payment.succeeded"]})
    assert (twice.status_code, twice.json["code"], twice.json["endpoint_id"]) == (
        409,
        "duplicate_endpoint",
        first,
    )
    ran = aegis("outbox", "endpoints", "add", url, "--merchant", "shop")
    assert (ran.exit_code, first in ran.err, "arrive twice" in ran.err) == (3, True, True)
    assert len(shop.get("/v1/webhook-endpoints").json["data"]) == 1


def test_endpoints_that_share_no_event_a_place_or_a_merchant_are_no_duplicates(
    api: Api, shop: Merchant
) -> None:
    url = "http://127.0.0.1:9009/hooks"
    path = shop.post("/v1/webhook-endpoints", json={"url": url, "event_types": ["payment.failed"]}).headers[
        "Location"
    ]
    for body in (
        {"url": url, "event_types": ["payment.succeeded"]},
        {"url": url + "?of=b"},
        {"url": "http://127.0.0.1:9010/hooks"},
    ):
        assert shop.post("/v1/webhook-endpoints", json=body).status_code == 201, body
    assert api.merchant("other").post("/v1/webhook-endpoints", json={"url": url}).status_code == 201
    refused = shop.post("/v1/webhook-endpoints", json={"url": url, "event_types": ["payment.failed"]})
    assert refused.status_code == 409
    assert shop.delete(path).status_code == 204
    again = shop.post("/v1/webhook-endpoints", json={"url": url, "event_types": ["payment.failed"]})
    assert again.status_code == 201


# --- 33


@pytest.mark.parametrize(
    ("amount", "currency", "meant"),
    [
        ("19.99", "USD", "19.99 USD is --amount 1999"),
        ("19,99", "EUR", "19.99 EUR is --amount 1999"),
        ("19 USD", "USD", "19.00 USD is --amount 1900"),
        ("$19.99", "USD", "19.99 USD is --amount 1999"),
        ("USD 5.5", "USD", "5.50 USD is --amount 550"),
        ("1.234", "KWD", "1.234 KWD is --amount 1234"),
        ("1,999", "USD", "19.99 USD is --amount 1999"),
        ("1.999,00", "EUR", "19.99 USD is --amount 1999"),
        ("19.999", "USD", "19.99 USD is --amount 1999"),
        ("1999.0", "JPY", "1999 JPY is --amount 1999"),
        ("1e3", "USD", "minor units"),
        ("0", "USD", "above 0"),
        ("-5", "USD", "above 0"),
        ("٣", "USD", "minor units"),
        ("nineteen", "USD", "minor units"),
        ("", "USD", "minor units"),
        ("19.99", "XYZ", "19.99 USD is --amount 1999"),
    ],
)
def test_an_amount_that_is_no_minor_units_is_explained(
    aegis: Aegis, amount: str, currency: str, meant: str
) -> None:
    ran = aegis("pay", "--amount", amount, "--currency", currency, "--token", "tok_ok")
    assert ran.exit_code == 2
    assert meant in " ".join(ran.err.split())
    assert "minor units" in ran.err


# --- 39


def test_a_repeat_with_prefer_tells_how_the_payment_stands_whether_or_not_there_was_a_place_to_wait(
    api: Api, shop: Merchant
) -> None:
    first = shop.post_payment(key="k", prefer="wait=0")
    api.settle(*SUCCEEDED)
    plain = shop.post_payment(key="k")
    assert (plain.status_code, plain.data) == (202, first.data)
    waiters = api.app.extensions["aegis"].waiters
    waiting = shop.post_payment(key="k", prefer="wait=5")
    with waiters.place(), waiters.place():
        no_place = shop.post_payment(key="k", prefer="wait=5")
    for answer, applied in ((waiting, "wait=5"), (no_place, None)):
        assert (answer.status_code, answer.json["state"]) == (200, "SUCCESS")
        assert answer.headers["Idempotent-Replayed"] == "true"
        assert answer.headers.get("Preference-Applied") == applied
    assert waiting.json == no_place.json


# --- 40


def broken_file(tmp_path: Path, name: str, content: bytes) -> str:
    (tmp_path / name).write_bytes(content)
    return str(tmp_path / name)


GOOD = {"amount": 5, "currency": "USD", "payment_method": {"type": "card", "token": "tok_ok"}}


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (b'{"amount": 5,, "currency": "USD"}', 14),
        (b"nonsense", 1),
        (b'{"amount": NaN}', 1),
        (b'{"amount": 5, "amount": 6}', 1),
        (b'{"a": "\xff"}', 8),
        (b'   {"a" 5}', 9),
        (b"[]", 1),
        (b'{"amount": 5', 13),
    ],
)
def test_a_file_with_a_line_that_is_no_json_is_wrong_usage_and_nothing_of_it_is_posted(
    aegis: Aegis, shop: Merchant, database: Database, tmp_path: Path, line: bytes, column: int
) -> None:
    good = json.dumps(GOOD).encode()
    path = broken_file(tmp_path, "file", good + b"\n\n" + line + b"\n" + good + b"\n")
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert ran.exit_code == 2
    (error,) = ran.json["errors"]
    assert (error["line"], error["column"], error["code"]) == (3, column, "malformed_json")
    assert (ran.json["accepted"], ran.json["not_sent"]) == (0, 3)
    told = aegis("pay", "--file", path, "--wait", "0")
    assert (told.exit_code, "nothing was posted" in told.err) == (2, True)
    assert shop.get("/v1/payments").json["data"] == []


def test_a_byte_order_mark_is_skipped_in_every_file(aegis: Aegis, shop: Merchant, tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    ran = aegis(
        "pay", "--file", broken_file(tmp_path, "f", mark + json.dumps(GOOD).encode()), "--wait", "0", "--json"
    )
    assert (ran.exit_code, ran.json["accepted"]) == (0, 1)
    toml = broken_file(tmp_path, "d.toml", mark + b'fallback = ["sandbox_b"]\r\n')
    assert aegis("routing", "check", toml, "--json").json["ok"]
    assert aegis("routing", "check", broken_file(tmp_path, "d.json", mark + b"{}"), "--json").json["ok"]


@pytest.mark.parametrize(
    ("name", "content", "line", "column"),
    [
        ("d.toml", b'strategy = "x"\nfallback = [\n', 3, 1),
        ("d.toml", b"strategy =\n", 1, 11),
        ("d.toml", b"a = 1\na = 2\n", 2, 6),
        ("d.toml", b"ok = 1\nx = \xff\n", 2, 5),
        ("d.json", b'{\n  "strategy": }\n', 2, 15),
        ("d.json", b'{"a": 1, "a": 2}', 1, 1),
        ("d.json", b'{"a": NaN}', 1, 1),
        ("d.json", b"[]", 1, 1),
    ],
)
def test_a_routing_file_with_a_syntax_error_is_wrong_usage_with_its_place(
    aegis: Aegis, api: Api, tmp_path: Path, name: str, content: bytes, line: int, column: int
) -> None:
    path = broken_file(tmp_path, name, content)
    for command in (
        ("routing", "check", path),
        ("routing", "apply", path, "--reason", "it is cheaper"),
        ("routing", "simulate", "--config", path),
    ):
        ran = aegis(*command, "--json")
        assert ran.exit_code == 2
        (problem,) = ran.json["problems"]
        assert (problem["line"], problem["column"], problem["code"]) == (line, column, "syntax_error")
        assert ran.json["ok"] is False
        plain = aegis(*command)
        assert (plain.exit_code, plain.out) == (2, "")
        assert f"{path}: line {line}, column {column}: " in plain.err
