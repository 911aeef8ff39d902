"""What never reaches a log line or an error report: secrets by name, card numbers by shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECRET_NAMES = re.compile(
    r"authorization|api_?key|secret|password|cookie|pan$|cvv|cvc|card_?number", re.IGNORECASE
)
_CARD = re.compile(r"(?<![0-9a-fA-F])[2-6](?:[ -]?\d){12,18}(?![0-9a-fA-F])")
# A security code is three or four digits after its name, in text or as JSON.
SECURITY_CODE = re.compile(r"(?<![a-z])(?:cvv2?|cvc2?|security[ _-]?code)\W{0,8}\d{3,4}(?!\d)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@/\s]+@")
_KEY = re.compile(r"\b(aegis_(?:test|live)_|whsec_)[A-Za-z0-9+/=_-]{8,}")
_MAX_DEPTH = 6

HIDDEN = "[hidden]"


def redact(value: Any, depth: int = 0) -> Any:
    """A copy of `value` without secrets; strings are searched, mappings also by the names of their keys."""
    if isinstance(value, str):
        return redact_text(value)
    if depth >= _MAX_DEPTH:
        return value if isinstance(value, int | float | bool | None) else HIDDEN
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if isinstance(name, str) and _SECRET_NAMES.search(name) else redact(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set):
        return [redact(item, depth + 1) for item in value]
    return value


def redact_text(text: str) -> str:
    """`text` with card numbers and security codes, keys, and passwords in URLs hidden."""
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _KEY.sub(rf"\1{HIDDEN}", text)
    text = SECURITY_CODE.sub(HIDDEN, text)
    return _CARD.sub(lambda found: HIDDEN if luhn_valid(found.group()) else found.group(), text)


def luhn_valid(text: str) -> bool:
    """Whether the digits of `text` pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
