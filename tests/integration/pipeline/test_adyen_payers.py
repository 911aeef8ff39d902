"""Payers who have to act, at Adyen: what they bring back moves the money once, and one who stays away owes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.adyen_process import (
    ADYEN_ACCOUNT,
    ADYEN_KEY,
    ADYEN_SECRET,
    library_finds,
    payer_brings_back,
    post_json,
    running_adyen,
)
from support.adyen_shop import authorisation, signed
from support.confirming_shop import Shop
from support.payments import A_RING, let_pass, rows
from support.sandbox_process import Sandbox, eventually

from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.hints import NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.wiring.gateways import told_to


class AdyenShop(Shop):
    """It hears no notifications, so what Adyen answers is all that it knows."""

    def __init__(self, database: Database, database_url: str, emulator: Sandbox) -> None:
        config = GatewayConfig(
            "adyen",
            "adyen",
            emulator.url,
            ADYEN_KEY,
            account=ADYEN_ACCOUNT,
            webhook_secrets=(ADYEN_SECRET,),
            timeout_s=2.0,
            options={"return_url": "https://shop.test/back"},
        )
        adyen = LoadedGateway(AdyenAdapter(config), read_told=told_to(database, config))
        super().__init__(database_url, adyen)
        self.emulator = emulator

    def brought_back(self, how: str = "passed") -> dict[str, Any]:
        """What Adyen's library gives the frontend, by how the payer did."""
        return dict(library_finds(self.emulator, self.now["next_action"]["data"]["token"])[how])

    @property
    def booked(self) -> list[tuple[str, int]]:
        ours = [row for row in self.emulator.ledger() if row["merchant_payment_id"] in self.path]
        return [(row["status"], row["captured"]) for row in ours]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_adyen(tmp_path_factory.mktemp("adyen")) as running:
        yield running


@pytest.fixture
def shop(database: Database, database_url: str, emulator: Sandbox) -> AdyenShop:
    return AdyenShop(database, database_url, emulator)


def test_what_the_payer_brought_back_moves_the_money_once(shop: AdyenShop) -> None:
    shop.pay("tok_authenticate")
    assert (shop.state, shop.booked) == ("REQUIRES_ACTION", [("requires_action", 0)])
    assert shop.confirm(shop.brought_back()).status_code == 202
    run(shop.parts, "payments")
    assert shop.state == "SUCCESS"
    assert shop.attempts == [("process", 1, "APPROVED", 1), ("confirm", 1, "APPROVED", 1)]
    assert (shop.booked, shop.kept) == ([("succeeded", 1999)], [False])


def test_a_payer_who_failed_the_challenge_is_not_charged(shop: AdyenShop) -> None:
    shop.pay("tok_authenticate")
    shop.confirm(shop.brought_back("failed"))
    run(shop.parts, "payments")
    assert (shop.state, shop.now["last_error"]["code"]) == ("FAILURE", "authentication_failed")
    assert shop.booked == [("failed", 0)]


def test_a_confirm_whose_answer_was_lost_is_repeated_under_its_key(
    shop: AdyenShop, database: Database
) -> None:
    shop.pay("tok_sdk_then_drop")
    shop.confirm(shop.brought_back())
    run(shop.parts, "payments")
    assert (shop.now["certainty"], shop.booked) == ("unknown", [("succeeded", 1999)])
    let_pass(database, 60)
    run(shop.parts, "verify")
    run(shop.parts, "payments")
    assert shop.state == "SUCCESS"
    assert shop.attempts[-1] == ("confirm", 1, "APPROVED", 2)
    assert shop.booked == [("succeeded", 1999)]


def a_wallet_waits(shop: AdyenShop) -> str:
    """A hold of a wallet whose payer has to approve it; the page."""
    shop.post(payment_method={"type": "wallet", "provider": "paypal"}, capture_method="manual")
    action = shop.now["next_action"]
    assert (shop.state, action["type"], shop.booked) == (
        "REQUIRES_ACTION",
        "redirect",
        [("requires_action", 0)],
    )
    return str(action["url"])


def test_a_wallet_is_held_once_its_payer_has_approved(shop: AdyenShop) -> None:
    page = a_wallet_waits(shop)
    shop.confirm(payer_brings_back(page, "pass"))
    run(shop.parts, "payments")
    assert (shop.state, shop.booked) == ("AUTHORIZED", [("authorized", 0)])


def test_a_wallet_that_moves_money_without_us_is_no_choice(shop: AdyenShop) -> None:
    shop.post(payment_method={"type": "wallet", "provider": "paypal"})
    assert (shop.state, shop.booked) == ("FAILURE", [])


def test_what_a_payer_approves_after_we_gave_up_is_released(shop: AdyenShop, database: Database) -> None:
    page = a_wallet_waits(shop)
    cancel = shop.merchant.post(shop.path + "/cancel", json={}, headers={"Idempotency-Key": "cancel-1"})
    assert cancel.status_code == 202
    for _ in range(2):
        shop.work()
    assert (shop.state, shop.booked) == ("CANCELLED", [("requires_action", 0)])
    details = {"details": payer_brings_back(page, "pass")}
    psp = post_json(shop.emulator, "/payments/details", details).json["pspReference"]
    body = signed((authorisation(shop.now["id"], pspReference=psp),), ADYEN_SECRET, "false")
    receive(database, A_RING, NoHints(), shop.gateway, {}, body)
    follow(FollowParts(database, {"adyen": shop.gateway}, NoHints()))
    for _ in range(2):
        shop.work()
    assert "duplicate_detected" in shop.story
    assert eventually(lambda: shop.booked == [("voided", 0)])
    assert shop.state == "CANCELLED"


def test_a_payer_who_never_came_back_ends_the_payment_without_a_call(
    shop: AdyenShop, database: Database
) -> None:
    shop.parts = replace(shop.parts, policy=replace(shop.parts.policy, payer_wait_s=0.0))
    shop.pay("tok_authenticate")
    let_pass(database, 60)
    run(shop.parts, "verify")
    assert (shop.state, shop.now["last_error"]["code"]) == ("FAILURE", "payer_abandoned")
    assert [operation for operation, *_ in shop.attempts] == ["process"]
    assert rows(database, "SELECT 1 FROM jobs WHERE finished_at IS NULL") == []
    assert shop.booked == [("requires_action", 0)]
