"""A server of the tests' own in place of Sentry's: it keeps what error reports it was sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import sentry_sdk

from aegis_worker.observability.errors import configure_error_reports


class SentryServer:
    """What came so far, by Sentry's own transport."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def events(self) -> list[dict[str, Any]]:
        """The events of all envelopes by now."""
        sentry_sdk.flush(timeout=20)
        lines = [line for body in self.bodies for line in body.splitlines() if line.startswith(b"{")]
        return [report for report in map(json.loads, lines) if "level" in report]


@contextmanager
def a_sentry_server() -> Iterator[SentryServer]:
    """For the time of the block, this process reports its errors to a server here."""
    kept = SentryServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            kept.bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    configure_error_reports(f"http://key@127.0.0.1:{server.server_port}/1", "test")
    try:
        yield kept
    finally:
        sentry_sdk.init(default_integrations=False)
        server.shutdown()
        thread.join()
        server.server_close()
