"""The harness itself: a fault that is switched on happens, and books that are wrong are seen to be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
import urllib3
from support.installation import Installation
from support.ledger_checks import Books
from support.resources_at_rest import Baseline
from support.sandbox_process import new_reference, payment_body
from support.tcp_proxy import TcpProxy

from aegis_worker.lab.embedded.stack import Stores


@pytest.fixture
def proxy(stores: Stores) -> Iterator[TcpProxy]:
    with TcpProxy(stores.valkey.port) as between:
        yield between


@pytest.fixture
def client(proxy: TcpProxy, stores: Stores) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(proxy.in_front_of(stores.valkey.url), socket_timeout=0.3, retry=None) as client:
        assert client.ping()
        yield client


@pytest.mark.parametrize(
    ("fault", "seen_as"),
    [
        ("blackhole", redis.TimeoutError),
        ("reset", redis.ConnectionError),
        ("refuse", redis.ConnectionError),
    ],
)
def test_the_proxy_cuts_until_it_is_healed(
    proxy: TcpProxy, client: redis.Redis, fault: str, seen_as: type[Exception]
) -> None:
    getattr(proxy, fault)()
    for _ in range(2):  # the connection that there was, and a new one
        with pytest.raises(seen_as):
            client.ping()
    proxy.heal()
    assert client.ping()


def test_the_proxy_delays_both_ways(proxy: TcpProxy, client: redis.Redis) -> None:
    proxy.delay(0.2)
    with pytest.raises(redis.TimeoutError):
        client.ping()
    proxy.heal()
    assert client.ping()


def test_a_second_charge_behind_our_back_is_seen_in_the_books(running: Installation, books: Books) -> None:
    payment_id = running.accepted("tok_visa")
    running.ended(payment_id)
    books.agree()
    sandbox = running.ready["sandboxes"]["sandbox_b"]
    body = payment_body("tok_ok", metadata={"merchant_payment_id": payment_id})
    headers = {"Authorization": f"Bearer {sandbox['key']}"}
    charged = post_json(f"{sandbox['url']}/v1/charges", body, headers | {"Idempotency-Key": new_reference()})
    with pytest.raises(AssertionError, match="charged 2 times"):
        books.agree()
    refund = f"{sandbox['url']}/v1/payments/{charged['id']}/refund"
    post_json(refund, {"amount": 1999}, headers | {"Idempotency-Key": new_reference()})
    books.agree()


def post_json(url: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    answer = urllib3.request("POST", url, json=body, headers=headers, timeout=10)
    assert answer.status in (200, 201), answer.data
    made: dict[str, Any] = answer.json()
    return made


def test_a_connection_that_is_kept_is_above_the_baseline(running: Installation) -> None:
    running.ended(running.accepted("tok_visa"))
    baseline = Baseline.of(running)
    clients = [redis.Redis.from_url(running.ready["redis_url"]) for _ in range(20)]
    assert all(client.ping() for client in clients)
    with pytest.raises(AssertionError, match="Redis connections"):
        baseline.reached_again(within_s=0.5)
    for client in clients:
        client.close()
    baseline.reached_again()
