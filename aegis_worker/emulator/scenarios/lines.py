"""On which line of a scenario a key stands: the TOML parser does not tell. Pure."""

from __future__ import annotations

import re

_HEAD = re.compile(r"^\s*\[\[\s*rule\s*\]\]")
_KEY = re.compile(r"""^\s*["']?([\w-]+)["']?\s*[.=]""")


class Lines:
    """Each place as `line N`; as `rule N` or the key alone where the text is laid out in another way."""

    def __init__(self, toml: str) -> None:
        self._top: dict[str, int] = {}
        self._rules: list[tuple[int, dict[str, int]]] = []
        keys = self._top
        for number, line in enumerate(toml.splitlines(), start=1):
            if _HEAD.match(line):
                keys = {}
                self._rules.append((number, keys))
            elif found := _KEY.match(line):
                keys.setdefault(found[1], number)

    def of_top(self, key: str) -> str:
        """Where a key of the scenario itself stands."""
        return f"line {self._top[key]}" if key in self._top else "line 1"

    def of_rule(self, index: int, key: str) -> str:
        """Where a key of a rule stands, or the rule where it has no such key; rules are counted from 0."""
        if index >= len(self._rules):
            return f"rule {index + 1}"
        head, keys = self._rules[index]
        return f"line {keys.get(key, head)}, rule {index + 1}"
