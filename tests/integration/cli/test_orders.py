"""`aegis capture`, `cancel` and `refund` against the real API, a relay and the sandbox gateways' own processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api_client import Merchant, start_api
from support.command_line import Aegis, aegis, install, served
from support.sandbox_process import Sandbox, eventually, running_sandbox
from support.scripted_gateway import ScriptedGateway

from aegis_worker.cli.relay import relay_pass
from aegis_worker.persistence.database import Database
from aegis_worker.terminal.worker_parts import opened_worker

__all__ = ["aegis"]


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path, name="sandbox_a") as a, running_sandbox(tmp_path, name="sandbox_b") as b:
        monkeypatch.setenv("AEGIS_SANDBOX_A_URL", a.url)
        monkeypatch.setenv("AEGIS_SANDBOX_B_URL", b.url)
        yield a


@pytest.fixture
def shop(
    database_url: str, database: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Merchant]:
    """A merchant whose key may refund, and a relay in the background."""
    install(monkeypatch, database_url)
    api = start_api(database_url, ScriptedGateway("sandbox_a"), ScriptedGateway("sandbox_b"))
    shop = api.merchant("shop", scopes=["refunds:write"])
    stop = threading.Event()
    with served(api.app) as url, opened_worker(hinting=False) as parts:
        monkeypatch.setenv("AEGIS_API_URL", url)
        monkeypatch.setenv("AEGIS_API_KEY", shop.key)

        def work() -> None:
            while not stop.wait(0.05):
                relay_pass(parts)

        thread = threading.Thread(target=work)
        thread.start()
        yield shop
        stop.set()
        thread.join()
    api.database.dispose()


def held(shop: Merchant) -> str:
    payment = shop.accepted(capture_method="manual", payment_method={"type": "card", "token": "tok_ok"})
    path: str = payment["links"]["self"]
    assert eventually(lambda: shop.get(path).json["state"] == "AUTHORIZED")
    return str(payment["id"])


@pytest.mark.slow
def test_a_hold_is_captured_in_parts_released_and_refunded(
    aegis: Aegis, shop: Merchant, sandbox: Sandbox
) -> None:
    payment_id = held(shop)
    for minor in ("500", "300"):
        captured = aegis("capture", payment_id, "--amount", minor, "--not-final", "--json")
        assert (captured.exit_code, captured.json["capture"]["status"]) == (0, "succeeded"), captured.err
    assert aegis("cancel", payment_id).exit_code == 0
    payment = shop.get(f"/v1/payments/{payment_id}?expand=captures,refunds").json
    assert (payment["state"], payment["amounts"]["captured"], len(payment["captures"]["data"])) == (
        "SUCCESS",
        800,
        2,
    )
    refunded = aegis("refund", payment_id, "--amount", "200")
    assert refunded.exit_code == 0
    assert "2.00 USD (200)" in refunded.out
    (row,) = sandbox.booked(f"{payment_id}-p1")
    assert (row["status"], row["captured"], row["refunded"]) == ("succeeded", 800, 200)


def test_a_refusal_says_why_and_what_is_left(aegis: Aegis, shop: Merchant) -> None:
    payment_id = held(shop)
    ran = aegis("capture", payment_id, "--amount", "5000")
    assert ran.exit_code == 1
    assert "amount_exceeds_capturable" in ran.out


@pytest.mark.slow
def test_a_lost_answer_is_asked_about_at_the_sandbox(aegis: Aegis, shop: Merchant, sandbox: Sandbox) -> None:
    payment = shop.accepted(
        capture_method="manual", payment_method={"type": "card", "token": "tok_drop_on_capture"}
    )
    path = payment["links"]["self"]
    assert eventually(lambda: shop.get(path).json["state"] == "AUTHORIZED")
    assert aegis("capture", payment["id"], "--amount", "700").exit_code == 0
    (row,) = sandbox.booked(f"{payment['id']}-p1")
    assert row["captured"] == 700
