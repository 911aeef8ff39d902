"""Throw-away certificates for servers on loopback, made by the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path

from aegis_worker.errors import OperatorError


def make_certificate(name: str, file: Path, key: Path) -> None:
    """Write a certificate of the server `name`, an address or a host, and its key, as PEM. It signs itself.

    Raises OperatorError where there is no openssl command.
    """
    kind = "IP" if name[0].isdigit() else "DNS"
    command = [
        *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}"),
        *("-keyout", str(key), "-out", str(file)),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise OperatorError("a certificate takes the openssl command, 1.1.1 or newer") from error
