"""A payment by a card of the vault, from the API to Stripe's and Adyen's ledgers: charged once, whatever fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis
from support.adyen_process import ADYEN_ACCOUNT, ADYEN_KEY, running_adyen
from support.api_client import start_api
from support.card_canary import dump
from support.payers import payer_clicks
from support.payments import (
    attempts_of,
    job_of,
    last_error_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    run_until_quiet,
)
from support.sandbox_process import Sandbox
from support.stripe_process import STRIPE_KEY, running_stripe
from support.vaults import NEW, VaultStores, a_card, as_given, keys, vault_on

from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.opening import Opener
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.persistence.database import Database
from aegis_worker.vault.vault import Vault
from aegis_worker.wiring.vault import opening, settling

# Both gateways' test card; and one that Stripe declines for now, whoever is said to hold it.
NUMBER, DECLINED_AT_STRIPE = "5555555555554444", "4000000000000119"
THREE_D_SECURE = "4000000000003220"


@dataclass
class Both:
    """The two gateways' emulators, and the product in front of them."""

    stripe: Sandbox
    adyen: Sandbox
    vault: Vault
    database: Database
    database_url: str
    stripe_url: str = ""

    def gateways(self, vault: Vault | None = None) -> list[LoadedGateway]:
        opener = Opener(opening(vault or self.vault))
        stripe = GatewayConfig(
            "stripe",
            "stripe",
            self.stripe_url or self.stripe.url,
            STRIPE_KEY,
            timeout_s=20.0,
            raw_cards=True,
            options={"absence_window_s": 0},
        )
        adyen = GatewayConfig(
            "adyen",
            "adyen",
            self.adyen.url,
            ADYEN_KEY,
            timeout_s=20.0,
            raw_cards=True,
            account=ADYEN_ACCOUNT,
            options={"return_url": "https://shop.test/back"},
        )
        made = (StripeAdapter(stripe), AdyenAdapter(adyen))
        return [LoadedGateway(adapter, opener=opener) for adapter in made]

    def accepted(self, number: str = NUMBER, **fields: Any) -> str:
        """A payment by a card that is given inline; its id."""
        card = as_given(a_card(number, holder="APPROVED"))
        shop = start_api(self.database_url, *self.gateways(), vault=self.vault).merchant()
        method = {"type": "card", "card": card}
        return str(shop.accepted(payment_method=method, **fields)["id"])

    def work(self, vault: Vault | None = None) -> None:
        """A worker's run over all that is due."""
        parts = pipeline(self.database, *self.gateways(vault), settle_cards=settling(vault or self.vault))
        run_until_quiet(parts)

    def charged(self) -> dict[str, list[int]]:
        """What each ledger shows as captured."""
        return {
            one.name: [row["captured"] for row in one.ledger() if row["captured"]]
            for one in (self.stripe, self.adyen)
        }


@pytest.fixture(scope="module")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Sandbox]]:
    with ExitStack() as running:
        stripe = running.enter_context(running_stripe(tmp_path_factory.mktemp("stripe")))
        adyen = running.enter_context(running_adyen(tmp_path_factory.mktemp("adyen")))
        yield stripe, adyen


class Since:
    """An emulator's ledger from now on."""

    def __init__(self, emulator: Sandbox) -> None:
        self._emulator, self._known = emulator, len(emulator.ledger())
        self.name, self.url, self.set_faults = emulator.name, emulator.url, emulator.set_faults

    def ledger(self) -> list[dict[str, Any]]:
        return self._emulator.ledger()[self._known :]


@pytest.fixture
def both(
    emulators: tuple[Sandbox, Sandbox], vault: Vault, database: Database, database_url: str
) -> Iterator[Both]:
    for one in emulators:
        one.set_faults()
    stripe, adyen = (Since(one) for one in emulators)
    yield Both(stripe, adyen, vault, database, database_url)  # type: ignore[arg-type]
    for one in emulators:
        one.set_faults()


def test_where_the_first_gateway_is_down_it_is_charged_at_the_second_once(
    both: Both, vault_stores: VaultStores
) -> None:
    both.stripe_url = f"http://127.0.0.1:{free_port()}"
    payment_id = both.accepted()
    both.work()
    payment = payment_of(both.database, payment_id)
    assert (payment.state, payment.gateway) == (State.SUCCESS, "adyen")
    assert both.charged() == {"stripe": [], "adyen": [1999]}
    assert payment.payment_method["last4"] == "4444"
    assert NUMBER not in dump(both.database_url)
    with Redis.from_url(vault_stores.redis_url) as memory:
        assert memory.keys("aegis:vault:*") == []


