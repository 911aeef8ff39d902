"""A gateway is reached as gateways.toml says: by whom it is trusted, what we show it, and through which proxy."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.connect_proxy import ConnectProxy
from support.counting_server import OK, Server, read_one, serving
from support.tls import Certificate, certificate

from aegis_worker.exchange.loaded import load_gateways
from aegis_worker.gateways.kit.probing import Probed


@pytest.fixture
def ours(tmp_path: Path) -> Certificate:
    return certificate(tmp_path, "127.0.0.1")


def answering(connection: socket.socket, server: Server) -> None:
    while read_one(connection, server):
        connection.sendall(OK)


def probed_at(
    folder: Path, server: Server, *settings: str, ca_bundle: Path | None = None, **environ: str
) -> Probed:
    """What the gateway's probe finds with these lines in its table."""
    lines = ["[gateways.far]", 'adapter = "sandbox"', f'base_url = "{server.url}"', *settings]
    path = folder / "gateways.toml"
    path.write_text("\n".join(lines))
    return load_gateways(path, environ, ca_bundle=ca_bundle)["far"].probe()


def test_a_gateway_with_a_certificate_of_the_bundle_is_called(ours: Certificate, tmp_path: Path) -> None:
    with serving(answering, ours.server()) as server:
        assert probed_at(tmp_path, server, ca_bundle=ours.file).answered


def test_without_the_bundle_nothing_is_sent_to_it(ours: Certificate, tmp_path: Path) -> None:
    with serving(answering, ours.server()) as server:
        found = probed_at(tmp_path, server)
        assert not found.answered
        assert "TLS" in found.detail
        assert server.requests == []


def test_a_gateways_own_bundle_counts_in_place_of_the_one_of_all(ours: Certificate, tmp_path: Path) -> None:
    others = certificate(tmp_path, "somebody.test")
    with serving(answering, ours.server()) as server:
        own = f'ca_bundle = "{ours.file.name}"'
        assert probed_at(tmp_path, server, own, ca_bundle=others.file).answered
        assert not probed_at(tmp_path, server, f'ca_bundle = "{others.file}"', ca_bundle=ours.file).answered


def test_a_gateway_that_asks_who_we_are_is_shown_our_certificate(ours: Certificate, tmp_path: Path) -> None:
    merchant = certificate(tmp_path, "merchant.test")
    shown = (f'certificate = "{merchant.file}"', f'certificate_key = "{merchant.key}"')
    with serving(answering, ours.server(trusts=merchant.file)) as server:
        assert probed_at(tmp_path, server, *shown, ca_bundle=ours.file).answered
        assert not probed_at(tmp_path, server, ca_bundle=ours.file).answered


def test_a_certificate_may_stand_in_one_file_with_its_key(ours: Certificate, tmp_path: Path) -> None:
    merchant = certificate(tmp_path, "merchant.test")
    both = tmp_path / "both.pem"
    both.write_text(merchant.file.read_text() + merchant.key.read_text())
    with serving(answering, ours.server(trusts=merchant.file)) as server:
        assert probed_at(tmp_path, server, 'certificate = "both.pem"', ca_bundle=ours.file).answered


def test_a_gateway_is_called_through_its_proxy(ours: Certificate, tmp_path: Path) -> None:
    with serving(answering, ours.server()) as server, ConnectProxy() as proxy:
        through = f'proxy = "http://127.0.0.1:{proxy.port}"'
        assert probed_at(tmp_path, server, through, ca_bundle=ours.file).answered
        assert len(proxy.heads) == 1


def test_the_proxys_password_is_in_no_message(ours: Certificate, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}"
    with serving(answering, ours.server()) as server:
        found = probed_at(tmp_path, server, 'proxy_env = "A_PROXY"', A_PROXY=nobody)
        assert not found.answered
        assert "secret" not in found.detail
        assert server.requests == []
