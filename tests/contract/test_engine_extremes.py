"""How sure the engine is of answers that are far too long, of old protocols, and of servers that are hard to reach."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from support.counting_server import OK, Server, read_one, serving
from support.processes import BEHIND_A_SILENT_RESOLVER

from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer

PEER = Peer(connect_timeout_s=5, timeout_s=20, most=4)
_LONG = 50_000_000
_PIECE = b"x" * 65_536
_BOMB = gzip.compress(bytes(_LONG))


def post(engine: Engine, url: str) -> Result:
    return engine.make(Transfer(PEER, "POST", url, {}, b'{"amount":1}'))


class Flood:
    """Answers with this head and 50 MB, and counts how much of it could be sent before the client closed."""

    def __init__(self, head: bytes, *, is_chunked: bool = False) -> None:
        self._head, self.sent = head, 0
        self._piece = b"10000\r\n" + _PIECE + b"\r\n" if is_chunked else _PIECE

    def __call__(self, connection: socket.socket, server: Server) -> None:
        read_one(connection, server)
        connection.sendall(self._head)
        while self.sent < _LONG:
            connection.sendall(self._piece)
            self.sent += len(_PIECE)


@pytest.mark.parametrize(
    "flood",
    [
        Flood(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"),
        Flood(b"HTTP/1.1 200 OK\r\n\r\n"),
        Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", is_chunked=True),
    ],
    ids=["of_a_length", "to_the_end", "chunked"],
)
def test_an_answer_of_50_mb_is_broken_off_and_unknown(engine: Engine, flood: Flood) -> None:
    with serving(flood) as server:
        answer = post(engine, server.url)
        assert isinstance(answer, Unknown)
        assert answer.kind is UnknownKind.UNREADABLE
        assert server.requests == ["POST"]
    # What the sockets of both sides hold comes on top of the longest answer, but nowhere near all of it.
    assert flood.sent < _LONG


def test_a_compressed_answer_that_would_unfold_to_50_mb_is_not_unfolded(engine: Engine) -> None:
    def bomb(connection: socket.socket, server: Server) -> None:
        read_one(connection, server)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(_BOMB)}\r\n\r\n"
        connection.sendall(head.encode() + _BOMB)

    with serving(bomb) as server:
        answer = post(engine, server.url)
        assert isinstance(answer, Unknown)
        assert answer.kind is UnknownKind.UNREADABLE
        assert server.requests == ["POST"]


@pytest.mark.parametrize("length", [b"Content-Length: 2\r\n", b""], ids=["of_a_length", "to_the_end"])
def test_an_answer_in_http_1_0_is_an_answer_and_its_connection_is_not_used_again(
    engine: Engine, length: bytes
) -> None:
    def answers_once(connection: socket.socket, server: Server) -> None:
        read_one(connection, server)
        connection.sendall(b"HTTP/1.0 200 OK\r\n" + length + b"\r\n{}")

    with serving(answers_once) as server:
        answers = [post(engine, server.url) for _ in range(2)]
        assert [answer.body for answer in answers if isinstance(answer, HttpAnswer)] == [b"{}", b"{}"]
        assert (server.requests, server.connections) == (["POST", "POST"], 2)


def test_a_connection_that_is_reset_before_the_request_was_read_is_no_answer_and_carries_it_once(
    engine: Engine,
) -> None:
    def resets(connection: socket.socket, _: Server) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(resets) as server:
        # Which of the two it is depends on whether the reset came before the engine looked at the connection.
        assert isinstance(post(engine, server.url), NotSent | Unknown)
        assert server.connections <= 2


def _has_ipv6() -> bool:
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no ::1")
class TestIpv6:
    def test_a_server_at_an_ipv6_address_answers(self, engine: Engine) -> None:
        def answers(connection: socket.socket, server: Server) -> None:
            while read_one(connection, server):
                connection.sendall(OK)

        with serving(answers, address="::1") as server:
            assert [type(post(engine, server.url)) for _ in range(2)] == [HttpAnswer, HttpAnswer]
            assert server.connections == 1

    def test_a_write_on_a_kept_connection_that_dies_is_seen_once(self, engine: Engine) -> None:
        def drops_the_second(connection: socket.socket, server: Server) -> None:
            if read_one(connection, server):
                connection.sendall(OK)
                read_one(connection, server)

        with serving(drops_the_second, address="::1") as server:
            assert [type(post(engine, server.url)) for _ in range(2)] == [HttpAnswer, Unknown]
            assert server.requests == ["POST", "POST"]

    def test_a_closed_port_there_is_not_sent(self, engine: Engine) -> None:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
            port = listener.getsockname()[1]
        assert isinstance(post(engine, f"http://[::1]:{port}"), NotSent)

    def test_a_name_with_an_address_of_each_kind_is_reached_by_the_one_that_answers(
        self, engine: Engine
    ) -> None:
        def answers(connection: socket.socket, server: Server) -> None:
            while read_one(connection, server):
                connection.sendall(OK)

        with serving(answers) as server:
            both = (f"gateway.test:{server.port}:[::1],127.0.0.1",)
            url = f"http://gateway.test:{server.port}"
            transfer = Transfer(PEER, "POST", url, {}, b"{}", known_addresses=both)
            assert isinstance(engine.make(transfer), HttpAnswer)
            assert server.requests == ["POST"]


def _namespaces(resolver: Path) -> list[str]:
    """The beginning of a command that runs in a network of its own, whose only resolver is the one in this file."""
    mount = f"mount --bind {resolver} /etc/resolv.conf"
    return ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]


@pytest.mark.slow
def test_a_resolver_that_hangs_costs_its_own_calls_the_time_to_connect_and_others_nothing(
    tmp_path: Path,
) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    apart = _namespaces(resolver)
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("it takes Linux namespaces of one's own, which are not to be had here")
    ran = subprocess.run(
        [*apart, sys.executable, str(BEHIND_A_SILENT_RESOLVER)],
        env=os.environ | {"RES_OPTIONS": "timeout:30 attempts:1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
        timeout=25,
    )
    said = json.loads(ran.stdout)
    assert said["asked"]
    # The answers in the order in which they came: others are answered while the name hangs, and after it was given up.
    assert said["ended"] == ["HttpAnswer", "NotSent TIMEOUT", "HttpAnswer"]
