"""Keys and references are compared in one form, by every door and by the database; what people write is taken."""

# ruff: noqa: RUF001 — characters that look like others are what this is about
from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql
from support.api_client import CARD, Api, Merchant, Reply, codes, start_api
from support.command_line import Aegis, aegis, install, served
from support.payments import rows

from aegis_worker.domain.text import is_name, same_name
from aegis_worker.persistence import migrate
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]

SMALLEST = {"amount": 1999, "currency": "USD", "payment_method": CARD}
ONE_REFERENCE = [
    ("order-1042", "order-1042 "),
    ("order-1042", " order-1042"),
    ("order-1042", "\u00a0order-1042\u3000"),
    ("café", unicodedata.normalize("NFD", "café")),
    ("order-1042", "ｏｒｄｅｒ-１０４２"),  # full width, as some keyboards write it
    ("order-1042", "order\u200b-1042"),
    ("order-1042", "\u2060order-1042\u00ad"),
    ("order-1042", "\u200eorder-1042\u200f"),
    ("\uac00", "\u1100\u1161"),
    ("👨‍👩‍👧", "👨👩👧"),
]
TWO_REFERENCES = [("order-1", "Order-1"), ("order 1", "order  1"), ("order-1", "order_1"), ("a-b", "ab")]


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def batch(shop: Merchant, *lines: dict[str, Any]) -> list[dict[str, Any]]:
    body = "\n".join(json.dumps(line) for line in lines)
    answer = shop.post(
        "/v1/payments/batches", data=body.encode(), headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json["data"])


def code_of(answer: Reply) -> str:
    return str(answer.json.get("code"))


@pytest.mark.parametrize(("one", "other"), ONE_REFERENCE)
def test_a_reference_in_another_form_is_the_same_reference(shop: Merchant, one: str, other: str) -> None:
    first = shop.accepted(reference=one)
    assert first["reference"] == one
    assert code_of(shop.post_payment(reference=other)) == "duplicate_reference"
    (line,) = batch(shop, {**SMALLEST, "reference": other, "idempotency_key": "b-1"})
    assert line["problem"]["code"] == "duplicate_reference"
    found = shop.get("/v1/payments", query_string={"reference": other})
    assert [payment["id"] for payment in found.json["data"]] == [first["id"]]


@pytest.mark.parametrize(("one", "other"), ONE_REFERENCE)
def test_two_lines_of_a_batch_with_one_reference_in_two_forms_are_one_payment(
    shop: Merchant, one: str, other: str
) -> None:
    lines = batch(
        shop,
        {**SMALLEST, "reference": one, "idempotency_key": "b-1"},
        {**SMALLEST, "reference": other, "idempotency_key": "b-2"},
        {**SMALLEST, "reference": "another", "idempotency_key": "b-3"},
    )
    assert [line["outcome"] for line in lines] == ["accepted", "refused", "accepted"]


@pytest.mark.parametrize(("one", "other"), TWO_REFERENCES)
def test_case_and_spaces_within_make_another_reference(shop: Merchant, one: str, other: str) -> None:
    assert shop.accepted(reference=one)["id"] != shop.accepted(reference=other)["id"]


def test_the_same_request_with_its_reference_in_another_form_is_replayed(shop: Merchant) -> None:
    first = shop.post_payment(key="k", reference="café")
    again = shop.post_payment(key="k", reference=unicodedata.normalize("NFD", "café") + " ")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.data == first.data


def test_a_reference_that_is_free_again_may_be_used_in_any_form(api: Api, shop: Merchant) -> None:
    shop.accepted(reference="order-1")
    failed = "UPDATE payments SET state = 'FAILURE'"
    api.database.run(lambda connection: connection.execute(sql(failed)))
    assert shop.accepted(reference="order-1 ")


