"""A request that moves money reaches the server once, whatever becomes of its connection; TLS and HTTP/2 included.

libcurl resends by itself where a kept connection dies before a byte of the answer, where an HTTP/2 server refuses a
stream, and where it goes away. The servers here count what they read.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
from support.counting_server import OK, Server, read_one, serving
from support.tls import Certificate, certificate

from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer

RESET = b"\1\0\0\0\0\0\0\0"


def peer(trusted: Path | None = None, **more: Any) -> Peer:
    return Peer(**{"connect_timeout_s": 5.0, "timeout_s": 10.0, "most": 8, "ca_bundle": trusted, **more})


def drops_the_second(connection: socket.socket, server: Server) -> None:
    """Answers one request; reads the next, and closes without an answer."""
    if read_one(connection, server):
        connection.sendall(OK)
        read_one(connection, server)


def resets_the_second(connection: socket.socket, server: Server) -> None:
    drops_the_second(connection, server)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "body", [b'{"amount":1}', b"", None, b"x" * 300_000], ids=["body", "empty", "none", "long"]
)
@pytest.mark.parametrize("serve", [drops_the_second, resets_the_second])
def test_a_write_on_a_kept_connection_that_dies_is_seen_once(
    engine: Engine, ours: Certificate, serve: Any, body: bytes | None, secured: bool
) -> None:
    with serving(serve, ours.server() if secured else None) as server:
        to = peer(ours.file)
        read = Transfer(to, "GET", server.url, {}, may_repeat=True)
        write = Transfer(to, "POST", server.url, {}, body)
        assert isinstance(engine.make(read), HttpAnswer)
        first = engine.make(write)
        # Without a body it went over a connection of its own, whose first request is answered.
        assert isinstance(first, Unknown if body else HttpAnswer)
        assert server.requests.count("POST") == 1


def test_a_read_on_a_kept_connection_that_dies_is_repeated(engine: Engine) -> None:
    with serving(drops_the_second) as server:
        read = Transfer(peer(), "GET", server.url, {}, may_repeat=True)
        assert [type(engine.make(read)) for _ in range(2)] == [HttpAnswer, HttpAnswer]
        assert len(server.requests) == 3


class TestTls:
    def test_an_answer_over_tls_is_an_answer(self, engine: Engine, ours: Certificate) -> None:
        with serving(drops_the_second, ours.server()) as server:
            assert isinstance(
                engine.make(Transfer(peer(ours.file), "POST", server.url, {}, b"{}")), HttpAnswer
            )

    def test_a_certificate_that_nobody_vouches_for(self, engine: Engine, ours: Certificate) -> None:
        with serving(drops_the_second, ours.server()) as server:
            refused = engine.make(Transfer(peer(), "POST", server.url, {}, b"{}"))
            assert isinstance(refused, NotSent)
            assert "certificate" in refused.reason
            assert server.requests == []

    def test_a_certificate_of_another_host(self, engine: Engine, ours: Certificate) -> None:
        with serving(drops_the_second, ours.server()) as server:
            port = server.url.rpartition(":")[2]
            to = peer(ours.file, known_addresses=(f"gateway.test:{port}:127.0.0.1",))
            refused = engine.make(Transfer(to, "POST", f"https://gateway.test:{port}", {}, b"{}"))
            assert isinstance(refused, NotSent)
            assert server.requests == []

    def test_a_handshake_that_is_cut(self, engine: Engine) -> None:
        def cut(connection: socket.socket, _: Server) -> None:
            connection.recv(10)

        with serving(cut) as server:
            url = server.url.replace("http:", "https:")
            assert isinstance(engine.make(Transfer(peer(), "POST", url, {}, b"{}")), NotSent)

    def test_an_end_of_tls_that_anybody_can_forge_is_no_end_of_an_answer(
        self, engine: Engine, ours: Certificate
    ) -> None:
        def cut(connection: socket.socket, server: Server) -> None:
            read_one(connection, server)
            connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"a":1}')
            # The socket ends without a close_notify.
            with socket.socket(fileno=connection.detach()) as plain:
                plain.shutdown(socket.SHUT_RDWR)

        with serving(cut, ours.server()) as server:
            assert isinstance(engine.make(Transfer(peer(ours.file), "POST", server.url, {}, b"{}")), Unknown)

    def test_we_show_a_server_that_asks_who_we_are(
        self, engine: Engine, ours: Certificate, tmp_path: Path
    ) -> None:
        client = certificate(tmp_path, "merchant.test")
        with serving(drops_the_second, ours.server(trusts=client.file)) as server:
            known = peer(ours.file, certificate=client.file, certificate_key=client.key)
            assert isinstance(engine.make(Transfer(known, "POST", server.url, {}, b"{}")), HttpAnswer)
            assert not isinstance(
                engine.make(Transfer(peer(ours.file), "POST", server.url, {}, b"{}")), HttpAnswer
            )
            assert server.requests == ["POST"]


class Streams:
    """An HTTP/2 server. `misbehave(h2, stream, number)` answers the request with this number."""

    def __init__(self, misbehave: Callable[[h2.connection.H2Connection, int, int], bool]) -> None:
        self._misbehave = misbehave

    def __call__(self, connection: socket.socket, server: Server) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        if connection.selected_alpn_protocol() != "h2":
            # Whoever comes back with HTTP/1.1 is counted and not answered.
            if request := connection.recv(65_536):
                server.requests.append(request.split(b" ")[0].decode())
            return
        speaks = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        speaks.initiate_connection()
        connection.sendall(speaks.data_to_send())
        while data := connection.recv(65_536):
            for event in speaks.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    server.requests.append(dict(event.headers)[b":method"].decode())
                if isinstance(event, h2.events.StreamEnded):
                    goes_on = self._misbehave(speaks, event.stream_id, len(server.requests))
                    connection.sendall(speaks.data_to_send())
                    if not goes_on:
                        return
            connection.sendall(speaks.data_to_send())


def answers(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    body = str(number).encode()
    speaks.send_headers(stream, [(":status", "200"), ("content-length", str(len(body)))])
    speaks.send_data(stream, body, end_stream=True)
    return True


def refuses(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    speaks.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
    return True


def wants_http_1(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    speaks.reset_stream(stream, h2.errors.ErrorCodes.HTTP_1_1_REQUIRED)
    return True


def breaks(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    speaks.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
    return True


def goes_away(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    speaks.close_connection(last_stream_id=0)
    return False


def goes_away_with_it(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    speaks.close_connection(last_stream_id=stream)
    return False


def ends(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    return False


def half(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
    speaks.send_headers(stream, [(":status", "200"), ("content-length", "10")])
    speaks.send_data(stream, b"{}", end_stream=True)
    return True


UNKIND = [refuses, wants_http_1, breaks, goes_away, goes_away_with_it, ends, half]


class TestHttp2:
    def test_many_requests_share_a_connection(self, engine: Engine, ours: Certificate) -> None:
        with serving(Streams(answers), ours.server("h2", "http/1.1")) as server:
            to = peer(ours.file)
            bodies = [engine.make(Transfer(to, "POST", server.url, {}, b"{}")) for _ in range(3)]
            assert [body.body for body in bodies if isinstance(body, HttpAnswer)] == [b"1", b"2", b"3"]
            assert server.connections == 1

    @pytest.mark.parametrize("after", [0, 1], ids=["first", "kept"])
    @pytest.mark.parametrize("body", [b'{"amount":1}', None], ids=["body", "none"])
    @pytest.mark.parametrize("unkind", UNKIND)
    def test_a_write_is_seen_once_however_the_server_ends_its_stream(
        self, engine: Engine, ours: Certificate, unkind: Any, body: bytes | None, after: int
    ) -> None:
        def first_kind(speaks: h2.connection.H2Connection, stream: int, number: int) -> bool:
            return bool((answers if number <= after else unkind)(speaks, stream, number))

        with serving(Streams(first_kind), ours.server("h2", "http/1.1")) as server:
            to = peer(ours.file)
            for _ in range(after):
                engine.make(Transfer(to, "GET", server.url, {}, may_repeat=True))
            result: Result = engine.make(Transfer(to, "POST", server.url, {}, body))
            assert isinstance(result, Unknown), result
            assert server.requests.count("POST") == 1
