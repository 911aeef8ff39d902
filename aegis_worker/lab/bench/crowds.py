"""Crowds of slow clients, each of which could hold a server's threads: they send little, or read nothing, and stay."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_PATIENCE_S = 10.0
_EVERY_S = 1.0
_GET = b"GET %s HTTP/1.1\r\nHost: bench\r\n"
_PING = _GET % b"/healthz" + b"\r\n"
_POST = b"POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many clients alike. Each sends `first`, reads one answer if it `reads`, and then sends `again` every second."""

    count: int
    first: bytes = b""
    again: bytes = b""
    reads: bool = False


# As many answers of some 100 KB as fill every buffer between the server and a client that reads none.
_PIPELINED = (_GET % b"/openapi.json" + b"\r\n") * 40

CROWDS = {
    "200 silent": Crowd(200),
    "64 slow heads": Crowd(64, _GET % b"/healthz" + b"X-Slow: ", again=b"a"),
    "64 that never read": Crowd(64, _PIPELINED),
    "2,000 idle": Crowd(2000, _PING, reads=True),
    "64 stalled bodies": Crowd(64, _POST % b"/v1/gateways/bench/webhooks" + b"\r\n{"),
    "64 dripping bodies": Crowd(64, _POST % b"/v1/gateways/bench/webhooks" + b"\r\n{", again=b" "),
}


@contextmanager
def gathered(port: int, crowd: Crowd) -> Iterator[list[socket.socket]]:
    """The clients, connected to this port of this machine. Whom the server hangs up on stays away."""
    _allow_files(crowd.count + 256)
    clients: list[socket.socket] = []
    ended = threading.Event()
    feeding = threading.Thread(target=_feed, args=(clients, crowd.again, ended))
    try:
        for _ in range(crowd.count):
            clients.append(_arrive(port, crowd))
        feeding.start()
        yield clients
    finally:
        ended.set()
        if feeding.ident is not None:
            feeding.join()
        for client in clients:
            client.close()


def _arrive(port: int, crowd: Crowd) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
    client.sendall(crowd.first)
    if crowd.reads:
        client.recv(65_536)
    client.setblocking(False)
    return client


def _feed(clients: list[socket.socket], again: bytes, ended: threading.Event) -> None:
    while again and not ended.wait(_EVERY_S):
        for client in clients:
            with suppress(OSError):
                client.send(again)


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count if hard < 0 else min(count, hard), hard))