def test_a_key_with_spaces_around_it_is_the_key_by_every_door(
    api: Api,
    shop: Merchant,
    aegis: Aegis,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = shop.accepted(key="order 7")
    (line,) = batch(shop, {**SMALLEST, "idempotency_key": "  order 7 "})
    assert (line["outcome"], line["payment_id"]) == ("replayed", first["id"])
    assert line["idempotency_key"] == "order 7"
    assert shop.post_payment(key=" order 7 ").json["id"] == first["id"]
    install(monkeypatch, database_url, AEGIS_API_KEY=shop.key)
    path = tmp_path / "payments.jsonl"
    path.write_text(json.dumps({**SMALLEST, "idempotency_key": "order 7  "}) + "\n")
    with served(api.app) as url:
        ran = aegis("pay", "--url", url, "--file", str(path), "--wait", "0", "--json")
        assert (ran.json["replayed"], ran.json["refused"]) == (1, 0)
        options = ("--amount", "1999", "--currency", "USD", "--token", CARD["token"], "--wait", "0", "--json")
        ran = aegis("pay", "--url", url, *options, "--idempotency-key", " order 7")
    assert (ran.json["replayed"], ran.json["payment"]["id"]) == (True, first["id"])
    assert rows(api.database, "SELECT key FROM idempotency_keys") == [{"key": "order 7"}]


@pytest.mark.parametrize("key", ["K,K", "K, K", ",", "a,b,c", " ", "é", "k\tk", "k" * 256])
def test_a_key_that_could_be_two_is_refused_by_every_door(
    shop: Merchant, aegis: Aegis, database: Database, key: str
) -> None:
    answer = shop.post("/v1/payments", json=SMALLEST, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key})
    assert (answer.status_code, code_of(answer)) == (400, "idempotency_key_invalid")
    (line,) = batch(shop, {**SMALLEST, "idempotency_key": key})
    assert line["problem"]["code"] == "idempotency_key_invalid"
    ran = aegis("pay", "--amount", "1", "--currency", "USD", "--token", "tok_a", "--idempotency-key", key)
    assert ran.exit_code == 2
    assert rows(database, "SELECT id FROM payments") == []


def test_the_database_compares_as_the_code_does(database: Database) -> None:
    names = [
        prefix + chr(point) + suffix
        for point in [*range(0x20, 0x3000), *range(0xF900, 0xFFFE), *range(0xE0000, 0xE0200)]
        for prefix, suffix in (("", "a"), ("e", "\u0301"))
        if is_name(prefix + chr(point) + suffix)
    ]
    with database.read() as connection:
        asked = connection.exec_driver_sql(
            "SELECT aegis_same_name(name) FROM unnest(%(names)s::text[]) WITH ORDINALITY AS t(name, place) ORDER BY place",
            {"names": names},
        )
        told = [row[0] for row in asked]
    differ = [(name, form) for name, form in zip(names, told, strict=True) if form != same_name(name)]
    assert differ == []
    assert len(names) > 20_000


def test_a_reference_is_found_by_its_index(database: Database, shop: Merchant) -> None:
    with database.read() as connection:
        # A few rows are read faster by other ways, and which the planner takes depends on when the table was last analyzed.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN SELECT id FROM payments WHERE merchant_id = 'mer_a' AND reference IS NOT NULL"
            " AND aegis_same_name(reference) = aegis_same_name('order-1')"
        )
        told = "\n".join(row[0] for row in plan)
    assert "payments_live_reference" in told
    assert told.index("Index Cond") < told.index("'order-1'")


@pytest.mark.slow
def test_a_database_with_references_and_keys_in_several_forms_is_taken_over(
    database_url: str, database: Database
) -> None:
    migrate.downgrade(database_url, "0005")
    old = [
        ("pay_1", "order-1", "SUCCESS"),
        ("pay_2", "order-1 ", "INITIATED"),
        ("pay_3", " order-1", "FAILURE"),
    ]
    old += [
        ("pay_4", "caf\u00e9", "PROCESSING"),
        ("pay_5", "cafe\u0301", "SUCCESS"),
        ("pay_6", " ", "SUCCESS"),
    ]
    old += [("pay_7", "\u00a0", "SUCCESS"), ("pay_8", "\ufdfa" * 255, "SUCCESS"), ("pay_9", "x", "INITIATED")]

    def write(connection: Any) -> None:
        for id_, reference, state in old:
            connection.exec_driver_sql(
                "INSERT INTO payments (id, merchant_id, reference, amount_minor, currency, payment_method, customer,"
                " metadata, state, version) VALUES (%s, 'mer_a', %s, 1, 'USD', '{}', '{}', '{}', %s, 1)",
                (id_, reference, state),
            )
        for key in (" k ", "k2", " k2", "  "):
            connection.exec_driver_sql(
                "INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)"
                " VALUES ('mer_a', 'POST /v1/payments', %s, 'x', 'pay_1', 'job_1')",
                (key,),
            )

    database.run(write)
    migrate.upgrade(database_url)
    found = rows(database, "SELECT id, reference, reference_twin FROM payments ORDER BY id")
    assert [(row["id"], row["reference"]) for row in found] == [(id_, name) for id_, name, _ in old]
    twins = {row["id"]: row["reference_twin"] for row in found if row["reference_twin"] is not None}
    assert twins == {"pay_2": 1, "pay_4": 1, "pay_7": 1}
    kept = {row["key"] for row in rows(database, "SELECT key FROM idempotency_keys")}
    assert kept == {"k", "k2", " k2", "  "}
    shop = start_api(database_url).merchant()
    for reference in ("order-1", "order-1 ", "café", "cafe\u0301", "x "):
        assert code_of(shop.post_payment(reference=reference)) == "duplicate_reference"
    # A process of the version before takes keys from batches as they come.
    database.run(
        lambda connection: connection.exec_driver_sql(
            "INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)"
            " VALUES ('mer_a', 'POST /v1/payments', ' late', 'x', 'pay_1', 'job_1')"
        )
    )
    assert code_of(shop.post_payment(key="late")) == "idempotency_key_reused"


