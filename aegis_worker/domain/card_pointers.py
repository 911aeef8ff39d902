"""Where card numbers and security codes stand in a JSON document (D8). Pure.

What counts as one is decided in `card_search`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .card_search import holds_card_data
from .json_pointers import escaped
from .security_codes import may_be_a_code, may_name_a_code, names_a_code

# The digits of each string of a JSON document stand together once all but digits and quotes is taken out.
_NEITHER_DIGIT_NOR_QUOTE = bytes(set(range(256)) - set(b'0123456789"'))
_AS_MANY_DIGITS_AS_A_CARD = re.compile(rb"\d{13}")
# A part of a card number under one of these names may be found with the parts beside it.
_PART_NAME = re.compile(r"card|(?:pan|cc)(?![a-z])|karte|karta|tarjeta|carte|cartao|carta", re.IGNORECASE)
_PART = re.compile(r"[\d\s-]{1,16}")


def may_hold_one(body: bytes) -> bool:
    """A quick first look at a JSON document. False is certain; True means that the values have to be looked at."""
    return (
        not body.isascii()
        or b"\\" in body
        or b"%" in body
        or (b"&" in body and b";" in body)
        or _AS_MANY_DIGITS_AS_A_CARD.search(body.translate(None, _NEITHER_DIGIT_NOR_QUOTE)) is not None
        or may_name_a_code(body.decode("ascii").lower())
    )


def pointers_to(document: Any) -> list[str]:
    """JSON Pointers (RFC 6901) to every value, and to the parent of every key, that holds card data."""
    return sorted(set(_walk(document, "", is_code=False)))


def _walk(value: Any, pointer: str, *, is_code: bool) -> Iterator[str]:
    """`is_code`: it stands under the name of a security code."""
    if isinstance(value, dict):
        if _holds_parts(value):
            yield pointer
        for key, item in value.items():
            if holds_card_data(key):
                yield pointer  # to the parent: the key itself must not be repeated
            else:
                yield from _walk(item, f"{pointer}/{escaped(key)}", is_code=is_code or names_a_code(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{pointer}/{index}", is_code=is_code)
    elif (is_code and may_be_a_code(value)) or holds_card_data(_written_out(value)):
        yield pointer


def _holds_parts(table: dict[str, Any]) -> bool:
    """Whether values under names of cards, one after the other, are a card number: `card_1: 4111, card_2: 1111, …`."""
    parts = [str(item) for key, item in table.items() if _PART_NAME.search(key) and _is_part(item)]
    return len(parts) > 1 and holds_card_data(" ".join(parts))


def _is_part(value: Any) -> bool:
    return type(value) in (str, int) and _PART.fullmatch(str(value)) is not None


def _written_out(value: Any) -> str:
    if isinstance(value, float):
        # 4.111111111111111e15 is a card number too; the digits of a fraction are none.
        return str(int(value)) if value.is_integer() and abs(value) < 1e20 else ""
    return value if isinstance(value, str) else str(value)
