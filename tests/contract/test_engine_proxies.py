"""Calls through a proxy: how sure the engine is when the proxy misbehaves, and what the proxy gets to see."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from support.connect_proxy import ConnectProxy
from support.counting_server import OK, Server, read_one, serving
from support.tls import Certificate

from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer

PEER = Peer(connect_timeout_s=5, timeout_s=10, most=8)


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def secured(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def answers(connection: socket.socket, server: Server) -> None:
    while read_one(connection, server):
        connection.sendall(OK)


def through(proxy: ConnectProxy | str, ours: Certificate) -> Peer:
    url = proxy if isinstance(proxy, str) else f"http://user:secret@127.0.0.1:{proxy.port}"
    return replace(PEER, proxy=url, ca_bundle=ours.file)


def post(engine: Engine, peer: Peer, url: str) -> Result:
    return engine.make(Transfer(peer, "POST", url, {"Authorization": "Bearer key"}, b'{"amount":1}'))


def test_calls_share_a_tunnel_and_the_proxy_sees_nothing_but_where_it_goes(
    engine: Engine, ours: Certificate, secured: bool
) -> None:
    with serving(answers, ours.server() if secured else None) as server, ConnectProxy() as proxy:
        made = [post(engine, through(proxy, ours), server.url) for _ in range(2)]
        assert [answer.body for answer in made if isinstance(answer, HttpAnswer)] == [b"{}", b"{}"]
        assert all("via" not in answer.headers for answer in made if isinstance(answer, HttpAnswer))
        assert (server.requests, server.connections) == (["POST", "POST"], 1)
        (head,) = proxy.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in head
    assert b"Bearer key" not in head


def test_a_proxy_may_be_spoken_to_with_tls(engine: Engine, ours: Certificate, secured: bool) -> None:
    with (
        serving(answers, ours.server() if secured else None) as server,
        ConnectProxy(tls=ours.server()) as proxy,
    ):
        peer = through(f"https://127.0.0.1:{proxy.port}", ours)
        assert [type(post(engine, peer, server.url)) for _ in range(2)] == [HttpAnswer, HttpAnswer]
        assert len(proxy.heads) == 1


def test_a_proxy_whose_certificate_nobody_vouches_for_is_not_sent(engine: Engine, ours: Certificate) -> None:
    with serving(answers) as server, ConnectProxy(tls=ours.server()) as proxy:
        unknown = replace(PEER, proxy=f"https://127.0.0.1:{proxy.port}")
        assert isinstance(post(engine, unknown, server.url), NotSent)
        assert (proxy.heads, server.connections) == ([], 0)


def test_a_proxy_that_is_down_is_not_sent(engine: Engine, ours: Certificate, secured: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with serving(answers, ours.server() if secured else None) as server:
        assert isinstance(post(engine, through(nobody, ours), server.url), NotSent)
        assert server.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
    ],
    ids=["502", "407", "307", "no_http", "nothing"],
)
def test_a_proxy_that_refuses_the_tunnel_is_not_sent(
    engine: Engine, ours: Certificate, secured: bool, answer: bytes
) -> None:
    with serving(answers, ours.server() if secured else None) as server, ConnectProxy(answer) as proxy:
        refused = post(engine, through(proxy, ours), server.url)
        assert isinstance(refused, NotSent)
        assert "secret" not in refused.reason
        assert server.connections == 0


def test_a_proxy_that_says_nothing_is_not_sent_when_the_time_to_connect_is_over(
    engine: Engine, ours: Certificate, secured: bool
) -> None:
    with serving(answers, ours.server() if secured else None) as server, ConnectProxy(is_mute=True) as proxy:
        hasty = replace(through(proxy, ours), connect_timeout_s=0.3)
        refused = post(engine, hasty, server.url)
        assert isinstance(refused, NotSent)
        assert refused.kind is NotSentKind.TIMEOUT
        assert server.connections == 0


def test_a_proxy_that_dies_before_the_handshake_is_not_sent(engine: Engine, ours: Certificate) -> None:
    with serving(answers, ours.server()) as server, ConnectProxy(tunnels=False) as proxy:
        assert isinstance(post(engine, through(proxy, ours), server.url), NotSent)
        assert server.requests == []


@pytest.mark.parametrize("answered_before", [0, 1], ids=["first", "kept"])
def test_a_proxy_that_dies_when_the_request_was_sent_is_unknown_and_the_request_was_seen_once(
    engine: Engine, ours: Certificate, secured: bool, answered_before: int
) -> None:
    with ConnectProxy() as proxy:

        def cuts(connection: socket.socket, server: Server) -> None:
            for _ in range(answered_before):
                read_one(connection, server)
                connection.sendall(OK)
            read_one(connection, server)
            proxy.cut()

        with serving(cuts, ours.server() if secured else None) as server:
            peer = through(proxy, ours)
            for _ in range(answered_before):
                assert isinstance(post(engine, peer, server.url), HttpAnswer)
            assert isinstance(post(engine, peer, server.url), Unknown)
            assert len(server.requests) == answered_before + 1


@pytest.mark.parametrize("of", ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"])
def test_no_proxy_is_taken_from_the_environment(
    engine: Engine, ours: Certificate, secured: bool, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(answers, ours.server() if secured else None) as server, ConnectProxy() as proxy:
        monkeypatch.setenv(of, f"http://127.0.0.1:{proxy.port}")
        assert isinstance(post(engine, replace(PEER, ca_bundle=ours.file), server.url), HttpAnswer)
        assert proxy.heads == []


@pytest.mark.parametrize("of", ["no_proxy", "NO_PROXY"])
def test_nothing_goes_round_a_proxy_because_of_the_environment(
    engine: Engine, ours: Certificate, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(of, "*")
    with serving(answers) as server, ConnectProxy() as proxy:
        assert isinstance(post(engine, through(proxy, ours), server.url), HttpAnswer)
        assert len(proxy.heads) == 1