WRITTEN = [
    "two lines\nand a third\n",
    "Windows\r\nlines",
    "an old Mac's\rlines",
    "a\ttab",
    "pasted\u2028from a page\u2029",
    "👨‍👩‍👧‍👦 ❤️ 👍🏽 🇮🇳",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "e\u0301 and Z\u0351\u036b\u0343",
    "שלום \u200fעולם\u200e",
    "می\u200cخواهم",
    "สวัสดี\u200bครับ",
    "葛\U000e0100城",
    "soft\u00adhyphen, no\u00a0break",
    "an emoji of tomorrow: \U0001fae8\U0001fade",
    "\uf8ff",
    "“quoted” — ½ № 7…",
    "<b>&amp;</b>'\"\\",
]
DECEIVES = [
    *(chr(point) for point in [*range(9), 11, 12, *range(14, 32), *range(127, 160)]),
    *(chr(point) for point in [*range(0x202A, 0x202F), *range(0x2066, 0x2070)]),
    *(chr(point) for point in [0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB, 0xFFFE, 0xFFFF, 0xFDD0, 0xFDEF]),
    *(chr(point) for point in [0x1FFFE, 0x8FFFF, 0x10FFFE, 0x10FFFF, 0xE0001, 0xE0041, 0xE007F]),
    "🏴\U000e0067\U000e0062",
    "🏴\U000e0041\U000e007f",
]
LINE_BREAKS = ["\n", "\r", "\r\n", "\t", "\u2028", "\u2029"]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_is_taken_and_comes_back_as_it_was(shop: Merchant, text: str) -> None:
    accepted = shop.accepted(description=text, metadata={"note": text})
    shown = shop.get(accepted["links"]["self"]).json
    assert (shown["description"], shown["metadata"]) == (text, {"note": text})
    (line,) = batch(shop, {**SMALLEST, "description": text, "metadata": {"a": text}, "idempotency_key": "b"})
    assert line["outcome"] == "accepted"


@pytest.mark.slow
@pytest.mark.parametrize("text", DECEIVES)
def test_what_deceives_is_refused_in_every_field_and_by_every_door(shop: Merchant, text: str) -> None:
    text = f"a{text}b"
    cases: dict[str, dict[str, Any]] = {
        "/description": {"description": text},
        "/reference": {"reference": text},
        "/customer/name": {"customer": {"name": text}},
        "/customer/id": {"customer": {"id": text}},
        "/customer/email": {"customer": {"email": f"{text}@shop.example"}},
        "/metadata/k": {"metadata": {"k": text}},
    }
    for pointer, fields in cases.items():
        assert codes(shop.post_payment(**fields)) == [(pointer, "invalid_characters")]
        (line,) = batch(shop, {**SMALLEST, **fields, "idempotency_key": "b"})
        assert line["problem"]["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("text", [chr(0xD800), chr(0xDFFF)], ids=["first", "second"])
def test_half_a_surrogate_pair_is_no_json(shop: Merchant, text: str) -> None:
    answer = shop.post_payment(description=text)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")
    (line,) = batch(shop, {**SMALLEST, "description": text, "idempotency_key": "b"})
    assert line["problem"]["code"] == "malformed_json"


@pytest.mark.parametrize("text", LINE_BREAKS)
def test_names_are_of_one_line(shop: Merchant, text: str) -> None:
    cases: dict[str, dict[str, Any]] = {
        "/reference": {"reference": f"a{text}b"},
        "/customer/name": {"customer": {"name": f"a{text}b"}},
        "/customer/id": {"customer": {"id": f"a{text}b"}},
    }
    for pointer, fields in cases.items():
        assert codes(shop.post_payment(**fields)) == [(pointer, "invalid_characters")]


@pytest.mark.parametrize("key", ["order.line", "order-line", ".", "-", "a.b-c_d", "constructor", "x" * 128])
def test_metadata_keys_may_hold_dots_and_dashes_and_rules_may_ask_for_them(api: Api, key: str) -> None:
    shop, operator = api.merchant(), api.operator()
    assert shop.accepted(metadata={key: "gold"})["metadata"] == {key: "gold"}
    condition = {"field": f"metadata.{key}", "operator": "eq", "value": "gold"}
    rule = {"id": "gold", "gateway": "sandbox_z", "conditions": [condition]}
    answer = operator.open(
        "/v1/routing", method="PUT", json={"config": {"rules": [rule]}, "reason": "gold customers"}
    )
    # The gateway is none of this installation; the condition is right.
    assert {error["pointer"] for error in answer.json["errors"]} == {"/config/rules/0/gateway"}
