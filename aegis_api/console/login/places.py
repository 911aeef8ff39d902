"""Where a request comes from and where it may lead: addresses, origins, and pages of ours."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

LOGIN, HOME = "/console/login", "/console/"
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_OURS = re.compile(r"/console(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?(?:\?[A-Za-z0-9._~%&=+:,*-]*)?", re.ASCII)
_LONGEST_PAGE = 1000


def page_of_ours(wanted: str | None) -> str:
    """The page to show after logging in: the one that was wanted if it is one of the console's, else its first."""
    if wanted and len(wanted) <= _LONGEST_PAGE and _OURS.fullmatch(wanted) and not wanted.startswith(LOGIN):
        return wanted
    return HOME


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine to itself."""
    return re.sub(r":[0-9]+\Z", "", host.lower()) in _LOOPBACK


def client_address(remote: str, forwarded: str, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The address of whoever asks: the last one that no trusted proxy speaks for. Of IPv6 its network of 64 bits, because a
    client has all of it. `forwarded`: X-Forwarded-For. A socket of this machine (`remote` empty) is trusted where any is.
    """
    address = remote
    for told in reversed(forwarded.split(",")[-20:]):
        if not proxies or not _is_trusted(address, proxies):
            break
        if _parsed(told.strip()) is None:
            break
        address = told.strip()
    parsed = _parsed(address)
    if parsed is None:
        return ""
    if parsed.version == 6:
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _is_trusted(address: str, proxies: Sequence[IPv4Network | IPv6Network]) -> bool:
    parsed = _parsed(address)
    if parsed is None:
        return address == ""
    if parsed.version == 6 and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in proxies if network.version == parsed.version)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
