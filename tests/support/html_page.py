"""A page of HTML in the documents, taken apart."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = frozenset({"meta", "br", "input", "link"})


class Page(HTMLParser):
    """What the page is made of.

    `open`: the tags that it does not close; `script`: what it runs itself; `tags`: each tag with its attributes.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.sources: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.script = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag not in _VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.add(str(given["id"]))
        if tag == "script" and "src" in given:
            self.sources.append(str(given["src"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.script += data

    def unclosed(self) -> str:
        """What of the script's brackets and strings does not close; empty where all do."""
        code = re.sub(r"//[^\n]*", "", self.script)
        code = re.sub(r'"[^"\n]*"', "", code)
        closes, still_open = {")": "(", "]": "[", "}": "{"}, []
        for letter in code:
            if letter in "([{":
                still_open.append(letter)
            elif letter in closes and still_open.pop() != closes[letter]:
                return letter
        return "".join(still_open) + '"' * ('"' in code)
