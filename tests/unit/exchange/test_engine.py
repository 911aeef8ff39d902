"""The engine as its callers see it: callbacks, pauses, its end, and processes that are forked."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

import pytest

from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.exchange.engine import STUCK, Engine
from aegis_worker.exchange.handles import Handle
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer

PEER = Peer(connect_timeout_s=5, timeout_s=20, most=8)


class Server(ThreadingHTTPServer):
    """Answers with the connection's own number, once `free` is set."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.free, self.asked = threading.Event(), threading.Semaphore(0)
        self.free.set()
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.release()
        self.server.free.wait(20)
        own = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(own)))
        self.end_headers()
        self.wfile.write(own)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.free.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def post(server: Server, peer: Peer = PEER) -> Transfer:
    return Transfer(peer, "POST", server.url, {}, b"{}")


def body(result: Result) -> bytes:
    assert isinstance(result, HttpAnswer), result
    return result.body


def test_a_connection_carries_one_request_after_another(engine: Engine, server: Server) -> None:
    assert len({body(engine.make(post(server))) for _ in range(3)}) == 1


def test_many_transfers_wait_on_one_thread(engine: Engine, server: Server) -> None:
    server.free.clear()
    told: SimpleQueue[Result] = SimpleQueue()
    before = set(threading.enumerate())
    peer = Peer(connect_timeout_s=5, timeout_s=20, most=100)
    for _ in range(100):
        engine.begin(post(server, peer), told.put)
    for _ in range(100):
        server.asked.acquire()
    names = [thread.name for thread in set(threading.enumerate()) - before]
    # The server's own threads are in this process, too: one for each connection.
    assert [name for name in names if "process_request_thread" not in name] == ["engine"]
    server.free.set()
    assert len({body(told.get()) for _ in range(100)}) == 100


def test_where_there_is_no_epoll_the_engine_does_without(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(select, "epoll", raising=False)
    engine = Engine()
    told: SimpleQueue[Result] = SimpleQueue()
    for _ in range(20):
        engine.begin(post(server), told.put)
    assert all(body(told.get()) for _ in range(20))
    engine.close()


def test_no_more_transfers_than_its_places_are_under_way_to_a_peer(engine: Engine, server: Server) -> None:
    peer = Peer(connect_timeout_s=5, timeout_s=20, most=2)
    told: SimpleQueue[Result] = SimpleQueue()
    for _ in range(10):
        engine.begin(post(server, peer), told.put)
    assert len({body(told.get()) for _ in range(10)}) <= 2


def test_a_transfer_may_begin_another_when_it_is_done(engine: Engine, server: Server) -> None:
    told: SimpleQueue[Result] = SimpleQueue()
    engine.begin(post(server), lambda first: engine.begin(post(server), told.put))
    assert body(told.get())


def test_what_breaks_in_a_callback_breaks_no_other_transfer(engine: Engine, server: Server) -> None:
    def broken(result: Result) -> None:
        raise ZeroDivisionError

    engine.begin(post(server), broken)
    assert body(engine.make(post(server)))


def test_callbacks_come_in_the_order_of_their_times(engine: Engine) -> None:
    told: SimpleQueue[str] = SimpleQueue()
    engine.after(0.06, lambda: told.put("later"))
    engine.after(0.03, lambda: told.put("sooner"))
    began = time.monotonic()
    over = threading.Event()
    engine.after(0.1, over.set)
    assert over.wait(20)
    assert time.monotonic() - began >= 0.1
    assert [told.get(), told.get()] == ["sooner", "later"]


def test_a_request_that_may_not_leave_any_more_does_not(engine: Engine, server: Server) -> None:
    late = Transfer(PEER, "POST", server.url, {}, b"{}", may_leave=lambda: False)
    assert isinstance(engine.make(late), NotSent)
    assert not server.asked.acquire(blocking=False)


@pytest.mark.parametrize("line", ["a\r\nX: y", "a\0", "\n", "ü"])
def test_what_would_be_more_than_one_header_is_refused(engine: Engine, line: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        engine.begin(Transfer(PEER, "GET", "http://127.0.0.1:1/", {"X": line}), print)


def test_an_engine_that_ends_leaves_nobody_waiting(engine: Engine, server: Server) -> None:
    server.free.clear()
    peer = Peer(connect_timeout_s=5, timeout_s=20, most=1)
    told: SimpleQueue[Result] = SimpleQueue()
    engine.begin(post(server, peer), told.put)
    server.asked.acquire()
    engine.begin(post(server, peer), told.put)
    turned = threading.Event()
    engine.after(0, turned.set)
    assert turned.wait(20)  # the second waits for the place of the first by now
    engine.close()
    assert [type(told.get()) for _ in range(2)] == [Unknown, NotSent]
    server.free.set()
    assert body(engine.make(post(server, peer)))


def test_a_transfer_that_libcurl_refuses_to_begin_is_not_sent_and_the_others_go_on(
    engine: Engine, server: Server
) -> None:
    longer_than_libcurl_takes = server.url + 8_000_000 * "x"
    assert isinstance(engine.make(Transfer(PEER, "POST", longer_than_libcurl_takes, {}, b"{}")), NotSent)
    assert not server.asked.acquire(blocking=False)
    assert body(engine.make(post(server)))


def test_a_transfer_that_libcurl_refuses_to_begin_gives_its_place_back(
    engine: Engine, server: Server
) -> None:
    peer = Peer(connect_timeout_s=5, timeout_s=20, most=1)
    refused = Transfer(peer, "POST", server.url + 8_000_000 * "x", {}, b"{}")
    assert [type(engine.make(refused)) for _ in range(2)] == [NotSent, NotSent]
    assert body(engine.make(post(server, peer)))


def test_a_transfer_whose_end_the_engine_cannot_read_is_unknown_and_the_others_go_on(
    engine: Engine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Peer(connect_timeout_s=5, timeout_s=20, most=1)

    def broken(*_: object) -> Result:
        raise ZeroDivisionError

    # Nothing that a server sends is known to do this, so the mistake is made here.
    with monkeypatch.context() as patch:
        patch.setattr(Handle, "_result", broken)
        assert isinstance(engine.make(post(server, peer)), Unknown)
    assert server.asked.acquire(blocking=False)
    assert body(engine.make(post(server, peer)))


def test_whoever_waits_for_an_engine_that_is_stuck_is_told_unknown(
    engine: Engine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_worker.exchange.engine.MARGIN_S", 0.1)
    is_stuck, goes_on = threading.Event(), threading.Event()

    def sticks() -> None:
        is_stuck.set()
        goes_on.wait(20)

    engine.after(0, sticks)
    assert is_stuck.wait(20)
    assert engine.make(post(server, Peer(connect_timeout_s=0.1, timeout_s=0.1, most=1))) == STUCK
    goes_on.set()
    assert body(engine.make(post(server)))


def test_a_forked_process_has_an_engine_of_its_own_and_leaves_its_parents_connections_alone(
    engine: Engine, server: Server
) -> None:
    mine = body(engine.make(post(server)))
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        os.write(writes, body(engine.make(post(server))))
        engine.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    theirs = os.read(reads, 100)
    os.close(reads)
    os.close(writes)
    assert theirs
    assert theirs != mine
    assert body(engine.make(post(server))) == mine
