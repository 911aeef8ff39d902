"""What never reaches a log line, a row or an error report: secrets by name, card data by shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from aegis_worker.domain.card_search import card_data_in
from aegis_worker.domain.security_codes import names_a_code

_SECRET_NAMES = re.compile(
    r"authorization|api[_-]?key|secret|passw|passphrase|credential|private[_-]?key|(?:access|refresh)[_-]?token|cookie|pan$"
    r"|card_?number",
    re.IGNORECASE,
)
# What others write into texts: settings and query strings, mappings as Python and JSON show them, heads of HTTP. Shorter
# values are words of a sentence about the name.
_NAMES_IN_TEXT = (
    r"[\w-]{0,40}(?:api[_-]?key|secret|passw(?:or)?d|passphrase|private[_-]?key|(?:access|refresh)[_-]?token)"
)
_NAMED = re.compile(
    rf"(\b{_NAMES_IN_TEXT}=[\"']?)[^\s\"'&,;]{{6,}}"
    rf"|([\"'](?:{_NAMES_IN_TEXT}|(?:proxy-)?authorization|(?:set-)?cookie)[\"']\s?[:,]\s?b?[\"'])[^\"']{{4,}}"
    r"|((?:authorization[:=]\s?(?:bearer|basic|token)\s|(?:x-)?api-key:\s?|(?:set-)?cookie:\s?))[^\s\"',]{6,}",
    re.IGNORECASE,
)
# Keys of gateways, and what lets a payer's browser pay at one.
_GATEWAYS_KEY = re.compile(r"(\b[rs]k_(?:live|test|sandbox)_|_secret_)[A-Za-z0-9_-]{8,}")
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)[^-]+")
# Up to the last @ before the path, because a password may hold an @ that nobody escaped.
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/\s]*@")
_KEY = re.compile(r"\b(aegis_(?:test|live|ops)_|whsec_|aegis-(?:session|form)=)[A-Za-z0-9+/=_-]{8,}")
# Each key has one of these in it.
_IN_KEYS = ("aegis", "whsec_")
_WITHOUT_DIGITS = re.compile(r"[A-Za-z_ .-]*")
# Deeper than the frames of an error report are nested; what is nested deeper is hidden.
_MAX_DEPTH = 12
# Values of these types are kept, because they hold no text.
_PLAIN = (bool, float, date, timedelta)
_LEAST_CARD_NUMBER = 10**12
# Python refuses to write integers of many more digits.
_MOST_BITS = 4096

HIDDEN = "[hidden]"


def redact(value: Any, depth: int = 0) -> Any:
    """A copy of `value` without secrets; strings are searched, mappings also by the names of their keys."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            return HIDDEN
        return value if abs(value) < _LEAST_CARD_NUMBER or not card_data_in(str(value)) else HIDDEN
    if depth >= _MAX_DEPTH:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            _redacted_name(name): HIDDEN
            if isinstance(name, str) and _is_secret(name)
            else redact(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth + 1) for item in value]
    return redact_text(value.decode(errors="replace") if isinstance(value, bytes) else repr(value))


def redact_text(text: str) -> str:
    """`text` with card numbers, security codes, keys, passwords in URLs, and what stands behind a secret's name hidden."""
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    if "=" in text or ":" in text or "'," in text:
        text = _NAMED.sub(_without_value, text)
    if "k_" in text or "_secret_" in text:
        text = _GATEWAYS_KEY.sub(rf"\1{HIDDEN}", text)
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub(rf"\1{HIDDEN}", text)
    if _IN_KEYS[0] in text or _IN_KEYS[1] in text:
        text = _KEY.sub(rf"\1{HIDDEN}", text)
    return without_cards(text)


def _without_value(found: re.Match[str]) -> str:
    return f"{found[1] or found[2] or found[3]}{HIDDEN}"


def without_cards(text: str) -> str:
    """`text` with card numbers and security codes hidden, and all else as it was."""
    found = card_data_in(text)
    if not found:
        return text
    kept, end_before = [], 0
    for start, end in found:
        kept += [text[end_before:start], HIDDEN]
        end_before = end
    return "".join([*kept, text[end_before:]])


def _redacted_name(name: Any) -> Any:
    if not isinstance(name, str) or _WITHOUT_DIGITS.fullmatch(name) is not None:
        return name
    return redact_text(name) if any(map(str.isnumeric, name)) else name


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None or names_a_code(name)
