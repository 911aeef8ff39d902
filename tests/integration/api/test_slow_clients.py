"""Clients that send or read slowly, or not at all, keep nobody else waiting, and are not waited for without an end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from support.raw_shop import Shop, raw_shop
from support.running_api import Answer, read_answer

from aegis_worker.lab.bench.crowds import CROWDS, gathered
from aegis_worker.lab.embedded.stack import Stores

BODY = b'{"amount":1999,"currency":"USD","payment_method":{"type":"card","token":"tok_visa"}}'
HEAD = b"POST /v1/payments HTTP/1.1\r\nHost: x\r\n<auth>\r\n<key>\r\nContent-Type: application/json\r\n"
WEBHOOK = b"POST /v1/gateways/sandbox_a/webhooks HTTP/1.1\r\nHost: x\r\n"
BATCH = (
    b"POST /v1/payments/batches HTTP/1.1\r\nHost: x\r\n<auth>\r\nContent-Type: application/x-ndjson\r\n"
    b"Content-Length: 100000\r\n\r\n"
)
# Whoever expects it sends its body only after `100 Continue`, so a thread waits for that body.
EXPECT = b"Expect: 100-continue\r\n"
THREADS = 8


@pytest.fixture(scope="module")
def shop(stores: Stores, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("slow")
    with raw_shop(
        stores,
        migrated_template,
        folder,
        AEGIS_BODY_WITHIN_S="3",
        AEGIS_WEB_THREADS=str(THREADS),
        AEGIS_WEB_WORKERS="1",
    ) as opened:
        yield opened


def pay(shop: Shop) -> Answer:
    """A whole payment at once."""
    return shop.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)


@contextmanager
def sent(shop: Shop, raw: bytes) -> Iterator[socket.socket]:
    """A connection on which these bytes went out, and no more."""
    with shop.api.connection() as connection:
        connection.sendall(shop.filled(raw))
        yield connection


@pytest.mark.slow
@pytest.mark.parametrize("name", CROWDS)
def test_a_ping_and_a_payment_are_answered_beside_a_crowd(shop: Shop, name: str) -> None:
    with gathered(shop.api.port, CROWDS[name]):
        for _ in range(3):
            assert shop.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
            assert pay(shop).status == 202


STALLED = {
    "a length": HEAD + b"Content-Length: 90\r\n\r\n" + BODY,
    "nothing of a length": HEAD + b"Content-Length: 90\r\n\r\n",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(BODY), BODY),
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5a\r\n" + BODY,
    "what was asked for": HEAD + EXPECT + b"Content-Length: 90\r\n\r\n",
    "a batch": BATCH + BODY + b"\n",
}


@pytest.mark.parametrize("name", STALLED)
def test_a_body_that_stalls_is_answered_with_408_and_the_connection_is_closed(shop: Shop, name: str) -> None:
    before = shop.payments()
    with sent(shop, STALLED[name]) as connection:
        if EXPECT in STALLED[name]:
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = read_answer(connection)
    assert (answer.status, answer.json["code"]) == (408, "request_timeout")
    assert (answer.headers["Content-Type"], answer.closed) == ("application/problem+json", True)
    assert shop.payments() == before


@pytest.mark.slow
def test_a_body_that_drips_is_not_waited_for_either(shop: Shop) -> None:
    with sent(shop, HEAD + b"Content-Length: 90\r\n\r\n") as connection:
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.2):
                connection.sendall(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        answer = read_answer(connection)
        ended.set()
        dripping.join()
    assert answer.status == 408


def test_a_body_that_comes_in_pieces_is_taken(shop: Shop) -> None:
    with sent(shop, HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY)) as connection:
        for start in range(0, len(BODY), 20):
            time.sleep(0.05)
            connection.sendall(BODY[start : start + 20])
        assert read_answer(connection).status == 202


def test_a_body_that_is_announced_too_long_is_refused_before_it_comes(shop: Shop) -> None:
    with sent(shop, HEAD + b"Content-Length: 100000000\r\n\r\n") as connection:
        answer = read_answer(connection)
    assert (answer.status, answer.json["code"], answer.closed) == (413, "payload_too_large", True)


def test_a_caller_without_a_key_is_refused_before_its_body_is_asked_for(shop: Shop) -> None:
    raw = HEAD.replace(b"<auth>\r\n", b"") + EXPECT + b"Content-Length: 90\r\n\r\n"
    with ExitStack() as held:
        # As many as threads, because a thread that waits for its next request must not hold the last one open.
        for connection in [held.enter_context(sent(shop, raw)) for _ in range(THREADS)]:
            answer = read_answer(connection)
            assert (answer.status, answer.closed) == (401, True)


def test_requests_without_a_key_hold_a_quarter_of_the_threads_at_most(shop: Shop) -> None:
    raw = WEBHOOK + EXPECT + b"Content-Length: 90\r\n\r\n"
    with ExitStack() as held:
        for _ in range(THREADS // 4):
            connection = held.enter_context(sent(shop, raw))
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        with sent(shop, WEBHOOK + b"Content-Length: 2\r\n\r\n{}") as beyond:
            answer = read_answer(beyond)
        assert (answer.status, answer.json["code"]) == (503, "too_busy")
        assert (answer.json["retryable"], answer.headers["Retry-After"]) == (True, "1")
        assert pay(shop).status == 202
        assert shop.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    with sent(shop, WEBHOOK + b"Content-Length: 2\r\n\r\n{}") as again:
        assert read_answer(again).status in (401, 503)  # 503 until the two have seen that their clients left


@pytest.mark.slow
def test_half_of_the_threads_wait_for_payments_at_most(shop: Shop) -> None:
    raw = (
        HEAD + b"Prefer: wait=3\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    )  # nothing decides it: no worker runs
    with ExitStack() as held:
        connections = [held.enter_context(sent(shop, raw)) for _ in range(THREADS)]
        assert pay(shop).status == 202
        answers = [read_answer(connection) for connection in connections]
    assert [answer.status for answer in answers] == [202] * THREADS
    assert sum("Preference-Applied" in answer.headers for answer in answers) == THREADS // 2
