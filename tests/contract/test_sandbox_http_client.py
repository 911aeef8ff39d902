"""How sure the HTTP client is, against servers that misbehave on the wire."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.http_client import MAX_BODY_BYTES, Answer, HttpClient

Behaviour = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def serving(*behaviours: Behaviour) -> Iterator[str]:
    """A server that treats its first connection with the first behaviour, and so on; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for behaviour in behaviours:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    behaviour(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def client_for(url: str, **settings: Any) -> HttpClient:
    defaults = {"connect_timeout_s": 2.0, "timeout_s": 5.0, "max_connections": 1, "headers": {}}
    return HttpClient(url, **defaults | settings)


def read_request(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)


def answering(raw: bytes) -> Behaviour:
    """Reads a request, sends `raw`, closes."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(raw)

    return behave


def until_the_client_gives_up(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def post(client: HttpClient) -> Answer | NotSent | Unknown:
    return client.send("POST", "/v1/charges", b"{}")


def kind_of(answer: Answer | NotSent | Unknown) -> NotSentKind:
    assert isinstance(answer, NotSent)
    return answer.kind


def test_an_answer_is_an_answer() -> None:
    with serving(answering(OK)) as url:
        answer = post(client_for(url))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (200, b"{}")


class TestNothingSent:
    def test_a_closed_port(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            refused = post(client_for(f"http://127.0.0.1:{bound.getsockname()[1]}"))
            assert kind_of(refused) is NotSentKind.NETWORK_ERROR

    def test_a_name_that_does_not_resolve(self) -> None:
        assert kind_of(post(client_for("http://gateway.invalid"))) is NotSentKind.NETWORK_ERROR

    def test_a_connect_that_times_out(self) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for connection in waiting:
                connection.setblocking(False)
                connection.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            assert kind_of(post(client_for(url, connect_timeout_s=0.3))) is NotSentKind.TIMEOUT
            for connection in waiting:
                connection.close()

    def test_a_tls_handshake_with_a_server_that_speaks_none(self) -> None:
        with serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url:
            assert kind_of(post(client_for(url.replace("http:", "https:")))) is NotSentKind.NETWORK_ERROR

    def test_a_tls_handshake_that_hangs(self) -> None:
        with serving(until_the_client_gives_up) as url:
            hanging = client_for(url.replace("http:", "https:"), connect_timeout_s=0.3)
            assert kind_of(post(hanging)) is NotSentKind.TIMEOUT

    def test_no_free_connection(self) -> None:
        busy, released = threading.Event(), threading.Event()

        def answer_when_released(connection: socket.socket) -> None:
            read_request(connection)
            busy.set()
            released.wait(10)
            connection.sendall(OK)

        with serving(answer_when_released) as url:
            client = client_for(url, connect_timeout_s=0.2)
            first = threading.Thread(target=post, args=[client])
            first.start()
            assert busy.wait(10)
            assert post(client) == NotSent("no free connection")
            released.set()
            first.join()


class TestUnknown:
    def test_a_server_that_reads_and_never_answers(self) -> None:
        with serving(until_the_client_gives_up) as url:
            assert post(client_for(url, timeout_s=0.3)) == Unknown(
                "read timeout", kind=UnknownKind.ANSWER_TIMEOUT
            )

    def test_a_server_that_closes_before_answering(self) -> None:
        with serving(read_request) as url:
            assert isinstance(post(client_for(url)), Unknown)

    def test_a_server_that_resets_the_connection(self) -> None:
        def reset(connection: socket.socket) -> None:
            read_request(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        with serving(reset) as url:
            assert isinstance(post(client_for(url)), Unknown)

    @pytest.mark.parametrize(
        "raw",
        [
            b"SSH-2.0-OpenSSH\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        ],
        ids=["no_http", "cut_short", "broken_chunks", "no_gzip"],
    )
    def test_an_answer_that_is_no_whole_http_answer(self, raw: bytes) -> None:
        with serving(answering(raw)) as url:
            assert isinstance(post(client_for(url)), Unknown)

    def test_an_answer_beyond_the_bound_and_the_connections_place_is_given_back(self) -> None:
        endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 1)

        def flood(connection: socket.socket) -> None:
            read_request(connection)
            try:
                connection.sendall(endless)
                until_the_client_gives_up(connection)
            except ConnectionError:
                return

        with serving(flood, flood, answering(OK)) as url:
            client = client_for(url)
            assert [type(post(client)) for _ in range(3)] == [Unknown, Unknown, Answer]

    def test_a_body_that_trickles_in_for_longer_than_the_timeouts(self) -> None:
        def trickle(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except ConnectionError:
                return

        with serving(trickle) as url:
            assert isinstance(post(client_for(url, connect_timeout_s=0.2, timeout_s=0.3)), Unknown)


class TestKeptAliveConnections:
    def test_a_reset_on_a_reused_connection_is_unknown_too(self) -> None:
        def answer_once_then_close_on_the_next(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(OK)
            read_request(connection)

        with serving(answer_once_then_close_on_the_next) as url:
            client = client_for(url)
            assert [type(post(client)) for _ in range(2)] == [Answer, Unknown]

    def test_a_connection_that_the_server_closed_in_the_meantime_is_replaced(self) -> None:
        with serving(answering(OK), answering(OK)) as url:
            client = client_for(url)
            assert isinstance(post(client), Answer)
            time.sleep(0.1)
            assert isinstance(post(client), Answer)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with serving(answering(b"HTTP/1.1 307 Away\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")) as url:
        answer = post(client_for(url))
    assert isinstance(answer, Answer)
    assert answer.status == 307


@pytest.mark.parametrize(
    ("header", "expected"),
    [("7", 7.0), ("999999", 3600.0), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_retry_after_is_read_and_bounded(header: str, expected: float | None) -> None:
    assert Answer(429, {"Retry-After": header}, b"").retry_after_s() == expected


def test_no_retry_after_is_none() -> None:
    assert Answer(429, {}, b"").retry_after_s() is None
