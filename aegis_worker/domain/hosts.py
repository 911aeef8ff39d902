"""Which hosts a URL may name. Looked at before anything resolves them: on others, resolvers fail in their own ways."""

from __future__ import annotations

import re
from ipaddress import ip_address

from .text import is_line

_LONGEST_NAME = 253
_HTTP = "[Hh][Tt][Tt][Pp]"
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{0,5}})?"
_LOOPBACK = r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{0,5})?"
# Printable ASCII without what browsers read as a slash.
_REST = r"(?:[/?#][!-\[\]-~]*)?"
_REST_WITHOUT_FRAGMENT = r'(?:[/?][!-"$-\[\]-~]*)?'

PAGE_URL = rf"(?:{_HTTP}[Ss]://{_HOST}|{_HTTP}://{_LOOPBACK}){_REST}"
"""A pattern: a page that a browser may be sent to. Without a user; plain http where a developer's own machine listens."""
HOOK_URL = rf"{_HTTP}[Ss]://{_HOST}{_REST_WITHOUT_FRAGMENT}"
"""A pattern: where webhooks may be posted."""
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_GROUP = "[0-9A-Fa-f]{1,4}"
_LAST = rf"(?:{_GROUP}:{_GROUP}|{_V4})"
# The forms of RFC 3986, `IPv6address`: all groups, and those with a "::" after up to seven of them.
_V6 = "|".join(
    (
        rf"(?:{_GROUP}:){{6}}{_LAST}",
        rf"::(?:{_GROUP}:){{5}}{_LAST}",
        *(
            rf"(?:(?:{_GROUP}:){{0,{before}}}{_GROUP})?::{after}"
            for before, after in enumerate(
                (*(rf"(?:{_GROUP}:){{{left}}}{_LAST}" for left in (4, 3, 2, 1)), _LAST, _GROUP, "")
            )
        ),
    )
)
IP_ADDRESS = rf"(?:{_V4}|{_V6})"
"""A pattern: an IPv4 or IPv6 address, without a zone."""
_label = re.compile(_LABEL)
_hook_url = re.compile(HOOK_URL.replace("[Ss]", "[Ss]?", 1))


def is_host(host: str) -> bool:
    """Whether `host`, without the brackets of an IPv6 address, is an address, or a name that DNS can hold.

    A label of another script must be one that IDNA could have written (`xn--…`).
    """
    if ":" in host:
        return "%" not in host and _is_address(host)
    name = host.removesuffix(".")
    return 0 < len(name) <= _LONGEST_NAME and all(map(_is_label, name.split(".")))


def is_hook_url(url: str) -> bool:
    """Whether webhooks may be posted to `url` by its form; plain http counts as https here."""
    return _hook_url.fullmatch(url) is not None


def _is_label(label: str) -> bool:
    if not _label.fullmatch(label):
        return False
    if not label.lower().startswith("xn--"):
        return True
    try:
        coded = label[4:].lower().encode("ascii")
        written = coded.decode("punycode")
        return not written.isascii() and is_line(written) and written.encode("punycode") == coded
    except UnicodeError:
        return False


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
