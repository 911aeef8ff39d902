"""IP addresses in conditions: one, or a block of them beside `in`, as 192.0.2.0/24 or 2001:db8::/32."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aegis_worker.matching.kinds import TEXT, Kind
from aegis_worker.matching.operators import Test


def _an_address(value: Any) -> str | None:
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None:
        return "must be an IPv4 or IPv6 address; beside `in` also a block such as 192.0.2.0/24"
    wrapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    canonical = str(wrapped or address)
    return None if value == canonical else f'is compared in one form: write "{canonical}"'


def _an_address_or_block(value: Any) -> str | None:
    if not isinstance(value, str) or "/" not in value:
        return _an_address(value)
    try:
        block = ip_network(value, strict=False)
    except ValueError:
        return "must be a block of addresses such as 192.0.2.0/24 or 2001:db8::/32"
    if isinstance(block, IPv6Network) and block.network_address.ipv4_mapped is not None:
        return "wraps IPv4 addresses, which are compared as such: write it as a block of IPv4"
    return None if value == str(block) else f'is compared in one form: write "{block}"'


def _in_blocks(wanted: tuple[Any, ...]) -> Test:
    """Whether an address is one of these or in one of these blocks: one look for each length of a block that there is."""
    alone = frozenset(one for one in wanted if "/" not in one)
    blocks: Mapping[tuple[int, int], set[int]] = defaultdict(set)
    for block in (ip_network(one) for one in wanted if "/" in one):
        shift = block.max_prefixlen - block.prefixlen
        blocks[block.version, shift].add(_number(block) >> shift)
    lengths = [(version, shift, frozenset(known)) for (version, shift), known in blocks.items()]

    def is_in(actual: Any) -> bool:
        if not isinstance(actual, str):
            return False
        if actual in alone:
            return True
        if not lengths:
            return False
        address = ip_address(actual)
        return any(
            version == address.version and int(address) >> shift in known for version, shift, known in lengths
        )

    return is_in


def _number(block: IPv4Network | IPv6Network) -> int:
    return int(block.network_address)


ADDRESS = Kind(TEXT.operators, _an_address, _an_address_or_block, _in_blocks)
"""Addresses in their shortest form; IPv4 where IPv6 only wraps it."""
