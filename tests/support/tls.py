"""Certificates for servers of tests, made by the openssl command."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from aegis_worker.lab.bench.certificates import make_certificate


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself, so that it is also what a client has to trust."""

    file: Path
    key: Path

    def server(self, *protocols: str, trusts: Path | None = None) -> ssl.SSLContext:
        """The server's side, which offers these protocols. With `trusts`, it demands a certificate of the client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if trusts is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(trusts)
        return context


def certificate(folder: Path, name: str) -> Certificate:
    """A certificate of the server `name`, an address or a host."""
    file, key = folder / f"{name}.pem", folder / f"{name}.key"
    make_certificate(name, file, key)
    return Certificate(file, key)
