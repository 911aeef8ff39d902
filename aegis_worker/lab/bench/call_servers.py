"""The servers that `aegis bench calls` calls: small, each a process of its own, over plain HTTP, TLS and HTTP/2."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.lab.local.programs import answers

from .certificates import make_certificate
from .rig import Rig

# What calls go over, and what cases are called by it.
OVER: Mapping[str, str] = {"http": "", "https": ", TLS", "http2": ", HTTP/2"}
_MOST_STREAMS = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go, and by which certificates it is trusted."""

    url: str
    ca_bundle: Path | None = None


def start_servers(rig: Rig, over: Collection[str], answers_after_ms: int) -> dict[str, Target]:
    """Servers that answer so much later; where they are, by what calls go over. Raises OperatorError without openssl."""
    after, certificate, key = str(answers_after_ms), rig.folder / "calls.pem", rig.folder / "calls.key"
    if not {"https", "http2"}.isdisjoint(over) and not certificate.exists():
        make_certificate("127.0.0.1", certificate, key)
    targets = {}
    if not {"http", "https"}.isdisjoint(over):
        port, tls_port = free_port(), free_port()
        argv = ["-m", "aegis_worker.lab.bench.sink", str(port), after]
        if "https" in over:
            argv += [str(tls_port), str(certificate), str(key)]
        rig.start(f"sink-{after}", argv, lambda: answers(port, "/healthz"))
        targets["http"] = Target(f"http://127.0.0.1:{port}/v1/charges")
        targets["https"] = Target(f"https://127.0.0.1:{tls_port}/v1/charges", certificate)
    if "http2" in over:
        port = free_port()
        serve = f"--interface asgi --http 2 --host 127.0.0.1 --port {port} --workers 1 --loop uvloop --no-ws"
        argv = [
            *("-m", "granian", *serve.split(), "--backlog", "4096", "--backpressure", "4096"),
            *("--http2-max-concurrent-streams", str(_MOST_STREAMS)),
            *("--ssl-certificate", str(certificate), "--ssl-keyfile", str(key)),
            "aegis_worker.lab.bench.http2:app",
        ]
        rig.start(f"http2-{after}", argv, lambda: _listens(port), BENCH_ANSWERS_AFTER_MS=after)
        targets["http2"] = Target(f"https://127.0.0.1:{port}/v1/charges", certificate)
    return targets


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
