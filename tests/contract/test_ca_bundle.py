"""A gateway is trusted by the certificates of the configured bundle, and of no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.tls import Certificate, certificate

from aegis_worker.exchange.loaded import load_gateways


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def ours(tmp_path: Path) -> Certificate:
    return certificate(tmp_path, "127.0.0.1")


@pytest.fixture
def gateways_toml(ours: Certificate, tmp_path: Path) -> Iterator[Path]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    server.socket = ours.server().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    path = tmp_path / "gateways.toml"
    path.write_text(
        f'[gateways.far]\nadapter = "sandbox"\nbase_url = "https://127.0.0.1:{server.server_port}"\n'
    )
    yield path
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_gateway_with_a_certificate_of_the_bundle_is_called(gateways_toml: Path, ours: Certificate) -> None:
    assert load_gateways(gateways_toml, {}, ca_bundle=ours.file)["far"].health_check().ok


def test_without_the_bundle_nothing_is_sent_to_it(gateways_toml: Path) -> None:
    health = load_gateways(gateways_toml, {})["far"].health_check()
    assert not health.ok
    assert "TLS" in health.detail
