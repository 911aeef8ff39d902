"""Ports of 127.0.0.1 for servers."""

from __future__ import annotations

import random
import socket

from aegis_worker.errors import StackFailed


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens.

    Below the ephemeral range (Linux: 32768 and up): a client that keeps calling a stopped server there can be
    given that very port as its own, reach itself, and keep the server from coming back.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 200):
        if port_is_free(port):
            return port
    raise StackFailed("found no free port between 20000 and 32000 on 127.0.0.1")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: a predecessor's connections in TIME_WAIT don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True
