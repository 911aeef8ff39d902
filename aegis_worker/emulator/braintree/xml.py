"""Braintree's XML: types are attributes, names have dashes, what is absent is `nil`. Pure.

github.com/braintree/braintree_python/tree/master/braintree/util reads and writes the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MOST_DEPTH = 20
_TRUE = frozenset({"true", "1"})


class Malformed(ValueError):
    """The body is no XML as Braintree takes it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in seconds since 1970."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Day:
    """The day of a time in seconds since 1970, in UTC."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Symbol:
    """A word that stands for itself."""

    word: str


@dataclass(frozen=True, slots=True)
class Many:
    """A list of what has all the same `tag`."""

    tag: str
    items: Iterable[Any]
    kind: str = "array"


@dataclass(frozen=True, slots=True)
class Paged:
    """A page of a collection: facts about it, then its items."""

    facts: Mapping[str, Any]
    tag: str
    items: Iterable[Any]


def document(tag: str, value: Any) -> bytes:
    """A whole XML document."""
    return (_DECLARATION + element(tag, value) + "\n").encode()


def element(tag: str, value: Any) -> str:
    """One element. Names are given with underscores."""
    name = tag.replace("_", "-")
    kind, inner = _content(value)
    if kind == "nil":
        return f'<{name} nil="true"/>'
    attribute = f' type="{kind}"' if kind else ""
    return f"<{name}{attribute}>{inner}</{name}>"


def _content(value: Any) -> tuple[str, str]:
    """The type that an element bears, and what stands in it."""
    if value is None:
        return "nil", ""
    if isinstance(value, bool):
        return "boolean", str(value).lower()
    if isinstance(value, int):
        return "integer", str(value)
    if isinstance(value, Moment):
        return "datetime", datetime.fromtimestamp(value.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Day):
        return "date", datetime.fromtimestamp(value.seconds, UTC).strftime("%Y-%m-%d")
    if isinstance(value, Symbol):
        return "symbol", escape(value.word)
    if isinstance(value, Many):
        return value.kind, "".join(element(value.tag, item) for item in value.items)
    if isinstance(value, Paged):
        return "collection", _inner(value.facts) + "".join(element(value.tag, item) for item in value.items)
    if isinstance(value, Mapping):
        return "", _inner(value)
    return "", escape(str(value))


def _inner(fields: Mapping[str, Any]) -> str:
    return "".join(element(name, value) for name, value in fields.items())


@dataclass(slots=True)
class _Open:
    """An element that is being read."""

    name: str
    kind: str
    is_nil: bool
    text: str = ""
    children: list[tuple[str, Any]] = field(default_factory=list)

    def value(self) -> Any:
        if self.kind == "array":
            return [child for _, child in self.children]
        if self.children:
            return dict(self.children)
        if self.is_nil:
            return None
        text = self.text.strip()
        if self.kind == "boolean":
            return text.lower() in _TRUE
        return text


def parse(raw: bytes) -> dict[str, Any]:
    """The document as `{root: value}`, names with underscores; an empty body is an empty object. Raises Malformed.

    Text stays text, whatever number its type announces.
    """
    if not raw.strip():
        return {}
    root = _Open("", "", is_nil=False)
    stack = [root]

    def begins(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _MOST_DEPTH:
            raise Malformed("nested too deeply")
        kind, is_nil = attributes.get("type", ""), attributes.get("nil") == "true"
        stack.append(_Open(name.replace("-", "_"), kind, is_nil))

    def ends(_: str) -> None:
        closed = stack.pop()
        stack[-1].children.append((closed.name, closed.value()))

    def says(text: str) -> None:
        stack[-1].text += text

    def declares(*_: Any) -> None:
        raise Malformed("it may declare no entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begins, ends
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = says, declares
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise Malformed(str(error)) from error
    return dict(root.children)
