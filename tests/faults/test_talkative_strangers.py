"""Gateways and merchants' endpoints that repeat a card in whatever they say: it is kept, told and logged nowhere (I8)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import redis
from support.api_client import start_api
from support.card_canary import CVV, PAN, WRITTEN, dump, holds_it
from support.merchant_server import a_sink, answers
from support.outbox_events import claim_and_fan_out
from support.payments import accept_one, let_pass, make_due, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.cli.checks_gateways import answers as doctor_asks
from aegis_worker.delivery.webhooks.deliver import deliver_due
from aegis_worker.delivery.webhooks.endpoints import create_endpoint
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, NotSent, Pending, Unknown
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.gateways.sandbox.webhook import SIGNATURE_HEADER
from aegis_worker.persistence.database import Database
from aegis_worker.reconcile import ReconcileParts, reconcile

pytestmark = pytest.mark.row(61)

SECRET = "a webhook secret"
SAID = tuple(f"card {number} with cvv: {CVV}" for number in WRITTEN)


def outcomes(said: str) -> list[Any]:
    """Every outcome with the card in each of its texts."""
    return [
        Approved(said),
        Declined("stolen_card", said, said, said),
        Declined("stolen_card", "05", f"refused: {said}"),
        ActionRequired(said, Redirect("https://gateway.example/3ds")),
        ActionRequired("ch_1", Redirect(f"https://gateway.example/3ds?card={said.replace(' ', '%20')}")),
        Pending(said),
        Pending("ch_1", said),
        NotSent(said),
        Unknown(said),
    ]


class Nobody:
    """Waits for no hint."""

    def notify(self, queue: str) -> None:
        """Nothing comes of it."""


@contextmanager
def a_talkative_gateway(status: int, body: str, reason: str) -> Iterator[LoadedGateway]:
    """A server that answers everything with this, and the sandbox's adapter for it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status, reason)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    gateway = LoadedGateway(
        SandboxAdapter(GatewayConfig("sandbox_a", "sandbox", url, "k", webhook_secrets=(SECRET,)))
    )
    try:
        yield gateway
    finally:
        gateway.close_connections()
        server.shutdown()
        thread.join()
        server.server_close()


def everything_shown(database_url: str, *gateways: Any) -> str:
    """What the API shows to the merchant of these tests and to an operator."""
    api = start_api(database_url, *gateways)
    merchant, operator = api.merchant("m_1"), api.operator()
    shown = [merchant.get("/v1/payments?limit=100"), merchant.get("/v1/webhook-deliveries?limit=100")]
    for path in (
        "ops/stuck",
        "ops/reviews",
        "ops/incidents",
        "gateways",
        "ops/audit-log",
        "ops/reconciliations",
    ):
        shown.append(operator.get(f"/v1/{path}"))
    for payment in rows(api.database, "SELECT id FROM payments"):
        path = f"/v1/payments/{payment['id']}"
        for more in ("", "/attempts", "/events", "/explain", "?expand=attempts"):
            shown.append(merchant.get(path + more))
            shown.append(operator.get(path.replace("/v1/", "/v1/ops/") + more))
    return "\n".join(answer.text for answer in shown)


@pytest.mark.parametrize("said", SAID)
@pytest.mark.slow
def test_a_card_in_any_text_of_any_outcome_is_kept_told_and_logged_nowhere(
    database_url: str, database: Database, capfd: pytest.CaptureFixture[str], said: str
) -> None:
    assert holds_it(said)
    told = outcomes(said)
    for number, outcome in enumerate(told):
        accept_one(database, f"sent-{number}")
        run_until_quiet(pipeline(database, ScriptedGateway("a", answering(outcome))))
    for number, outcome in enumerate(one for one in told if not isinstance(one, NotSent)):
        accept_one(database, f"asked-{number}")
        asked = ScriptedGateway("a", lambda request: Unknown("no answer"))
        asked.look_up = lambda query, told=outcome: told  # type: ignore[misc]
        run_until_quiet(pipeline(database, asked))
        let_pass(database, 600)
        run_until_quiet(pipeline(database, asked))
    assert not holds_it(dump(database_url))
    assert not holds_it(everything_shown(database_url))
    printed = capfd.readouterr()
    assert not holds_it(printed.out + printed.err)


def test_a_charge_whose_reference_looks_like_a_card_is_in_doubt_and_not_lost(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("a", lambda request: Approved(PAN))))
    [attempt] = rows(database, "SELECT * FROM attempts WHERE payment_id = %(id)s", id=payment_id)
    assert (attempt["status"], attempt["gateway_ref"]) == ("UNKNOWN", None)
    assert "looks like card data" in attempt["outcome"]["reason"]


