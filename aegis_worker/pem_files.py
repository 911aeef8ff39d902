"""Files of certificates and keys, named in settings. What is wrong is said at the start, not at the first call."""

from __future__ import annotations

import ssl
from pathlib import Path

from aegis_worker.errors import ConfigurationError


def trusted(where: str, path: Path) -> Path:
    """A file of certificates to trust. Raises ConfigurationError that names the setting `where` it was given."""
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; a path may hold a NUL
        raise ConfigurationError(f"{where} must be a readable file of PEM certificates") from error
    return path


def own(where: str, certificate: Path, key: Path) -> None:
    """Check a certificate of ours and its key. Raises ConfigurationError that names the setting `where` it was given.

    A key with a passphrase is refused, because libcurl would ask for it at a terminal.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{where}: certificate and certificate_key must be readable PEM files that belong together, the key without"
            " a passphrase"
        ) from error
