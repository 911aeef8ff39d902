"""How sure the engine is, against servers that misbehave on the wire."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import MAX_ANSWER_BYTES, Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer

Behaviour = Callable[[socket.socket], object]
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


class Client:
    """A peer at a URL, and the engine of all these tests."""

    engine = Engine()

    def __init__(self, url: str, **settings: Any) -> None:
        defaults: dict[str, Any] = {"connect_timeout_s": 2.0, "timeout_s": 5.0, "most": 1}
        self.url, self.peer = url, Peer(**defaults | settings)

    def post(self, body: bytes | None = b"{}", **more: Any) -> Result:
        return self.engine.make(Transfer(self.peer, "POST", f"{self.url}/v1/charges", {}, body, **more))

    def get(self) -> Result:
        return self.engine.make(Transfer(self.peer, "GET", f"{self.url}/v1/charges", {}, may_repeat=True))


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
    with suppress(ConnectionError):
        while connection.recv(65_536):
            pass


def kind_of(answer: Result) -> NotSentKind:
    assert isinstance(answer, NotSent)
    return answer.kind


def test_an_answer_is_an_answer() -> None:
    with serving(answering(OK)) as url:
        answer = Client(url).post()
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body) == (200, b"{}")


class TestNothingSent:
    def test_a_closed_port(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            refused = Client(f"http://127.0.0.1:{bound.getsockname()[1]}").post()
            assert kind_of(refused) is NotSentKind.NETWORK_ERROR

    def test_a_name_that_does_not_resolve(self) -> None:
        assert kind_of(Client("http://gateway.invalid").post()) is NotSentKind.NETWORK_ERROR

    def test_a_connect_that_times_out(self) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for connection in waiting:
                connection.setblocking(False)
                connection.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            assert kind_of(Client(url, connect_timeout_s=0.3).post()) is NotSentKind.TIMEOUT
            for connection in waiting:
                connection.close()

    def test_a_tls_handshake_with_a_server_that_speaks_none(self) -> None:
        with serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url:
            assert kind_of(Client(url.replace("http:", "https:")).post()) is NotSentKind.NETWORK_ERROR

    def test_a_tls_handshake_that_hangs(self) -> None:
        with serving(until_the_client_gives_up) as url:
            hanging = Client(url.replace("http:", "https:"), connect_timeout_s=0.3)
            assert kind_of(hanging.post()) is NotSentKind.TIMEOUT

    def test_no_free_connection(self) -> None:
        busy, released = threading.Event(), threading.Event()

        def answer_when_released(connection: socket.socket) -> None:
            read_request(connection)
            busy.set()
            released.wait(10)
            connection.sendall(OK)

        with serving(answer_when_released) as url:
            client = Client(url, connect_timeout_s=0.2)
            first = threading.Thread(target=client.post)
            first.start()
            assert busy.wait(10)
            assert client.post() == NotSent("no free connection")
            released.set()
            first.join()


class TestUnknown:
    def test_a_server_that_reads_and_never_answers(self) -> None:
        with serving(until_the_client_gives_up) as url:
            assert Client(url, timeout_s=0.3).post() == Unknown(
                "read timeout", kind=UnknownKind.ANSWER_TIMEOUT
            )

    def test_a_server_that_closes_before_answering(self) -> None:
        with serving(read_request) as url:
            assert isinstance(Client(url).post(), Unknown)

    def test_a_server_that_resets_the_connection(self) -> None:
        def reset(connection: socket.socket) -> None:
            read_request(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        with serving(reset) as url:
            assert isinstance(Client(url).post(), Unknown)

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
            assert isinstance(Client(url).post(), Unknown)

    def test_an_answer_beyond_the_bound_and_the_connections_place_is_given_back(self) -> None:
        endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (MAX_ANSWER_BYTES + 1)

        def flood(connection: socket.socket) -> None:
            read_request(connection)
            try:
                connection.sendall(endless)
                until_the_client_gives_up(connection)
            except ConnectionError:
                return

        with serving(flood, flood, answering(OK)) as url:
            client = Client(url)
            assert [type(client.post()) for _ in range(3)] == [Unknown, Unknown, HttpAnswer]

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
            assert isinstance(Client(url, connect_timeout_s=0.2, timeout_s=0.3).post(), Unknown)

    def test_a_deadline_that_comes_before_the_clients_own_bounds(self) -> None:
        with serving(until_the_client_gives_up) as url:
            answer = Client(url, timeout_s=60).post(deadline=time.monotonic() + 0.2)
            assert answer == Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)


def dripping(begin: bytes, drop: bytes) -> Behaviour:
    def drip(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(begin)
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at:
            try:
                connection.sendall(drop)
            except OSError:
                return
            time.sleep(0.02)

    return drip


class TestOneDeadline:
    @pytest.mark.parametrize(
        ("begin", "drop"),
        [
            (b"HTTP/1.1 200 ", b"x"),
            (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
            (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
            (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        ],
        ids=[
            "status_line",
            "header",
            "headers",
            "100s",
            "body",
            "body_to_the_end",
            "chunks",
            "chunk_size",
            "trailers",
        ],
    )
    def test_a_server_that_drips_is_given_up_however_often_bytes_come(
        self, begin: bytes, drop: bytes
    ) -> None:
        with serving(dripping(begin, drop)) as url:
            given_up = Client(url, timeout_s=0.3).post()
        assert given_up == Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)

    def test_a_request_that_the_server_does_not_read_is_given_up(self) -> None:
        over = threading.Event()
        with serving(lambda connection: over.wait(20)) as url:
            stalled = Client(url, timeout_s=0.3).post(b"x" * (1 << 24))
            over.set()
        assert stalled == Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)

    def test_a_tls_handshake_that_drips_is_given_up_and_nothing_was_sent(self) -> None:
        def drip(connection: socket.socket) -> None:
            # The head of a record of 16 KB, and then its bytes one by one.
            connection.sendall(b"\x16\x03\x03\x40\x00")
            for _ in range(1000):
                try:
                    connection.sendall(b"\x02")
                except OSError:
                    return
                time.sleep(0.02)

        with serving(drip) as url:
            hanging = Client(url.replace("http:", "https:"), connect_timeout_s=0.3)
            assert kind_of(hanging.post()) is NotSentKind.TIMEOUT

    def test_all_addresses_of_a_name_share_the_time_to_connect(self) -> None:
        with socket.socket() as full:
            full.bind(("0.0.0.0", 0))
            full.listen(0)
            port = full.getsockname()[1]
            waiting = [socket.socket() for _ in range(4)]
            for connection in waiting:
                connection.setblocking(False)
                connection.connect_ex(full.getsockname())
            addresses = ",".join(f"127.0.0.{number}" for number in range(1, 41))
            forty = (f"gateway.test:{port}:{addresses}",)
            began = time.monotonic()
            client = Client(f"http://gateway.test:{port}", connect_timeout_s=0.5, known_addresses=forty)
            refused = client.post()
            # Each for itself they would take 20 s.
            assert (kind_of(refused), time.monotonic() - began < 10) == (NotSentKind.TIMEOUT, True)
            for connection in waiting:
                connection.close()


class TestInterimAnswers:
    @pytest.mark.parametrize(
        "interim",
        [
            [b"100 Continue"],
            [b"102 Processing"],
            [b"103 Early Hints\r\nLink: </style.css>; rel=preload"],
            [b"199 Whatever"],
            [b"100 Continue", b"102 Processing", b"103 Early Hints"],
            20 * [b"103 Early Hints"],
        ],
        ids=["100", "102", "103", "199", "each", "many"],
    )
    def test_the_answer_is_the_first_that_is_final_and_the_next_request_gets_its_own(
        self, interim: list[bytes]
    ) -> None:
        before = b"".join(b"HTTP/1.1 " + head + b"\r\n\r\n" for head in interim)

        def behave(connection: socket.socket) -> None:
            for number in (b"1", b"2"):
                read_request(connection)
                connection.sendall(before + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)

        with serving(behave) as url:
            client = Client(url)
            assert [body_of(client.post()) for _ in range(2)] == [b"1", b"2"]

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + OK,
            10_000 * b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
            30 * (b"HTTP/1.1 103 Early Hints\r\nLink: " + 8_000 * b"x" + b"\r\n\r\n") + OK,
            b"HTTP/1.1 099 Odd\r\n\r\n" + OK,
            b"HTTP/1.1 103 Early Hints\r\n\r\n",
        ],
        ids=["101", "endless", "large", "099", "nothing_after"],
    )
    def test_what_is_no_interim_answer_or_too_many_of_them_is_unknown(self, raw: bytes) -> None:
        with serving(answering(raw)) as url:
            assert isinstance(Client(url).post(), Unknown)


def body_of(answer: Result) -> bytes:
    assert isinstance(answer, HttpAnswer), answer
    return answer.body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
UNREADABLE = {
    "length_and_chunked": CHUNKED + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two_lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}",
    "two_lengths_in_one": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 4\r\n\r\n{}{}",
    "negative_length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "signed_length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "length_of_no_digits": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
    "length_with_underscore": b"HTTP/1.1 200 OK\r\nContent-Length: 0_2\r\n\r\n{}",
    "length_too_long": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
    "gzip_coded_transfer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked_twice": CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked_in_1_0": CHUNKED.replace(b"1.1", b"1.0") + b"\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunk_size_signed": CHUNKED + b"\r\n+2\r\n{}\r\n0\r\n\r\n",
    "chunk_size_negative": CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    "chunk_size_0x": CHUNKED + b"\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "chunk_size_huge": CHUNKED + b"\r\n" + 30 * b"f" + b"\r\n{}\r\n0\r\n\r\n",
    "chunk_without_end": CHUNKED + b"\r\n2\r\n{}xx0\r\n\r\n",
    "chunks_without_last": CHUNKED + b"\r\n2\r\n{}\r\n",
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"{}"),
    "two_codings": b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    "http_0_9": b"{}",
    "http_2": OK.replace(b"1.1", b"2.0"),
    "status_of_4_digits": OK.replace(b"200", b"2000"),
    "status_of_2_digits": OK.replace(b"200", b"20"),
    "status_of_no_digits": OK.replace(b"200", b"2_0"),
    "header_without_colon": b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\n{}",
    "space_before_colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
    "nul_in_header": b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 2\r\n\r\n{}",
    "head_cut_short": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "one_huge_header": b"HTTP/1.1 200 OK\r\nX: " + 200_000 * b"x" + b"\r\nContent-Length: 2\r\n\r\n{}",
    "many_headers": b"HTTP/1.1 200 OK\r\n" + 50_000 * b"X: y\r\n" + b"Content-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_that_two_readers_would_not_read_alike_is_unknown_and_its_connection_is_closed(
    raw: bytes,
) -> None:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            until_the_client_gives_up(connection)
        except OSError:
            return

    with serving(behave, answering(OK)) as url:
        client = Client(url)
        assert [type(client.post()) for _ in range(2)] == [Unknown, HttpAnswer]


class TestKeptAliveConnections:
    @pytest.mark.parametrize("later_s", [0.0, 0.1], ids=["at_once", "while_it_lies_idle"])
    @pytest.mark.parametrize("unasked", [OK, b"x", b"\r\n", b"HTTP/1.1 408 Too Late\r\n\r\n"])
    def test_one_with_bytes_that_nobody_asked_for_is_never_used_again(
        self, unasked: bytes, later_s: float
    ) -> None:
        sent = threading.Event()

        def says_too_much(connection: socket.socket) -> None:
            read_request(connection)
            if later_s:
                connection.sendall(OK)
                time.sleep(later_s)
                connection.sendall(unasked)
            else:
                connection.sendall(OK + unasked)
            sent.set()
            until_the_client_gives_up(connection)

        with serving(says_too_much, answering(OK.replace(b"{}", b"me"))) as url:
            client = Client(url)
            assert body_of(client.post()) == b"{}"
            assert sent.wait(10)
            assert body_of(client.post()) == b"me"

    def test_a_reset_on_a_reused_connection_is_unknown_too(self) -> None:
        def answer_once_then_close_on_the_next(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(OK)
            read_request(connection)

        with serving(answer_once_then_close_on_the_next) as url:
            client = Client(url)
            assert [type(client.post()) for _ in range(2)] == [HttpAnswer, Unknown]

    def test_a_connection_that_the_server_closed_in_the_meantime_is_replaced(self) -> None:
        with serving(answering(OK), answering(OK)) as url:
            client = Client(url)
            assert isinstance(client.post(), HttpAnswer)
            time.sleep(0.1)
            assert isinstance(client.post(), HttpAnswer)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with serving(answering(b"HTTP/1.1 307 Away\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")) as url:
        answer = Client(url).post()
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 307


def test_a_refusal_that_comes_before_the_request_was_read_is_an_answer() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"

    def refuses(connection: socket.socket) -> None:
        answering(refusal)(connection)
        # A connection that is closed with bytes unread is reset, and then its answer may be lost.
        connection.shutdown(socket.SHUT_WR)
        until_the_client_gives_up(connection)

    with serving(refuses, answering(OK)) as url:
        client = Client(url)
        refused = client.post(b"x" * (1 << 24))
        assert isinstance(refused, HttpAnswer)
        assert refused.status == 413
        assert isinstance(client.post(), HttpAnswer)


@pytest.mark.parametrize(
    ("header", "expected"),
    [("7", 7.0), ("999999", 3600.0), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_retry_after_is_read_and_bounded(header: str, expected: float | None) -> None:
    assert HttpAnswer(429, {"Retry-After": header}, b"").retry_after_s() == expected


def test_no_retry_after_is_none() -> None:
    assert HttpAnswer(429, {}, b"").retry_after_s() is None
