"""Takes out of what is kept for people what nobody may keep: keys, tokens, card numbers, security codes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"})
_REDACTED = "[redacted]"
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9](?:(?:[ +-]|%20)?[0-9]){12,18}(?![0-9A-Za-z])")
_CODE_NAMES = r"(?:cvc|cvv|cvc2|cvv2|cid|security[_-]?code|card[_-]?security[_-]?code|verification[_-]?value)"
_CODE = re.compile(
    rf"""({_CODE_NAMES}(?:"\s*:\s*"?|(?:\]|%5D)?=|>))[0-9]{{3,4}}(?![0-9])""",
    re.IGNORECASE,
)
_TOKEN = re.compile(r'("(?:access|refresh|id)_token"\s*:\s*")[^"]*', re.IGNORECASE)


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """The headers, without the values of those that prove who is asking."""
    return {name: _REDACTED if name.lower() in _SECRET_HEADERS else value for name, value in given.items()}


def body(given: bytes) -> str:
    """The body as text, without card numbers (13 to 19 digits that pass Luhn's check), security codes, access tokens."""
    text = given.decode("utf-8", "replace")
    text = _CODE.sub(rf"\g<1>{_REDACTED}", text)
    text = _TOKEN.sub(rf"\g<1>{_REDACTED}", text)
    return _NUMBER.sub(_unless_a_card, text)


def _unless_a_card(found: re.Match[str]) -> str:
    digits = [int(letter) for letter in found[0].replace("%20", "") if letter.isdigit()]
    doubled = [digit if place % 2 == 0 else digit * 2 for place, digit in enumerate(reversed(digits))]
    is_card = sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
    return _REDACTED if is_card else found[0]