def test_a_decline_for_now_at_the_first_is_a_charge_at_the_second(both: Both) -> None:
    payment_id = both.accepted(DECLINED_AT_STRIPE)
    both.work()
    assert payment_of(both.database, payment_id).gateway == "adyen"
    assert both.charged() == {"stripe": [], "adyen": [1999]}


def test_a_charge_whose_answer_is_lost_is_found_and_goes_nowhere_else(both: Both) -> None:
    both.stripe.set_faults(fail_share=1.0, fail_script="drop", status_down=True)
    payment_id = both.accepted()
    both.work()
    make_due(both.database)
    both.work()
    assert payment_of(both.database, payment_id).certainty == "unknown"
    assert both.charged()["adyen"] == []
    both.stripe.set_faults()
    make_due(both.database)
    both.work()
    assert payment_of(both.database, payment_id).gateway == "stripe"
    assert both.charged() == {"stripe": [1999], "adyen": []}


def test_a_charge_that_never_arrived_is_repeated_at_the_first_and_made_once(both: Both) -> None:
    both.stripe.set_faults(fail_share=1.0, fail_script="drop_nocharge")
    payment_id = both.accepted()
    both.work()
    both.stripe.set_faults()
    make_due(both.database)
    both.work()
    assert payment_of(both.database, payment_id).state is State.SUCCESS
    assert both.charged() == {"stripe": [1999], "adyen": []}


def test_without_its_security_code_a_charge_in_doubt_is_not_repeated(
    both: Both, vault_stores: VaultStores
) -> None:
    both.stripe.set_faults(fail_share=1.0, fail_script="drop_nocharge")
    payment_id = both.accepted()
    both.work()
    both.stripe.set_faults()
    with Redis.from_url(vault_stores.redis_url) as memory:
        memory.delete(*memory.keys("aegis:vault:code:*"))  # 15 minutes have passed
    make_due(both.database)
    both.work()
    payment = payment_of(both.database, payment_id)
    assert (payment.state, payment.certainty) == (State.PROCESSING, "unknown")
    assert job_of(both.database, payment_id)["status"] == "waiting"
    assert both.charged() == {"stripe": [], "adyen": []}


def test_a_card_that_wants_three_d_secure_is_charged_once_its_payer_has_passed(both: Both) -> None:
    payment_id = both.accepted(THREE_D_SECURE, return_url="https://shop.test/back")
    both.work()
    assert payment_of(both.database, payment_id).state is State.REQUIRES_ACTION
    (attempt,) = [one for one in attempts_of(both.database, payment_id) if one["operation"] == "process"]
    payer_clicks(f"{both.stripe.url}/3ds/{attempt['gateway_ref']}", "pass")
    make_due(both.database)
    both.work()
    assert payment_of(both.database, payment_id).state is State.SUCCESS
    assert both.charged() == {"stripe": [1999], "adyen": []}


def test_a_wrong_key_is_an_error_of_its_own_and_no_charge(both: Both, vault_stores: VaultStores) -> None:
    payment_id = both.accepted()
    stranger = vault_on(vault_stores, keys(NEW))
    try:
        both.work(stranger)
    finally:
        stranger.close()
    payment = payment_of(both.database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "vault_misconfigured")
    assert both.charged() == {"stripe": [], "adyen": []}


def test_while_the_vault_is_down_the_payment_waits_and_is_charged_at_the_first_when_it_is_back(
    both: Both, vault_stores: VaultStores
) -> None:
    payment_id = both.accepted()
    nowhere = VaultStores(vault_stores.database_url, f"redis://127.0.0.1:{free_port()}/0")
    silent = vault_on(nowhere)
    try:
        both.work(silent)
    finally:
        silent.close()
    assert job_of(both.database, payment_id)["status"] == "waiting"
    let_pass(both.database, 60)
    both.work()
    payment = payment_of(both.database, payment_id)
    assert (payment.state, payment.gateway) == (State.SUCCESS, "stripe")
    assert both.charged() == {"stripe": [1999], "adyen": []}
