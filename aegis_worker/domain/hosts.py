"""Which hosts a URL may name. Looked at before anything resolves them: on others, resolvers fail in their own ways."""

from __future__ import annotations

import re
from ipaddress import ip_address

_LONGEST_NAME = 253
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def is_host(host: str) -> bool:
    """Whether `host`, without the brackets of an IPv6 address, is an address, or a name that DNS can hold.

    A label of another script must be one that IDNA could have written (`xn--…`).
    """
    if ":" in host:
        return "%" not in host and _is_address(host)
    name = host.removesuffix(".")
    return 0 < len(name) <= _LONGEST_NAME and all(map(_is_label, name.split(".")))


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    if not label.lower().startswith("xn--"):
        return True
    try:
        written = label[4:].encode("ascii").decode("punycode")
        return not written.isascii() and written.encode("utf-8") != b""
    except UnicodeError:
        return False


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
