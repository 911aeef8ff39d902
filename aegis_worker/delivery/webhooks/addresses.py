"""Where webhooks may go: public addresses only, so that a merchant can't have us post into our own network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from aegis_worker.domain.hosts import is_host
from aegis_worker.errors import Refused

MAX_URL = 2048
PORTS = {"http": 80, "https": 443}
# Ports below belong to other protocols (SSH, SMTP, …) that could be made to read our bytes as their own.
_FIRST_FREE_PORT = 1024

# What `is_global` lets through although it leads elsewhere: IPv6 that carries an IPv4 address (mapped, compatible, NAT64,
# 6to4, Teredo), protocol assignments (metadata of Oracle's machines among them), relays, segment routing, documentation,
# and the address under which Azure serves its machines. Which of them it lets through differs between versions of Python.
_REFUSED_NETWORKS = tuple(
    ip_network(network)
    for network in (
        "::ffff:0:0/96",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/23",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
    )
)

Resolve = Callable[..., list[tuple[Any, ...]]]
"""Like socket.getaddrinfo."""


class EndpointRefused(Refused):
    """A webhook endpoint that can't be used as it stands; the message says why."""

    code = "webhook_endpoint_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook URL, taken apart: connect to `host` and `port`, ask for `path` (with its query)."""

    scheme: str
    host: str
    port: int
    path: str


@lru_cache(maxsize=1024)
def parse_target(url: str, *, allow_private: bool) -> Target:
    """Take `url` apart. Raises EndpointRefused for anything but a plain https URL, or http where private is allowed.

    A host that is written as an address is checked here. A host name is checked when we connect to it.
    """
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url or len(url) > MAX_URL:
        raise EndpointRefused(f"the URL must be printable ASCII without spaces, at most {MAX_URL} characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise EndpointRefused("the URL can't be parsed") from error
    if parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise EndpointRefused("the URL must start with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise EndpointRefused("the URL must not contain a user, a password or a fragment")
    if not host or not is_host(host):
        raise EndpointRefused(
            "the URL has no host that can be: a name of labels of up to 63 characters, or an address"
        )
    if port is None:
        port = PORTS[parts.scheme]
    elif port < _FIRST_FREE_PORT and port not in PORTS.values():
        raise EndpointRefused(f"the port must be 80, 443 or at least {_FIRST_FREE_PORT}")
    target = Target(
        parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    )
    _check_literal(target, allow_private=allow_private)
    return target


def checked_addresses(
    target: Target, *, allow_private: bool, resolve: Resolve = socket.getaddrinfo
) -> list[tuple[int, str]]:
    """Address family and numeric address of every answer for the host. Connect to these and don't resolve again.

    One forbidden answer refuses them all: a name that points into our network is no mistake to work around. Raises
    EndpointRefused, and OSError when the name can't be resolved.
    """
    found = resolve(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [(int(family), str(address[0])) for family, _, _, _, address in found]
    for _, address in addresses:
        if not allow_private and not is_public(address):
            raise EndpointRefused(f"{target.host} resolves to an address that webhooks may not go to")
    return addresses


def is_public(address: str) -> bool:
    """Whether a numeric address is an ordinary public unicast address."""
    parsed: IPv4Address | IPv6Address = ip_address(address)
    if not parsed.is_global or parsed.is_multicast or parsed.is_reserved:
        return False
    return not any(parsed in network for network in _REFUSED_NETWORKS)


def _check_literal(target: Target, *, allow_private: bool) -> None:
    # AI_NUMERICHOST reads what the system takes for an address (also 0x7f.1 or 2130706433) and asks nobody.
    try:
        found = socket.getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except OSError:
        if not allow_private and (target.host == "localhost" or target.host.endswith(".localhost")):
            raise EndpointRefused("webhooks may not go to localhost") from None
        return
    if not allow_private and not all(is_public(str(address[0])) for *_, address in found):
        raise EndpointRefused("webhooks may not go to this address")
