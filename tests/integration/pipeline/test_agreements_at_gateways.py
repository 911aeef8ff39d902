"""A customer agrees at one gateway, and is charged without being there at another, with the network's id of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.conformance import SUBJECTS
from support.payments import accept_one, attempts_of, last_error_of, payment_of, pipeline, run_until_quiet
from support.vaulted_cards import vaulted

from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.opening import Opener
from aegis_worker.lab.conformance.numbered import MASTERCARD, Drawer
from aegis_worker.persistence.database import Database

AGREED: Mapping[str, Any] = {"customer": {"id": "cus_117"}, "setup_future_usage": "off_session"}
AWAY: Mapping[str, Any] = {
    "customer": {"id": "cus_117"},
    "off_session": True,
    "off_session_reason": "recurring",
}
NOBODY_IS_THERE = "http://127.0.0.1:1"
NAMES = ("stripe", "adyen", "braintree")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The three gateways' emulators."""
    folder: Path = tmp_path_factory.mktemp("agreements")
    urls: dict[str, str] = {}
    with ExitStack() as running:
        for name in NAMES:
            start = SUBJECTS[name].emulator
            assert start is not None
            (folder / name).mkdir()
            urls[name] = running.enter_context(start(folder / name)).url
        yield urls


def gateway(name: str, url: str) -> LoadedGateway:
    """A gateway that may be sent card numbers, with a vault that holds one card."""
    subject = SUBJECTS[name]
    table = subject.config(url, raw_cards=True, mode="test")
    return LoadedGateway(subject.adapter(table), opener=Opener(Drawer(MASTERCARD)))


def pay(database: Database, key: str, *gateways: LoadedGateway, **terms: Any) -> str:
    method = vaulted(with_code=None)
    method.pop("with_code")
    payment_id = accept_one(database, key, payment_method=method, **terms).payment.id
    run_until_quiet(pipeline(database, *gateways))
    return payment_id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"), [("stripe", "adyen"), ("adyen", "braintree"), ("braintree", "stripe")]
)
def test_the_agreement_at_one_gateway_is_good_at_the_next_where_the_first_is_down(
    database: Database, urls: Mapping[str, str], first: str, second: str
) -> None:
    agreed = pay(database, "agreed", gateway(first, urls[first]), **AGREED)
    assert payment_of(database, agreed).state is State.SUCCESS
    network_id = attempts_of(database, agreed)[-1]["outcome"]["network_transaction_id"]
    down, up = gateway(first, NOBODY_IS_THERE), gateway(second, urls[second])
    charged = pay(database, "later", down, up, **AWAY)
    payment = payment_of(database, charged)
    assert (payment.state, payment.gateway) == (State.SUCCESS, second)
    assert payment.terms.network_transaction_id == network_id


@pytest.mark.parametrize("name", NAMES)
def test_an_agreement_that_no_network_knows_is_refused(
    database: Database, urls: Mapping[str, str], name: str
) -> None:
    made_up = {**AWAY, "network_transaction_id": "016120310293123"}
    payment = payment_of(database, pay(database, "later", gateway(name, urls[name]), **made_up))
    assert payment.state is State.FAILURE
    assert last_error_of(payment)["gateway"] == name
