"""`aegis emulator`: how it starts and ends, scenarios and faults while it runs, and the page beside the ledger."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe
from support.emulated_gateways import AMOUNT, Call, Emulated, RunningEmulator, running_emulator
from support.emulated_webhooks import is_genuine, told_of
from support.merchant_server import Sink, a_sink
from support.payers import request_to
from support.sandbox_process import eventually
from support.stripe_process import sdk

AEGIS = [sys.executable, "-c", "from aegis_worker.cli import main; main()"]


@pytest.fixture(scope="module")
def shop() -> Iterator[Sink]:
    with a_sink() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shop: Sink) -> Iterator[RunningEmulator]:
    flags = ("--webhooks-to", shop.url("/{gateway}"), "--gateways", "stripe,sandbox", "--keep", "50")
    with running_emulator(tmp_path_factory.mktemp("emulator"), *flags) as emulator:
        yield emulator


@pytest.fixture
def at(running: RunningEmulator) -> Iterator[Emulated]:
    """Stripe's emulator, without a scenario afterwards."""
    yield running.gateways["stripe"]
    running.gateways["stripe"].control("DELETE", "scenario")


def aegis(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*AEGIS, *arguments], capture_output=True, text=True, timeout=60)


class TestHowItStartsAndEnds:
    def test_term_ends_it_with_0_and_its_ledgers_stay_where_they_were_wanted(self, tmp_path: Path) -> None:
        with running_emulator(tmp_path, "--gateways", "stripe") as emulator:
            emulator.gateways["stripe"].charge()
            assert emulator.stop() == 0
        assert (tmp_path / "stripe.sqlite").exists()
        assert not (tmp_path / "ready.json").exists()

    def test_a_port_that_is_taken_is_said_and_ends_it_with_3(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            ended = aegis("emulator", "--port", port)
        assert (ended.returncode, port in ended.stderr) == (3, True)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (
                ["--gateways", "stripe,square"],
                "there is no 'square'; choose of sandbox, stripe, adyen, paypal, braintree, razorpay",
            ),
            (["--webhooks-to", "https://shop.test"], "only http:// is spoken here"),
            (["--scenario", "no-such"], "none of flaky-morning"),
        ],
    )
    def test_wrong_usage_ends_it_with_2(self, flags: list[str], said: str) -> None:
        ended = aegis("emulator", *flags)
        assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr

    def test_a_scenario_that_is_wrong_is_refused_line_by_line(self, tmp_path: Path) -> None:
        file = tmp_path / "wrong.toml"
        file.write_text('[[rule]]\nscript = "dorp"\n')
        for command in (("emulator", "--scenario", str(file)), ("emulator", "scenarios", str(file))):
            ended = aegis(*command)
            assert (ended.returncode, "line 2, rule 1: script" in ended.stderr) == (2, True), ended.stderr

    def test_failures_are_printed_as_json(self) -> None:
        shown = json.loads(aegis("emulator", "failures", "--json", "--gateway", "stripe").stdout)
        assert len(shown) >= 60
        assert {"name", "family", "gateways", "what_happens", "triggers"} == set(shown[0])

    def test_the_overview_says_where_each_gateway_is(self, running: RunningEmulator) -> None:
        place = urlsplit(running.overview).netloc
        shown = json.loads(request_to(place, "GET", "/gateways", b"", {}).body)
        assert [one["gateway"] for one in shown["gateways"]] == ["stripe", "sandbox"]
        page = request_to(place, "GET", "/", b"", {})
        assert running.gateways["stripe"].url in page.body.decode()

    def test_stripes_own_sdk_charges_at_it(self, at: Emulated) -> None:
        paid = sdk(at.url).v1.payment_intents.create(
            {
                "amount": AMOUNT,
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": True,
                "return_url": "https://shop.test/back",
            }
        )
        assert paid.status == "succeeded"
        with pytest.raises(stripe.RateLimitError):
            sdk(at.url).v1.payment_intents.create(
                {"amount": AMOUNT, "currency": "usd", "payment_method": "pm_429", "confirm": True}
            )


