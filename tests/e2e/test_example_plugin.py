"""The example plug-in of docs/examples: installed with pip, it blocks payments and sends mail of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

import pytest
from support.checkout import CHECKOUT
from support.installation import Installation, card, wait_until
from support.merchant_server import Script, Sink, a_sink, answers
from support.smtp_server import Mailbox, a_mail_server

EXAMPLE = CHECKOUT / "docs" / "examples" / "our-shop"
LARGE = 1_000_000


@dataclass
class Shop:
    """An installation with the plug-in, the service that it asks, and the mail server that it sends to."""

    running: Installation
    service: Sink
    mailbox: Mailbox

    def post(self, **more: object) -> str:
        reply = self.running.post({**card("tok_ok"), **more})
        assert reply.status == 202, reply.body
        return str(reply.body["id"])

    def explained(self, payment_id: str) -> str:
        return self.running.aegis("explain", payment_id, "--json").stdout

    def mail_about(self, payment_id: str) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mailbox.mails if payment_id in str(mail["Subject"])]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    site = folder / "site"
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *offline, EXAMPLE], check=True)
    with a_sink() as service, a_mail_server() as mailbox:
        ours = {
            "PYTHONPATH": os.pathsep.join([str(site), environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "OUR_FRAUD_URL": service.url("/score"),
            "OUR_SMTP_PORT": str(mailbox.port),
        }
        service.otherwise["/score"] = _scored(service)
        running = Installation(folder / "data", environ | ours, workers=1)
        try:
            yield Shop(running, service, mailbox)
        finally:
            running.stop()


def _scored(service: Sink) -> Script:
    """Large amounts are blocked, everything else may pass."""

    def script(request: BaseHTTPRequestHandler) -> None:
        asked = service.received[-1].json
        said = {"action": "allow", "reason": None, "score": 1}
        if asked["amount"] >= LARGE:
            said = {"action": "block", "reason": "larger than our orders are", "score": 99}
        answers(200, json.dumps(said).encode())(request)

    return script


def test_the_package_has_fewer_than_sixty_lines() -> None:
    files = [path for path in EXAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sorted(path.name for path in files) == ["our_shop.py", "pyproject.toml"]
    assert sum(len(path.read_text().splitlines()) for path in files) < 60


@pytest.mark.slow
def test_what_the_service_lets_pass_is_charged_and_what_it_blocks_is_not_and_a_mail_tells_of_it(
    shop: Shop,
) -> None:
    passed, blocked = shop.post(amount=1999), shop.post(amount=LARGE)
    assert shop.running.ended(passed)["state"] == "SUCCESS"
    ended = shop.running.ended(blocked)
    assert (ended["state"], ended["last_error"]["code"]) == ("FAILURE", "blocked")
    assert shop.running.charges(blocked) == []
    story = shop.explained(blocked)
    assert "our_shop:fraud_check" in story
    assert "larger than our orders are" in story
    wait_until(lambda: bool(shop.mail_about(blocked)), 30)
    assert shop.mail_about(blocked) == [f"Payment {blocked} failed: blocked"]
    assert shop.mail_about(passed) == []


@pytest.mark.slow
def test_where_the_service_does_not_answer_the_payment_is_blocked_and_explain_says_why(shop: Shop) -> None:
    shop.service.scripts["/score"] = [answers(500)]
    payment_id = shop.post(amount=1999)
    assert shop.running.ended(payment_id)["last_error"]["code"] == "blocked"
    assert "raised ConnectionError" in shop.explained(payment_id)


@pytest.mark.slow
def test_a_mail_server_that_refuses_for_now_gets_the_mail_later_with_the_same_id(shop: Shop) -> None:
    shop.mailbox.refuses = 1
    payment_id = shop.post(amount=LARGE)
    shop.running.ended(payment_id)
    wait_until(lambda: bool(shop.mail_about(payment_id)), 60)
    [mail] = [mail for mail in shop.mailbox.mails if payment_id in str(mail["Subject"])]
    assert str(mail["Message-ID"]).startswith("<evt_")
    assert "our_shop:listen" not in shop.running.aegis("outbox", "hooks").stdout
