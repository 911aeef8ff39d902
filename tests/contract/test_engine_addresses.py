"""Where a transfer may go is decided by the address that is connected to, and again before each request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from support.merchant_server import Sink, a_sink

from aegis_worker.domain.outcomes import NotSent
from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer

PEER = Peer(connect_timeout_s=5, timeout_s=10, most=4)
WHY = "this address is forbidden"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as running:
        yield running


def refusing(*forbidden: str) -> Callable[[str], str | None]:
    return lambda address: WHY if address in forbidden else None


def post(engine: Engine, sink: Sink, peer: Peer, host: str = "127.0.0.1") -> Result:
    return engine.make(Transfer(peer, "POST", sink.url(host=host), {}, b"{}"))


@pytest.mark.parametrize("host", ["127.0.0.1", "somebody.test"])
def test_nothing_is_sent_to_a_forbidden_address(engine: Engine, sink: Sink, host: str) -> None:
    known = (f"somebody.test:{sink.port}:127.0.0.1",)
    peer = replace(PEER, refuses_address=refusing("127.0.0.1"), known_addresses=known)
    assert post(engine, sink, peer, host) == NotSent(WHY)
    assert sink.received == []


def test_after_a_forbidden_address_no_other_of_the_name_is_tried(engine: Engine, sink: Sink) -> None:
    known = (f"somebody.test:{sink.port}:127.0.0.2,127.0.0.1",)
    peer = replace(PEER, refuses_address=refusing("127.0.0.2"), known_addresses=known)
    assert post(engine, sink, peer, "somebody.test") == NotSent(WHY)
    assert sink.received == []


def test_a_kept_connection_carries_nothing_for_those_who_may_not_go_there(engine: Engine, sink: Sink) -> None:
    assert isinstance(post(engine, sink, PEER), HttpAnswer)
    assert post(engine, sink, replace(PEER, refuses_address=refusing("127.0.0.1"))) == NotSent(WHY)
    assert len(sink.received) == 1


def test_an_address_that_is_forbidden_since_the_last_request_gets_no_other(
    engine: Engine, sink: Sink
) -> None:
    is_forbidden = threading.Event()
    peer = replace(PEER, refuses_address=lambda _: WHY if is_forbidden.is_set() else None)
    assert isinstance(post(engine, sink, peer), HttpAnswer)
    is_forbidden.set()
    assert post(engine, sink, peer) == NotSent(WHY)
    assert len(sink.received) == 1
