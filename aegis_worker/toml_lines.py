"""On which line of a TOML file a value stands: Python's own reader does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

# Each gives nothing back once it has matched, so that no text takes long.
_SPACE = re.compile(r"(?:[ \t\r\n,]++|\#[^\n]*+)*+")
_STRINGS = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]\}\#\n]+")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line, from 1, of the value at `path` (keys, and places in lists from 0), or of what it would stand in.

    None where not even that is there. `text` must be TOML that can be read.
    """
    keys = list(map(str, path))
    lines: dict[tuple[str, ...], int] = {}
    for found, line in _Reader(text).read():
        for length in range(1, len(found) + 1):
            lines.setdefault(found[:length], line)
    nearest = (lines.get(tuple(keys[:length])) for length in range(len(keys), 0, -1))
    return next((line for line in nearest if line is not None), None)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._lines, self._counted_to = 1, 0

    def read(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """Every key and item, as strings, with its line."""
        table: tuple[str, ...] = ()
        items: dict[tuple[str, ...], int] = {}
        while True:
            self._skip()
            if self._at >= len(self._text):
                return
            if self._text[self._at] != "[":
                yield from self._pair(table)
                continue
            line, several = self._line(), self._text.startswith("[[", self._at)
            self._at += 2 if several else 1
            table = self._resolved(self._keys("]"), items, several)
            self._at += 2 if several else 1
            yield table, line

    def _resolved(self, keys: list[str], items: dict[tuple[str, ...], int], several: bool) -> tuple[str, ...]:
        """The path of a header: where it names a list of tables, the last of these is meant."""
        path: tuple[str, ...] = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            if several and number == len(keys) - 1:
                items[path] = items.get(path, -1) + 1
            if path in items:
                path = (*path, str(items[path]))
        return path

    def _pair(self, table: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
        line, keys = self._line(), self._keys("=")
        self._at += 1
        path = (*table, *keys)
        yield path, line
        yield from self._value(path)

    def _value(self, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
        self._skip()
        opening = self._text[self._at]
        if opening not in "[{":
            found = _STRINGS.match(self._text, self._at) or _BARE_VALUE.match(self._text, self._at)
            self._at = found.end() if found else self._at + 1
            return
        self._at += 1
        number = 0
        while True:
            self._skip()
            if self._text[self._at] in "]}":
                self._at += 1
                return
            if opening == "{":
                yield from self._pair(path)
            else:
                item = (*path, str(number))
                yield item, self._line()
                yield from self._value(item)
                number += 1

    def _keys(self, end: str) -> list[str]:
        """A dotted key, up to its end."""
        keys: list[str] = []
        while self._text[self._at] != end:
            if found := _STRINGS.match(self._text, self._at):
                keys.append(_unquoted(found[0]))
            elif found := _BARE_KEY.match(self._text, self._at):
                keys.append(found[0])
            self._at = found.end() if found else self._at + 1
        return keys

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _line(self) -> int:
        self._lines += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._lines


def _unquoted(key: str) -> str:
    value: Any = tomllib.loads(f"key = {key}")["key"]
    return str(value)
