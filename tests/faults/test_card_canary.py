"""A card number and its security code are sent down every path there is, and are then found nowhere (I8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sentry_sdk
from support.api_client import Merchant, start_api
from support.card_canary import CVV, PAN, WRITTEN, bodies, dump, files_that_hold_it, holds_it
from support.installation import Installation, card
from support.payments import accept_one, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway
from werkzeug.test import TestResponse

from aegis_worker.domain.card_numbers import luhn_valid
from aegis_worker.domain.outcomes import Declined
from aegis_worker.observability.errors import configure_error_reports
from aegis_worker.persistence.database import Database


def requests(shop: Merchant) -> Iterator[TestResponse]:
    """Every way into the API with the card on it."""
    for body in bodies():
        yield shop.post_body(body)
    for raw in (f'{{"description": "{PAN}"', f"{PAN}", f'{{"{PAN}": NaN}}', f"card={PAN}&cvv={CVV}"):
        for kind in ("application/json", "application/x-www-form-urlencoded", f"text/{PAN}"):
            yield shop.post("/v1/payments", data=raw, headers={"Content-Type": kind, "Idempotency-Key": "k"})
    yield from in_batches(shop)
    yield from by_header(shop)
    for number in WRITTEN:
        in_url = quote(number)
        for path in ("payments", "jobs", "webhook-endpoints", "events", ""):
            yield shop.get(f"/v1/{path}/{in_url}")
            yield shop.get(f"/v1/{path}?reference={in_url}&{in_url}=1&cvv={CVV}")
        yield shop.post(f"/v1/payments/{in_url}/sync")
        yield shop.post(f"/v1/events/{in_url}/redeliver")
        yield shop.post(f"/v1/gateways/{in_url}/webhooks", data=f'{{"id": "{number}"}}')
        yield shop.post("/v1/gateways/sandbox_a/webhooks", data=f'{{"id": "{number}", "cvv": "{CVV}"}}')
        for url in (
            f"https://shop.example/{in_url}",
            f"https://{PAN}.example/",
            f"https://u:{in_url}@shop.example/",
        ):
            yield shop.post("/v1/webhook-endpoints", json={"url": url, "description": number})


def in_batches(shop: Merchant) -> Iterator[TestResponse]:
    """The same bodies as lines beside a good one, the card as a key, and lines that are no JSON."""
    good = {"amount": 1999, "currency": "USD", "payment_method": {"type": "card", "token": "tok_ok"}}
    lines = [json.dumps({"idempotency_key": f"b-{n}", **body}) for n, body in enumerate(bodies())]
    lines += [json.dumps({"idempotency_key": number, **good}) for number in WRITTEN]
    lines += [json.dumps({"idempotency_key": number, **good, "amount": 0}) for number in WRITTEN]
    lines += [f'{{"description": "{PAN}"', PAN, f'{{"{PAN}": NaN}}', f"card={PAN}&cvv={CVV}"]
    lines.append(json.dumps({"idempotency_key": "b-good", **good}))
    for kind in ("application/x-ndjson", f"text/{PAN}"):
        answer = shop.post("/v1/payments/batches", data="\n".join(lines), headers={"Content-Type": kind})
        assert kind != "application/x-ndjson" or answer.json["accepted"] == 1
        yield answer


def by_header(shop: Merchant) -> Iterator[TestResponse]:
    for number in WRITTEN:
        for name in (
            "Idempotency-Key",
            "X-Card",
            "User-Agent",
            "Request-Id",
            "traceparent",
            "Prefer",
            "Accept",
        ):
            body = {"amount": 1999, "currency": "USD", "payment_method": {"type": "card", "token": "tok_ok"}}
            yield shop.post("/v1/payments", json=body, headers={"Idempotency-Key": "k-1", name: number})
        yield shop.get("/v1/payments", headers={"If-None-Match": f'"{number}"'})
        yield shop.get("/v1/payments", headers={"Authorization": f"Bearer {number}"})


@pytest.mark.row(61)
def test_a_card_sent_anywhere_into_the_api_is_neither_kept_nor_answered_nor_logged(
    database_url: str, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    assert luhn_valid(PAN)
    shop = start_api(database_url).merchant()
    answers = list(requests(shop))
    run_until_quiet(pipeline(database, ScriptedGateway("sandbox_a"), ScriptedGateway("sandbox_b")))
    for answer in answers:
        assert answer.status_code < 500
        assert not holds_it(answer.data + str(answer.headers).encode()), answer.data
    assert not holds_it(dump(database_url))
    printed = capfd.readouterr()
    assert not holds_it(printed.out + printed.err)


@pytest.mark.row(61)
def test_what_a_gateway_says_about_a_card_is_kept_without_the_card(
    database_url: str, database: Database
) -> None:
    talkative = Declined("stolen_card", PAN, f"card {PAN} was reported stolen")
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a", lambda request: talkative)))
    kept = dump(database_url)
    assert "was reported stolen" in kept
    assert not holds_it(kept)


@pytest.mark.row(61)
def test_an_error_report_holds_no_card() -> None:
    told: list[bytes] = []
    configure_error_reports("http://key@127.0.0.1:1/1", "test")
    try:
        transport = sentry_sdk.get_client().transport
        assert transport is not None
        transport.capture_envelope = lambda envelope: told.append(envelope.serialize())  # type: ignore[method-assign]
        sentry_sdk.add_breadcrumb(message=f"posting {PAN}", data={"cvv": CVV})
        try:
            cvv, body = CVV, {"number": PAN, "cvv": CVV}
            raise ValueError(f"{body['number']} was refused ({len(cvv)})")
        except ValueError:
            sentry_sdk.capture_exception()
        sentry_sdk.capture_message(f"card {PAN}")
    finally:
        sentry_sdk.init(default_integrations=False)
    assert len(told) == 2
    assert not any(map(holds_it, told))


@pytest.mark.slow
@pytest.mark.row(61)
def test_a_card_sent_to_a_whole_installation_is_in_no_log_file_dump_or_queue(
    running: Installation, folder: Path, tmp_path: Path
) -> None:
    paid = running.ended(running.accepted("tok_ok"))
    for body in bodies():
        holds = holds_it(json.dumps(running.post(body).body))
        assert not holds, body
    for number in WRITTEN:
        headers: dict[str, Any] = {"User-Agent": number}
        for path in (f"/v1/payments/{quote(number)}", f"/v1/payments?reference={quote(number)}"):
            assert not holds_it(json.dumps(running.send("GET", path, **headers).body))
        running.send("POST", "/v1/gateways/sandbox_a/webhooks", {"id": number, "cvv": CVV})
    from_a_file = tmp_path / "payments.jsonl"
    from_a_file.write_text("\n".join(json.dumps(body) for body in bodies()))
    printed = [
        running.aegis("pay", "--amount", "1999", "--currency", "USD", "--token", PAN, "--wait", "0"),
        running.aegis(
            *("pay", "--amount", "1999", "--currency", "USD", "--token", "tok_ok", "--wait", "0"),
            *("--reference", PAN, "--idempotency-key", PAN, "--json"),
        ),
        running.aegis("pay", "--file", str(from_a_file), "--wait", "0", "--json"),
        running.aegis("status", PAN),
        running.aegis("timeline", PAN),
    ]
    assert [ran.returncode for ran in printed if ran.returncode == 0] == []
    for ran in printed:
        assert not holds_it(ran.stdout + ran.stderr), ran.args
    assert paid["state"] == "SUCCESS"
    assert not holds_it(dump(running.settings["DATABASE_URL"]))
    assert not holds_it(running.printed())
    assert files_that_hold_it(folder) == []


@pytest.mark.row(61)
def test_the_search_finds_the_card_where_it_is() -> None:
    assert all(map(holds_it, (*WRITTEN, f'{{"cvv": "{CVV}"}}', quote(WRITTEN[1]))))
    assert not holds_it(json.dumps(card("tok_ok")))
