"""The settings of the console: where people reach it, through which proxies, and what two of them have to agree on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.errors import ConfigurationError

URL, PROXIES, TWO_PERSON = "AEGIS_CONSOLE_URL", "AEGIS_TRUSTED_PROXIES", "AEGIS_TWO_PERSON_ABOVE"
REPORTS = "AEGIS_CONSOLE_REPORTS"
VARIABLES = frozenset({URL, PROXIES, TWO_PERSON, REPORTS})
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_LIMIT = re.compile(r"([A-Z]{3}|\*):([0-9]{1,15})", re.ASCII)
_MOST_PROXIES = 64


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """`url`: scheme, host and port by which browsers reach the API; empty: a loopback address of this machine.

    `proxies`: networks whose word about a client's address is taken. `two_person_above`: minor units by currency, above
    which an operator's refund or decision needs a second person; None: none does. `reports`: the folder of chaos and
    exploration reports that are shown; None: none are.
    """

    url: str
    proxies: tuple[IPv4Network | IPv6Network, ...]
    two_person_above: Mapping[str, int] | None
    reports: Path | None = None

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the console by https."""
        return self.url.startswith("https://")


def load_console_settings(environ: Mapping[str, str], environment: str) -> ConsoleSettings:
    """The console's settings. Raises ConfigurationError, which names the variable that is wrong."""
    return ConsoleSettings(
        url=_url(environ.get(URL, "").strip(), environment),
        proxies=_proxies(environ.get(PROXIES, "")),
        two_person_above=_two_person_above(environ.get(TWO_PERSON, "")),
        reports=_reports(environ.get(REPORTS, "").strip()),
    )


def _url(given: str, environment: str) -> str:
    form = f"{URL} must be https://HOST or https://HOST:PORT, without a path: correct it, or leave it empty"
    if not given:
        return ""
    try:
        parts = urlsplit(given)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(form) from None
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if not host or not bare or parts.scheme not in ("http", "https") or not given.isascii():
        raise ConfigurationError(form)
    if parts.scheme == "http" and (environment == "production" or host not in _LOOPBACK):
        raise ConfigurationError(
            f"{URL} must begin with https:// (http is for a loopback address outside of production): a session's cookie is "
            "not sent over a line that others can read"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _reports(given: str) -> Path | None:
    if not given:
        return None
    if not given.startswith("/") or given.rstrip("/") == "":
        raise ConfigurationError(
            f"{REPORTS} must be the absolute path of a folder that holds reports and nothing else"
        )
    return Path(given)


def _proxies(given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    named = [one.strip() for one in given.split(",") if one.strip()]
    try:
        networks = tuple(ipaddress.ip_network(one) for one in named)
    except ValueError:
        raise ConfigurationError(
            f"{PROXIES} must be addresses or networks such as 10.0.0.7,192.168.4.0/24, separated by commas"
        ) from None
    if len(networks) > _MOST_PROXIES or any(network.prefixlen == 0 for network in networks):
        raise ConfigurationError(
            f"{PROXIES} must name at most {_MOST_PROXIES} networks, and not every address"
        )
    return networks


def _two_person_above(given: str) -> Mapping[str, int] | None:
    named = [one.strip() for one in given.split(",") if one.strip()]
    if not named:
        return None
    limits: dict[str, int] = {}
    for one in named:
        found = _LIMIT.fullmatch(one)
        if found is None or found[1] in limits or int(found[2]) > MAX_MINOR:
            raise ConfigurationError(
                f"{TWO_PERSON} must be minor units by currency, each once, such as USD:50000,JPY:50000,*:0: * stands for "
                "every other currency, which else needs two people for any amount"
            )
        limits[found[1]] = int(found[2])
    return MappingProxyType(limits)