class TestScenariosWhileItRuns:
    def test_one_is_loaded_counts_and_ends(self, at: Emulated) -> None:
        toml = b'name = "second"\n[[rule]]\nscript = "500_nocharge"\nnumber = 2\n'
        assert at.control("PUT", "scenario", toml).status == 200
        assert [at.charge().seen.status for _ in range(3)] == [200, 500, 200]
        shown = at.control("GET", "scenario").json["scenario"]
        assert (shown["name"], shown["rules"]) == (
            "second",
            [{"script": "500_nocharge", "seen": 3, "claimed": 1}],
        )
        assert at.control("DELETE", "scenario").json == {"scenario": None}
        assert at.charge().seen.status == 200

    def test_the_same_seed_replays_the_same_faults(self, at: Emulated) -> None:
        toml = b'[[rule]]\nscript = "500_nocharge"\nshare = 0.5\n'
        runs = []
        for seed in (5, 5, 6):
            at.control("PUT", f"scenario?seed={seed}", toml)
            runs.append([at.charge().seen.status for _ in range(20)])
        assert runs[0] == runs[1] != runs[2]

    def test_one_that_comes_with_it_is_loaded_by_its_name(self, at: Emulated) -> None:
        assert at.control("PUT", "scenario?shipped=outage").json["scenario"]["name"] == "outage"
        unknown = at.control("PUT", "scenario?shipped=none")
        assert (unknown.status, unknown.json["code"]) == (404, "no_such_scenario")

    def test_a_scenario_adds_what_becomes_of_webhooks_to_what_becomes_of_the_charge(
        self, at: Emulated, shop: Sink
    ) -> None:
        toml = b'[[rule]]\nscript = "drop"\n[[rule]]\nscript = "webhook_wrong_secret"\n'
        at.control("PUT", "scenario", toml)
        paid = at.charge()
        assert paid.seen.how == "dropped"
        assert eventually(lambda: bool(told_of(at, shop, paid.reference)))
        assert not is_genuine(at, told_of(at, shop, paid.reference)[0])

    def test_what_is_wrong_is_a_problem_with_each_place(self, at: Emulated) -> None:
        refused = at.control("PUT", "scenario", b'[[rule]]\nscript = "dorp"\nshare = 3\n')
        assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")
        assert refused.json["code"] == "invalid_scenario"
        assert refused.json["errors"][0].startswith("line 2, rule 1: script: no script named 'dorp'")

    @pytest.mark.parametrize("faults", [b'{"speed": 1}', b'{"latency_ms": -1}', b"[", b'"x"'])
    def test_faults_that_there_are_not_are_a_problem(self, at: Emulated, faults: bytes) -> None:
        refused = at.control("POST", "faults", faults)
        assert (refused.status, refused.headers["content-type"]) == (400, "application/problem+json")
        assert refused.json["code"] == "invalid_request"

    def test_a_header_that_names_no_script_is_refused(self, at: Emulated) -> None:
        refused = at.charge(script="dorp")
        assert (refused.seen.status, refused.seen.json["error"]["code"]) == (400, "unknown_script")


def test_reordered_webhooks_tell_the_newest_first(running: RunningEmulator, shop: Sink) -> None:
    at = running.gateways["sandbox"]
    reference = at.charge(held=True, script="webhook_reordered_60").reference
    at.do("capture", reference)
    at.control("POST", "clock", {"advance_s": 121})
    assert eventually(lambda: len(told_of(at, shop, reference)) == 2)
    told = [one.json["type"] for one in told_of(at, shop, reference)]
    assert told == ["payment.succeeded", "payment.authorized"]


