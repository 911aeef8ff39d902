"""An Adyen timeout ends in one charge, settled by its key or by an event, whatever becomes of the events."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from support.adyen_shop import Shop, authorisation, notifying_adyen, shop_at
from support.merchant_server import Sink
from support.orders import row_is_fold
from support.payments import attempts_of, payment_of, rows
from support.sandbox_process import Sandbox, eventually

from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.outcomes import Outcome
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidWebhook
from aegis_worker.exchange.driver import ReadTold
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.wiring.gateways import told_to


@pytest.fixture(scope="module")
def adyen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Sink]]:
    with notifying_adyen(tmp_path_factory.mktemp("adyen")) as running:
        yield running


@pytest.fixture
def shop(database: Database, adyen: tuple[Sandbox, Sink]) -> Iterator[Shop]:
    made = shop_at(database, *adyen, timeout_s=0.3)
    yield made
    made.gateway.close_connections()


class Early(LoadedGateway):
    """Adyen, whose notification comes in before our own answer is written down."""

    def __init__(self, adapter: AdyenAdapter, read_told: ReadTold, comes_in: Callable[[str], None]) -> None:
        super().__init__(adapter, read_told=read_told)
        self._comes_in = comes_in

    def send(
        self,
        request: GatewayRequest,
        done: Callable[[Outcome], None],
        may_leave: Callable[[], bool] | None = None,
        note: Note | None = None,
    ) -> None:
        def heard(outcome: Outcome) -> None:
            self._comes_in(request.payment_id)
            done(outcome)

        super().send(request, heard, may_leave, note)


# It times out, or its answer is lost, once the charge is made, before it is, or without one. A stored 500 stays the answer.
_TIMEOUTS = (
    "tok_latency_400",
    "tok_late_commit_1",
    "tok_drop",
    "tok_garbage",
    "tok_drop_nocharge_once",
    "tok_500_nocharge_once",
    "tok_500",
)
# Two kinds of other accounts, both with our secret: one that says so, and one of the other mode.
_STRANGERS: tuple[dict[str, Any], ...] = ({"account": "AnotherShop"}, {"live": "true"})
_ANOTHERS_SECRET = "0b" * 32


def is_told(shop: Shop, payment_id: str) -> bool:
    """Whether Adyen has told of the payment; it tells once it has charged."""
    return bool(shop.items(payment_id))


def event_of(shop: Shop, payment_id: str, **fields: Any) -> dict[str, Any]:
    """Adyen's own event, where there is one: strangers then pretend to be that one."""
    told = shop.items(payment_id)
    return (told[0] if told else authorisation(payment_id)) | fields


def a_stranger_tells(shop: Shop, payment_id: str, account: str = "", live: str = "false") -> None:
    fields = {"merchantAccountCode": account} if account else {}
    shop.takes(event_of(shop, payment_id, **fields), live=live)


def a_forger_tells(shop: Shop, payment_id: str) -> None:
    """An event forged with another account's secret changes nothing."""
    before = everything(shop.database)
    with pytest.raises(InvalidWebhook):
        shop.takes(event_of(shop, payment_id), secret=_ANOTHERS_SECRET)
    assert everything(shop.database) == before


def everything(database: Database) -> list[list[dict[str, Any]]]:
    tables = ("payments", "payment_events", "jobs", "attempts", "gateway_events", "gateway_event_bodies")
    return [rows(database, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


def adyen_tells(shop: Shop, payment_id: str) -> None:
    if is_told(shop, payment_id):
        shop.takes(*shop.items(payment_id))


def adyen_tells_early(shop: Shop, payment_id: str) -> None:
    """Before our own answer is written down: a worker holds the payment's job."""
    if eventually(lambda: is_told(shop, payment_id), within_s=0.2):
        shop.hears_only(*shop.items(payment_id))


def ends_in_one_charge(shop: Shop, seed: int) -> str:
    """One charge that times out, its events, strangers and forgers in any order; returns what settled it."""
    draw = random.Random(seed)
    token, is_early, times = draw.choice(_TIMEOUTS), draw.random() < 0.3, draw.choice((0, 0, 1, 1, 2, 3))
    is_lost = times == 0 and not is_early
    if is_lost and token == "tok_500":
        token = "tok_drop"
    tells = partial(adyen_tells, shop)
    plain = shop.gateway
    if is_early:
        comes_in = partial(adyen_tells_early, shop)
        shop.gateway = Early(AdyenAdapter(plain.config), told_to(shop.database, plain.config), comes_in)
    payment_id = shop.pay(token, f"key-{seed}")
    shop.gateway = plain
    happenings: list[Callable[[], None]] = [
        *[shop.time_passes] * draw.randrange(3),
        *[partial(tells, payment_id)] * times,
        *[partial(a_stranger_tells, shop, payment_id, **one) for one in _STRANGERS if draw.random() < 0.5],
        partial(a_forger_tells, shop, payment_id),
    ]
    draw.shuffle(happenings)
    for happens in happenings:
        happens()
    if not token.endswith("_once"):
        assert eventually(lambda: is_told(shop, payment_id))
    for _ in range(4):
        shop.time_passes()
    if not is_lost:
        assert eventually(lambda: is_told(shop, payment_id))
        tells(payment_id)
    said = (seed, token, is_early, times)
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)], said
    assert shop.state(payment_id) is State.SUCCESS, said
    charged = {payment_of(shop.database, payment_id).gateway_ref}
    assert {event["pspReference"] for event in shop.items(payment_id)} <= charged, said
    assert row_is_fold(shop.database, payment_id)
    (charge,) = attempts_of(shop.database, payment_id)
    return "event" if charge["sends"] == 1 else "key"


@pytest.mark.slow
def test_a_timeout_ends_in_one_charge_by_key_or_event(shop: Shop) -> None:
    for seed in (2, 10, 12, 13, 14):  # those that take the emulator no seconds
        ends_in_one_charge(shop, seed)


@pytest.mark.slow
def test_a_timeout_ends_in_one_charge_by_key_or_event_over_200_seeds(shop: Shop) -> None:
    settled = Counter(ends_in_one_charge(shop, seed) for seed in range(200))
    assert set(settled) == {"key", "event"}
