"""A payment by a card of the vault, from the API to the ledgers of Stripe, Adyen and Braintree: charged once, if at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis
from support.adyen_process import running_adyen
from support.api_client import start_api
from support.braintree_process import running_braintree
from support.card_canary import dump
from support.conformance import SUBJECTS
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
from support.stripe_process import running_stripe
from support.vaults import NEW, VaultStores, a_card, as_given, keys, vault_on

from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.opening import Opener
from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.persistence.database import Database
from aegis_worker.vault.vault import Vault
from aegis_worker.wiring.vault import opening, settling

# A test card of all three; and one that Stripe declines for now, and Adyen approves for who is said to hold it.
NUMBER, DECLINED_AT_STRIPE = "5555555555554444", "4000000000000119"
THREE_D_SECURE = "4000000000003220"


class Since:
    """An emulator's ledger from now on."""

    def __init__(self, emulator: Sandbox) -> None:
        self._emulator, self._known = emulator, len(emulator.ledger())
        self.name, self.url, self.set_faults = emulator.name, emulator.url, emulator.set_faults

    def captured(self) -> list[int]:
        return [row["captured"] for row in self._emulator.ledger()[self._known :] if row["captured"]]


@dataclass
class Shop:
    """The product in front of the three gateways. `down`: those that nobody reaches."""

    emulators: Mapping[str, Since]
    vault: Vault
    database: Database
    database_url: str
    down: frozenset[str] = frozenset()

    @property
    def stripe(self) -> Since:
        return self.emulators["stripe"]

    def gateways(self, vault: Vault | None = None) -> list[LoadedGateway]:
        opener, nowhere = Opener(opening(vault or self.vault)), f"http://127.0.0.1:{free_port()}"
        urls = {name: nowhere if name in self.down else one.url for name, one in self.emulators.items()}
        configs = {name: SUBJECTS[name].config(url, raw_cards=True) for name, url in urls.items()}
        return [
            LoadedGateway(SUBJECTS[name].adapter(config), opener=opener) for name, config in configs.items()
        ]

    def accepted(self, number: str = NUMBER, **fields: Any) -> str:
        """A payment by a card that is given inline; its id."""
        card = as_given(a_card(number, holder="APPROVED"))
        merchant = start_api(self.database_url, *self.gateways(), vault=self.vault).merchant()
        method = {"type": "card", "card": card}
        return str(merchant.accepted(payment_method=method, **fields)["id"])

    def work(self, vault: Vault | None = None) -> None:
        """A worker's run over all that is due."""
        parts = pipeline(self.database, *self.gateways(vault), settle_cards=settling(vault or self.vault))
        run_until_quiet(parts)

    def charged(self) -> dict[str, list[int]]:
        """What each ledger shows as captured, where it shows any."""
        captured = {name: one.captured() for name, one in self.emulators.items()}
        return {name: minors for name, minors in captured.items() if minors}


@pytest.fixture(scope="module")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Sandbox]]:
    with ExitStack() as running:
        yield [
            running.enter_context(start(tmp_path_factory.mktemp("emulator")))
            for start in (running_stripe, running_adyen, running_braintree)
        ]


@pytest.fixture
def shop(emulators: list[Sandbox], vault: Vault, database: Database, database_url: str) -> Iterator[Shop]:
    yield Shop({one.name: Since(one) for one in emulators}, vault, database, database_url)
    for one in emulators:
        one.set_faults()


@pytest.mark.parametrize(("down", "charges"), [({"stripe"}, "adyen"), ({"stripe", "adyen"}, "braintree")])
def test_where_the_first_gateways_are_down_it_is_charged_at_the_next_once(
    shop: Shop, vault_stores: VaultStores, down: set[str], charges: str
) -> None:
    shop.down = frozenset(down)
    payment_id = shop.accepted()
    shop.work()
    payment = payment_of(shop.database, payment_id)
    assert (payment.state, payment.gateway) == (State.SUCCESS, charges)
    assert shop.charged() == {charges: [1999]}
    assert payment.payment_method["last4"] == "4444"
    assert NUMBER not in dump(shop.database_url)
    with Redis.from_url(vault_stores.redis_url) as memory:
        assert memory.keys("aegis:vault:*") == []


