"""Card data at the API's door: every disguise is refused, ordinary orders are taken, and looking for it holds nobody up."""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from support.api_client import Api, Merchant, start_api
from support.disguised_card_numbers import DISGUISED_NUMBERS, VISA
from support.disguised_security_codes import CODE_FIELDS, DISGUISED_CODES
from support.ordinary_orders import ordinary_orders
from support.payments import rows

from aegis_worker.domain import card_search

CARD = {"type": "card", "token": "tok_visa"}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, max_body_bytes=65_536)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


@contextmanager
def searched() -> Iterator[list[int]]:
    """The lengths of the texts that are searched for card data meanwhile."""
    lengths: list[int] = []
    entered = card_search.holds_card_data.__code__

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code is entered:
            lengths.append(len(frame.f_locals["text"]))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield lengths
    finally:
        sys.setprofile(before)


def in_a_batch(shop: Merchant, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    body = "\n".join(map(json.dumps, lines))
    answer = shop.post("/v1/payments/batches", data=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return list(answer.json["data"])


def in_each_field(text: str) -> tuple[dict[str, Any], ...]:
    return (
        {"reference": text},
        {"description": f"for {text}."},
        {"metadata": {"note": text}},
        {"customer": {"name": text}},
    )


def test_every_disguise_is_refused_in_every_field_and_nothing_of_it_is_kept(api: Api, shop: Merchant) -> None:
    lines = [
        {
            "idempotency_key": f"k-{number}-{place}",
            "amount": 1999,
            "currency": "USD",
            "payment_method": CARD,
            **fields,
        }
        for number, text in enumerate([*DISGUISED_NUMBERS, *DISGUISED_CODES])
        for place, fields in enumerate(in_each_field(text))
    ]
    lines += [
        {
            "idempotency_key": f"c-{name}",
            "amount": 1999,
            "currency": "USD",
            "payment_method": CARD,
            "metadata": {name: "123"},
        }
        for name in CODE_FIELDS
    ]
    for at in range(0, len(lines), 500):
        for told in in_a_batch(shop, lines[at : at + 500]):
            assert told["outcome"] == "refused", lines[at + told["line"] - 1]
            assert told["problem"]["code"] == "sensitive_data_rejected"
    assert rows(api.database, "SELECT * FROM payments") == []


def test_of_1000_ordinary_orders_at_most_one_is_refused_for_card_data(shop: Merchant) -> None:
    orders = [
        {**order, "amount": 1999, "currency": "USD", "payment_method": CARD}
        for order in ordinary_orders(1000)
    ]
    told = in_a_batch(shop, orders)
    refused = [one for one in told if one["outcome"] == "refused"]
    assert len(told) == 1000
    assert sum(one["problem"]["code"] == "sensitive_data_rejected" for one in refused) <= 1


def test_a_reference_or_key_that_only_looks_like_a_card_has_a_form_that_is_taken(shop: Merchant) -> None:
    refused = shop.post_payment(reference=VISA)
    assert refused.json["errors"][0]["pointer"] == "/reference"
    by_key = shop.post_payment(key=VISA)
    for answer in (refused, by_key):
        assert answer.status_code == 422
        assert "UUID" in answer.json["errors"][0]["detail"]
        assert "SHA-256" in answer.json["errors"][0]["detail"]
    for form in (str(uuid.uuid5(uuid.NAMESPACE_URL, VISA)), hashlib.sha256(VISA.encode()).hexdigest()):
        assert shop.post_payment(key=form, reference=form).status_code == 202
        assert len(shop.get(f"/v1/payments?reference={form}").json["data"]) == 1


@pytest.mark.parametrize("piece", ["5-", "4111 ", "cvv 12", "\uff15", "%34", "5555 "])
def test_nothing_is_searched_for_callers_that_nobody_knows(api: Api, piece: str) -> None:
    """But for a Request-Id of at most 128 characters, which is answered and logged."""
    client = api.app.test_client()
    body = json.dumps({"description": piece * (60_000 // len(piece))})
    bearer = {"Authorization": "Bearer aegis_test_" + "x" * 40}
    with searched() as lengths:
        for headers in ({}, bearer, {**bearer, "Request-Id": piece * 2000, "Idempotency-Key": piece * 2000}):
            for path in ("/v1/payments", "/v1/payments/batches", "/v1/webhook-endpoints", "/v1/nothing"):
                for kind in ("application/json", "application/x-ndjson"):
                    answer = client.post(path, data=body, headers={**headers, "Content-Type": kind})
                    assert answer.status_code in (401, 404, 405)
        client.get("/v1/payments/" + "5-" * 2000)
        client.get("/v1/payments?reference=" + "5-" * 2000 + "&" + "5-" * 2000 + "=1")
        client.post("/v1/gateways/" + "5-" * 500 + "/webhooks", data=body)
    assert lengths == []


def test_what_is_only_repeated_is_not_searched(shop: Merchant) -> None:
    with searched() as lengths:
        for path in ("/v1/payments?", "/v1/payments/", "/v1/events/", "/v1/"):
            answer = shop.get(path + "5-" * 900 + "=1")
            assert answer.status_code in (404, 422)
            assert "5-5-5-5-5-5-5" not in answer.text
    assert lengths == []


def test_a_body_longer_than_is_taken_is_not_searched(shop: Merchant) -> None:
    with searched() as lengths:
        answer = shop.post_payment(description="5-" * 40_000)
        lines = b'{"description": "' + b"5-" * 40_000 + b'"}'
        in_lines = shop.post(
            "/v1/payments/batches", data=lines, headers={"Content-Type": "application/x-ndjson"}
        )
    assert answer.status_code == 413
    assert in_lines.json["data"][0]["problem"]["code"] == "payload_too_large"
    assert lengths == []
