"""Text as a search for digits and names wants it: one spelling for what people read as the same. Pure.

Digits of all scripts become ASCII digits, letters lose their accents and case, what nobody sees (zero-width characters,
direction marks, soft hyphens) goes, and white space of any length and kind becomes one space.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

# ASCII that `plain` has to change: white space other than a single space, and control characters.
_OTHER_ASCII = re.compile(r"\s{2}|[\x00-\x1f\x7f]", re.ASCII)
_UNSEEN = {"Cf", "Mn", "Me", "Mc"}
# Letters of other alphabets that look like those of the names of a security code, and blank letters.
_LOOKS_LIKE = {"\u0441": "c", "\u0475": "v", "\u03bd": "v", "\u115f": " ", "\u1160": " ", "\u2800": " "}
# Control characters that are no white space are taken out like zero-width characters.
_UNSEEN_ASCII = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")

_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|&#?\w{2,8};")
_BY_CODE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_MOST_UNESCAPINGS = 3


class Plain(NamedTuple):
    """`text` in one spelling. `origins`: where each character came from in the original; None where nothing moved."""

    text: str
    origins: list[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original that the characters from `start` to before `end` came from."""
        if self.origins is None:
            return start, end
        return self.origins[start], self.origins[end - 1] + 1


def plain(text: str) -> Plain:
    """`text` in one spelling. Time linear in its length."""
    if text.isascii() and _OTHER_ASCII.search(text) is None:
        return Plain(text.lower(), None)
    characters: list[str] = []
    origins: list[int] = []
    for index, character in enumerate(text):
        for one in _read_as(character):
            if one != " " or not characters or characters[-1] != " ":
                characters.append(one)
                origins.append(index)
    return Plain("".join(characters), origins)


def unescaped(text: str) -> str | None:
    """`text` with its escapes (of URLs, JSON, HTML) read, those within escapes as well; None where there are none."""
    if not any(sign in text for sign in "%\\&") or _ESCAPED.search(text) is None:
        return None
    for _ in range(_MOST_UNESCAPINGS):
        before = text
        text = html.unescape(unquote(_BY_CODE.sub(lambda code: chr(int(code[1] or code[2], 16)), text)))
        if text == before:
            break
    return text


@lru_cache(maxsize=4096)
def _read_as(character: str) -> str:
    read = ""
    for one in unicodedata.normalize("NFKD", character):
        if (value := unicodedata.numeric(one, -1)) in range(10):
            read += str(int(value))
        elif one.isspace():
            read += " "
        elif unicodedata.category(one) in _UNSEEN or _UNSEEN_ASCII.match(one):
            continue
        else:
            read += _LOOKS_LIKE.get(one.lower(), one.lower())
    return read
