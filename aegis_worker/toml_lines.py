"""On which line of a TOML document a key stands: the parser does not tell. Pure."""

from __future__ import annotations

import re

_HEAD = re.compile(r"^\s*\[\[?\s*([\w.-]+)\s*\]\]?")
_KEY = re.compile(r"""^\s*["']?([\w-]+)["']?\s*[.=]""")


class TomlLines:
    """The lines of a document that is laid out as people write it: a head, and below it a key a line."""

    def __init__(self, toml: str) -> None:
        self._tables: dict[str, list[tuple[int, dict[str, int]]]] = {"": [(1, {})]}
        keys = self._tables[""][0][1]
        for number, line in enumerate(toml.splitlines(), start=1):
            if found := _HEAD.match(line):
                keys = {}
                self._tables.setdefault(found[1], []).append((number, keys))
            elif found := _KEY.match(line):
                keys.setdefault(found[1], number)

    def of(self, table: str, key: str, index: int = 0) -> int | None:
        """The line of a key, or of its table's head where it has no such key; None where neither is found.

        `table`: empty for what stands before any head. `index`: which of several tables of this name, from 0.
        """
        found = self._tables.get(table, [])
        if index >= len(found):
            return None
        head, keys = found[index]
        return keys.get(key, head)
