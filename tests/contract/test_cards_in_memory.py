"""Once a call that carried a card is over, no live object of the process holds its number or security code."""

from __future__ import annotations

import gc
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from support.adyen_process import ADYEN_ACCOUNT, ADYEN_KEY, running_adyen
from support.braintree_process import running_braintree
from support.conformance import SUBJECTS
from support.sandbox_process import Sandbox
from support.stripe_process import STRIPE_KEY, running_stripe, sdk

from aegis_worker.domain.cards import Card
from aegis_worker.domain.exchanges import Noted
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, NotSent, Operation, Outcome, Unknown
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.opening import Opener
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.braintree.adapter import BraintreeAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import OpenCard
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.lab.conformance.numbered import METHOD
from aegis_worker.lab.embedded.ports import free_port

# Backwards, so that no code holds what is looked for, and no test card, which the emulator's code holds. And how the three
# wires write a security code.
NUMBER, CODE = "2241382064907135", "193"
AS_SENT = (f"{CODE}=D5%cvc", f'"{CODE}" :"cvc"', f">vvc/<{CODE}>vvc<")
WITHIN_S = 20.0


def fresh_card(asked: OpenCard) -> Card:
    """A card that nobody else holds."""
    return Card(NUMBER[::-1], 3, 2040, CODE[::-1], "APPROVED")


def holders() -> list[str]:
    """The live objects that hold the number, or the code as it went out: what the collector knows, and what is at work."""
    gc.collect()
    things: list[Any] = [*gc.get_objects(), *(frame.f_locals for frame in sys._current_frames().values())]
    return [
        f"{type(thing).__name__}: {type(inner).__name__}" for thing in things for inner in _held_by(thing, 3)
    ]


def _held_by(thing: object, deep: int) -> Iterator[object]:
    """What shows the card among what a thing refers to, and among what that refers to unknown to the collector."""
    for inner in gc.get_referents(thing):
        if isinstance(inner, str | bytes | bytearray):
            if _shows(inner):
                yield inner
        elif deep and not gc.is_tracked(inner):
            yield from _held_by(inner, deep - 1)


def _shows(held: str | bytes | bytearray) -> bool:
    text = held if isinstance(held, str) else held.decode("latin-1")
    backwards = text[::-1]
    return any(one in backwards for one in (NUMBER, *AS_SENT) if len(one) <= len(text))


def at_stripe(emulator: Sandbox, **config: Any) -> LoadedGateway:
    given = GatewayConfig("stripe", "stripe", emulator.url, STRIPE_KEY, timeout_s=WITHIN_S, **config)
    return LoadedGateway(StripeAdapter(given), opener=Opener(fresh_card))


def at_adyen(emulator: Sandbox | str, **config: Any) -> LoadedGateway:
    url = emulator if isinstance(emulator, str) else emulator.url
    options = {"return_url": "https://shop.test/back"}
    config |= {"account": ADYEN_ACCOUNT, "options": options}
    given = GatewayConfig("adyen", "adyen", url, ADYEN_KEY, timeout_s=WITHIN_S, **config)
    return LoadedGateway(AdyenAdapter(given), opener=Opener(fresh_card))


def charge(gateway: LoadedGateway, ref: str | None, times: int = 1) -> list[Outcome]:
    """The card charged so many times side by side; what came of each."""
    outcomes: list[Outcome] = []
    noted: list[Noted] = []
    over = threading.Semaphore(0)

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        over.release()

    for _ in range(times):
        payment_id = f"pay_{uuid.uuid4().hex}"
        terms = PaymentTerms(Money(1999, "USD"), METHOD)
        request = GatewayRequest(
            Operation.PROCESS, payment_id, f"{payment_id}-p1", terms, ref, vaulted=OpenCard.of(METHOD)
        )
        gateway.send(request, done, note=noted.append)
    for _ in range(times):
        assert over.acquire(timeout=WITHIN_S)
    assert len(noted) == times
    return outcomes


@pytest.fixture(scope="module")
def stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_stripe(tmp_path_factory.mktemp("stripe")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def braintree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_braintree(tmp_path_factory.mktemp("braintree")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def adyen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_adyen(tmp_path_factory.mktemp("adyen")) as emulator:
        yield emulator


def intent(emulator: Sandbox) -> str:
    """An intent to be confirmed; its metadata is not this payment's, so the answer is not adopted."""
    return sdk(emulator.url).v1.payment_intents.create({"amount": 1999, "currency": "usd"}).id


@pytest.mark.slow
def test_nothing_is_left_of_cards_however_their_calls_ended(
    stripe: Sandbox, adyen: Sandbox, braintree: Sandbox
) -> None:
    held = [fresh_card(OpenCard.of(METHOD))]
    assert holders(), "the search finds what is held"
    del held
    charge(at_stripe(stripe), intent(stripe))
    assert stripe.calls_so_far()["POST /v1/payment_intents/:id/confirm"] == 1
    config = SUBJECTS["braintree"].config(braintree.url)
    charge(LoadedGateway(BraintreeAdapter(config), opener=Opener(fresh_card)), None)
    assert [calls for path, calls in braintree.calls_so_far().items() if path.endswith("/transactions")] == [
        1
    ]
    (approved,) = charge(at_adyen(adyen), None)
    assert isinstance(approved, Approved)
    for fault in ("drop", "500", "garbage"):
        adyen.set_faults(fail_share=1.0, fail_script=fault)
        (in_doubt,) = charge(at_adyen(adyen), None)
        assert isinstance(in_doubt, Unknown)
    adyen.set_faults()
    # Of five that share one connection, four wait for it.
    assert len(charge(at_adyen(adyen, max_connections=1), None, times=5)) == 5
    (unreached,) = charge(at_adyen(f"http://127.0.0.1:{free_port()}"), None)
    assert isinstance(unreached, NotSent)
    assert holders() == []