def test_a_decline_for_now_at_the_first_is_a_charge_at_the_second(shop: Shop) -> None:
    payment_id = shop.accepted(DECLINED_AT_STRIPE)
    shop.work()
    assert payment_of(shop.database, payment_id).gateway == "adyen"
    assert shop.charged() == {"adyen": [1999]}


def test_a_charge_whose_answer_is_lost_is_found_and_goes_nowhere_else(shop: Shop) -> None:
    shop.stripe.set_faults(fail_share=1.0, fail_script="drop", status_down=True)
    payment_id = shop.accepted()
    shop.work()
    make_due(shop.database)
    shop.work()
    assert payment_of(shop.database, payment_id).certainty == "unknown"
    assert shop.charged() == {"stripe": [1999]}
    shop.stripe.set_faults()
    make_due(shop.database)
    shop.work()
    assert payment_of(shop.database, payment_id).gateway == "stripe"
    assert shop.charged() == {"stripe": [1999]}


def test_a_charge_that_never_arrived_is_repeated_at_the_first_and_made_once(shop: Shop) -> None:
    shop.stripe.set_faults(fail_share=1.0, fail_script="drop_nocharge")
    payment_id = shop.accepted()
    shop.work()
    shop.stripe.set_faults()
    make_due(shop.database)
    shop.work()
    assert payment_of(shop.database, payment_id).state is State.SUCCESS
    assert shop.charged() == {"stripe": [1999]}


def test_without_its_security_code_a_charge_in_doubt_is_not_repeated(
    shop: Shop, vault_stores: VaultStores
) -> None:
    shop.stripe.set_faults(fail_share=1.0, fail_script="drop_nocharge")
    payment_id = shop.accepted()
    shop.work()
    shop.stripe.set_faults()
    with Redis.from_url(vault_stores.redis_url) as memory:
        memory.delete(*memory.keys("aegis:vault:code:*"))  # 15 minutes have passed
    make_due(shop.database)
    shop.work()
    payment = payment_of(shop.database, payment_id)
    assert (payment.state, payment.certainty) == (State.PROCESSING, "unknown")
    assert job_of(shop.database, payment_id)["status"] == "waiting"
    assert shop.charged() == {}


def test_a_card_that_wants_three_d_secure_is_charged_once_its_payer_has_passed(shop: Shop) -> None:
    payment_id = shop.accepted(THREE_D_SECURE, return_url="https://shop.test/back")
    shop.work()
    assert payment_of(shop.database, payment_id).state is State.REQUIRES_ACTION
    (attempt,) = [one for one in attempts_of(shop.database, payment_id) if one["operation"] == "process"]
    payer_clicks(f"{shop.stripe.url}/3ds/{attempt['gateway_ref']}", "pass")
    make_due(shop.database)
    shop.work()
    assert payment_of(shop.database, payment_id).state is State.SUCCESS
    assert shop.charged() == {"stripe": [1999]}


def test_a_wrong_key_is_an_error_of_its_own_and_no_charge(shop: Shop, vault_stores: VaultStores) -> None:
    payment_id = shop.accepted()
    stranger = vault_on(vault_stores, keys(NEW))
    try:
        shop.work(stranger)
    finally:
        stranger.close()
    payment = payment_of(shop.database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "vault_misconfigured")
    assert shop.charged() == {}


def test_while_the_vault_is_down_the_payment_waits_and_is_charged_at_the_first_when_it_is_back(
    shop: Shop, vault_stores: VaultStores
) -> None:
    payment_id = shop.accepted()
    nowhere = VaultStores(vault_stores.database_url, f"redis://127.0.0.1:{free_port()}/0")
    silent = vault_on(nowhere)
    try:
        shop.work(silent)
    finally:
        silent.close()
    assert job_of(shop.database, payment_id)["status"] == "waiting"
    let_pass(shop.database, 60)
    shop.work()
    payment = payment_of(shop.database, payment_id)
    assert (payment.state, payment.gateway) == (State.SUCCESS, "stripe")
    assert shop.charged() == {"stripe": [1999]}
