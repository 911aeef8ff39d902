"""Calls a host whose name is never resolved, and others before and after; prints how they ended, as JSON.

Runs in a network namespace of its own, with 127.0.0.1 as the only resolver: this process, which says nothing.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
from queue import SimpleQueue

from aegis_worker.domain.outcomes import NotSent
from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from support.counting_server import OK, Server, read_one, serving

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
PEER = Peer(connect_timeout_s=1, timeout_s=10, most=8)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _answers(connection: socket.socket, server: Server) -> None:
    while read_one(connection, server):
        connection.sendall(OK)


def _name(result: Result) -> str:
    return f"NotSent {result.kind}" if isinstance(result, NotSent) else type(result).__name__


def main() -> None:
    """Make three calls, and say in which order they ended."""
    _raise_loopback()
    engine = Engine()
    ended: SimpleQueue[Result] = SimpleQueue()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver, serving(_answers) as server:
        resolver.bind(("127.0.0.1", 53))
        engine.begin(Transfer(PEER, "POST", "http://gateway.test/", {}, b"{}"), ended.put)
        asked = bool(resolver.recv(1024))
        engine.begin(Transfer(PEER, "POST", server.url, {}, b"{}"), ended.put)
        results = [ended.get(timeout=20) for _ in range(2)]
        results.append(engine.make(Transfer(PEER, "POST", server.url, {}, b"{}")))
        engine.close()
    print(json.dumps({"asked": asked, "ended": [_name(result) for result in results]}))


if __name__ == "__main__":
    main()