_SLOW = [pytest.param(status, marks=pytest.mark.slow) for status in (201, 401, 404, 422, 429)]


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 402, 500, *_SLOW])
@pytest.mark.parametrize("said", SAID[1:2])
def test_a_gateway_that_answers_everything_with_a_card_leaves_none_of_it_anywhere(
    database_url: str,
    database: Database,
    redis_url: str,
    capfd: pytest.CaptureFixture[str],
    status: int,
    said: str,
) -> None:
    payment = {
        "id": said,
        "reference": said,
        "status": said,
        "amount": 1999,
        "currency": "USD",
        "next_action": {"redirect_url": f"https://gateway.example/?{said}"},
        "last_error": {"code": said, "message": said, "cvv": CVV},
        said: said,
    }
    body = json.dumps(
        payment | {"error": {"code": said, "message": said}, "payment": payment, "data": [payment]}
    )
    with a_talkative_gateway(status, body, reason=said) as gateway:
        for number in range(3):
            accept_one(database, f"key-{number}")
        parts = pipeline(database, gateway)
        run_until_quiet(parts)
        let_pass(database, 600)
        make_due(database)
        run_until_quiet(parts)
        [found, *_] = doctor_asks([gateway])
        shown = everything_shown(database_url, gateway)
        found_again = reconcile(
            ReconcileParts(database, {"sandbox_a": gateway}, Nobody(), lambda: None), trigger="operator"
        )
    assert not holds_it(dump(database_url))
    assert not holds_it(repr(found) + repr(found_again))
    assert not holds_it(shown)
    with redis.Redis.from_url(redis_url) as client:
        assert not any(holds_it(repr(client.dump(key)) + repr(key)) for key in client.scan_iter())
    printed = capfd.readouterr()
    assert not holds_it(printed.out + printed.err)


@pytest.mark.parametrize("said", SAID)
def test_an_event_of_a_gateway_with_a_card_in_it_is_kept_once_without_the_card(
    database_url: str, database: Database, said: str
) -> None:
    gateway = LoadedGateway(
        SandboxAdapter(
            GatewayConfig("sandbox_a", "sandbox", "http://127.0.0.1:1", "k", webhook_secrets=(SECRET,))
        )
    )
    client = start_api(database_url, gateway).app.test_client()
    event = {"id": said, "type": said, "data": {"id": said, "reference": said, "cvv": CVV}}
    for _ in range(2):
        body = json.dumps(event).encode()
        at = int(time.time())
        signature = hmac.new(SECRET.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
        answer = client.post(
            "/v1/gateways/sandbox_a/webhooks", data=body, headers={SIGNATURE_HEADER: f"t={at},v1={signature}"}
        )
        assert answer.status_code == 200
        assert not holds_it(answer.text)
    assert len(rows(database, "SELECT * FROM gateway_events")) == 1
    assert not holds_it(dump(database_url))


@pytest.mark.parametrize("said", SAID)
def test_an_endpoint_that_answers_with_a_card_leaves_none_of_it_in_the_log_of_its_deliveries(
    database_url: str, database: Database, said: str
) -> None:
    settings = start_api(database_url, webhook_allow_private=True).settings

    def not_http(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(f"{said} {said}\r\n\r\n".encode())
        request.close_connection = True

    def with_a_reason(request: BaseHTTPRequestHandler) -> None:
        request.send_response(500, said)
        request.send_header("X-Card", said)
        request.send_header("Content-Length", "0")
        request.end_headers()

    # The second: cut after 200 characters, a part of it would be left that nobody knows any more.
    bodies = (said, "x" * 190 + said, json.dumps({"pan": PAN, "cvv": CVV}), f"Retry {PAN}")
    scripts = [*(answers(500, body.encode(), Retry_After=PAN) for body in bodies), not_http, with_a_reason]
    scripts.append(answers(302, said.encode(), Location=f"https://shop.example/{PAN}"))
    with a_sink() as sink:
        for number, script in enumerate(scripts):
            sink.otherwise[f"/{number}"] = script
            create_endpoint(database, settings, Owner("m_1", "test"), sink.url(f"/{number}"), ())
        accept_one(database)
        run_until_quiet(pipeline(database, ScriptedGateway("a")))
        while database.run(lambda connection: claim_and_fan_out(connection, limit=500, lease_s=60)).moved:
            pass
        sender = HttpSender(timeout_s=10, allow_private=True)
        deliver_due(database, sender, settings, limit=64, lease_s=60)
        sender.close()
    tried = rows(database, "SELECT log FROM webhook_deliveries WHERE tries > 0")
    assert len(tried) == len(scripts)
    assert all(row["log"][-1]["error"] for row in tried)
    assert PAN[:12] not in json.dumps([row["log"] for row in tried])
    assert not holds_it(dump(database_url))
    assert not holds_it(everything_shown(database_url))
