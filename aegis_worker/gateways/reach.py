"""Reads how a gateway is reached, of [gateways.NAME] in config/gateways.toml: certificates, and a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from aegis_worker import pem_files
from aegis_worker.errors import ConfigurationError

FILES = ("ca_bundle", "certificate", "certificate_key")
# What libcurl speaks to a proxy. With socks5h the proxy resolves the gateway's name, with socks5 this machine does.
_SCHEMES = ("http", "https", "socks5", "socks5h")


def reach(where: str, folder: Path, table: Mapping[str, Any], proxy: str) -> dict[str, Any]:
    """The fields of GatewayConfig that say how a gateway is reached. Raises ConfigurationError that names the place.

    Files are looked for from `folder`. `proxy` is what holds: the variable that `proxy_env` names, or else the setting.
    """
    files: dict[str, Path] = {name: folder / table[name] for name in FILES if name in table}
    if "ca_bundle" in files:
        pem_files.trusted(f"{where}.ca_bundle", files["ca_bundle"])
    if "certificate_key" in files and "certificate" not in files:
        raise ConfigurationError(f"{where}: certificate_key is set, and certificate is not")
    if "certificate" in files:
        pem_files.own(where, files["certificate"], files.get("certificate_key", files["certificate"]))
    if "@" in table.get("proxy", ""):
        raise ConfigurationError(
            f"{where}.proxy: a password is never written here; set it in proxy_env's variable"
        )
    if proxy:
        _check_proxy(where, proxy)
    return {**files, "proxy": proxy}


def _check_proxy(where: str, url: str) -> None:
    # The URL may hold a password, so that it is not shown.
    if not (url.isascii() and url.isprintable() and " " not in url and _is_proxy(url)):
        known = ", ".join(_SCHEMES)
        raise ConfigurationError(
            f"{where}: the proxy must be such as http://host:3128, with its port; of {known}"
        )


def _is_proxy(url: str) -> bool:
    try:
        parts: SplitResult = urlsplit(url)
        # Without a port libcurl would take 1080, which surprises with HTTP.
        is_place = bool(parts.hostname and parts.port)
    except ValueError:
        return False
    return (
        is_place
        and parts.scheme in _SCHEMES
        and parts.path in ("", "/")
        and not (parts.query or parts.fragment)
    )