class TestThePageBesideTheLedger:
    def test_it_shows_requests_webhooks_and_the_ledger(self, at: Emulated, shop: Sink) -> None:
        paid = at.charge()
        assert eventually(lambda: bool(told_of(at, shop, paid.reference)))
        page = at.control("GET", "")
        text = page.body.decode()
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert all(word in text for word in ("POST /v1/payment_intents", paid.reference, "Webhooks"))

    def test_its_policy_lets_nothing_in_from_elsewhere_and_nothing_stands_in_the_page_itself(
        self, at: Emulated
    ) -> None:
        page = at.control("GET", "")
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert not re.search(r"<style|<script>|style=|onclick=|https?://(?!127\.0\.0\.1)", page.body.decode())
        for asset in ("page.css", "page.js"):
            assert at.control("GET", asset).status == 200

    def test_what_a_caller_sent_is_shown_as_text(self, at: Emulated) -> None:
        at.call(Call("GET", "/v1/<script>alert(1)</script>"))
        text = at.control("GET", "").body.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "<script>alert" not in text

    def test_keys_card_numbers_and_security_codes_are_kept_nowhere(self, at: Emulated) -> None:
        body = b"amount=1999&currency=usd&payment_method_data[card][number]=4242424242424242&x[cvc]=123"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        at.call(Call("POST", "/v1/payment_intents", body, form))
        kept = at.control("GET", "exchanges").body.decode() + at.control("GET", "").body.decode()
        assert not any(secret in kept for secret in ("4242424242424242", "=123", "sk_test_emulator"))

    def test_no_more_is_kept_than_was_wanted(self, at: Emulated) -> None:
        for _ in range(60):
            at.call(Call("GET", "/v1/refunds"))
        assert len(at.control("GET", "exchanges").json["exchanges"]) == 50

    def test_a_request_is_sent_again_under_the_same_key(self, at: Emulated) -> None:
        paid = at.charge()
        again = self._again(at, "exchanges", self._newest(at, "exchanges")["number"])
        assert (again.status, json.loads(again.json["answer"])["id"]) == (200, paid.seen.json["id"])
        assert again.json["answer_headers"]["Idempotent-Replayed"] == "true"
        assert len(at.booked(paid.reference)) == 1

    def test_a_request_of_which_a_part_was_taken_out_is_not_sent_again(self, at: Emulated) -> None:
        at.call(Call("POST", "/v1/refunds", b"number=4242424242424242"))
        refused = self._again(at, "exchanges", self._newest(at, "exchanges")["number"])
        assert (refused.status, refused.json["code"]) == (409, "not_whole")

    def test_a_webhook_is_sent_again_as_it_should_be(self, at: Emulated, shop: Sink) -> None:
        paid = at.charge(script="webhook_forged")
        assert eventually(lambda: bool(told_of(at, shop, paid.reference)))
        assert eventually(lambda: paid.reference in self._newest(at, "deliveries")["body"])
        assert self._again(at, "deliveries", self._newest(at, "deliveries")["number"]).status == 202
        assert eventually(lambda: any(is_genuine(at, one) for one in told_of(at, shop, paid.reference)))

    def test_a_page_of_another_site_changes_nothing(self, at: Emulated) -> None:
        refused = at.control("PUT", "scenario", b"", origin="https://elsewhere.test")
        assert (refused.status, refused.json["code"]) == (403, "other_site")
        assert at.control("DELETE", "scenario", origin=at.url).status == 200

    def test_a_browser_that_sends_something_again_is_shown_the_page(self, at: Emulated) -> None:
        at.charge()
        number = self._newest(at, "exchanges")["number"]
        sent = at.control("POST", f"exchanges/{number}/replay", accept="text/html", origin=at.url)
        assert (sent.status, sent.headers["location"]) == (303, "/_sandbox/")

    def _newest(self, at: Emulated, kind: str) -> Any:
        return at.control("GET", kind).json[kind][0]

    def _again(self, at: Emulated, kind: str, number: int) -> Any:
        return at.control("POST", f"{kind}/{number}/replay")
