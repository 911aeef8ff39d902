"""Finds card numbers and security codes, so that one sent in the wrong field reaches no database, log or answer (D8).

A card number is 13 to 19 digits that pass the Luhn check and begin like a card's: 22 to 27 (Mastercard, Mir) or 3 to 6.
Spaces, dashes and underscores between its digits don't hide it. UUIDs and long hexadecimal words are passed over: now and
then a random one holds such a run of digits, and a merchant's ids must not be refused by chance. A security code is three
or four digits under its name (`cvv`, `cvc`, …) or after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aegis_worker.observability.redaction import SECURITY_CODE, luhn_valid

_SEPARATOR = r"[ \u00a0_\u2010-\u2015-]"
_RUN = re.compile(rf"\d(?:{_SEPARATOR}?\d){{12,}}")
_RUN_IN_BYTES = re.compile(rb"\d(?:[ _-]?\d){12,}")
_DIGITS = re.compile(r"\d+")
_BEGINS = re.compile(r"2[2-7]|[3-6]")
# As a whole word: a UUID, or 24 to 128 hexadecimal digits with a letter among them.
_HEX_ID = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{24,128})"
    r"(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_CODE_NAME = re.compile(r"(?:^|[^a-z])(?:cvv2?|cvc2?|csc|security[ _-]?code)$", re.IGNORECASE)
_CODE_NAMES_IN_BYTES = (b"cvv", b"cvc", b"csc", b"security")
_SHORTEST, _LONGEST = 13, 19

MASK = "card-number-hidden"


def found_in(text: str) -> bool:
    """Whether `text` holds something that looks like a card number, or a security code after its name."""
    if SECURITY_CODE.search(text) is not None:
        return True
    return _RUN.search(text) is not None and any(map(_holds_card, _RUN.findall(_HEX_ID.sub("x", text))))


def masked(text: str) -> str:
    """`text` as it may be shown: whole when there is no card data in it, otherwise not at all."""
    return MASK if found_in(text) else text


def may_hold_one(body: bytes) -> bool:
    """A quick first look at a JSON document. False is certain; True means that the values have to be looked at."""
    return (
        _RUN_IN_BYTES.search(body) is not None
        or any(map(body.lower().__contains__, _CODE_NAMES_IN_BYTES))
        or b"\\u" in body
        or not body.isascii()
    )


def pointers_to(document: Any) -> list[str]:
    """JSON Pointers (RFC 6901) to every value, and to the parent of every key, that holds card data."""
    return sorted(set(_walk(document, "")))


def _walk(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if found_in(key):
                yield pointer  # to the parent: the key itself must not be repeated
            elif _is_code(key, item):
                yield f"{pointer}/{escaped(key)}"
            else:
                yield from _walk(item, f"{pointer}/{escaped(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{pointer}/{index}")
    elif isinstance(value, str):
        if found_in(value):
            yield pointer
    elif isinstance(value, int | float) and found_in(_written_out(value)):
        yield pointer


def escaped(key: str) -> str:
    """A key as a JSON Pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")


def _is_code(name: str, value: Any) -> bool:
    return _CODE_NAME.search(name) is not None and re.fullmatch(r"\s*\d{3,4}\s*", str(value)) is not None


def _written_out(number: float) -> str:
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e20:
        return str(int(number))  # 4.111111111111111e15 is a card number too
    return repr(number)


def _holds_card(run: str) -> bool:
    # Groups as they were written: "order 12 4111 1111 1111 1111" holds a card number that does not begin with 12.
    groups = ["".join(str(int(digit)) for digit in group) for group in _DIGITS.findall(run)]
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group
            if len(digits) > _LONGEST or (len(digits) > 1 and not _BEGINS.match(digits)):
                break
            if len(digits) >= _SHORTEST and luhn_valid(digits):
                return True
    return False
