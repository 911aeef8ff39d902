"""Reads and writes a gateway's XML. Pure.

XML can be made to name files and addresses, to grow without bound, and to nest until a reader falls over. So a document
type, and with it every entity of its own, is refused before it is read any further, and depth, size and the number of
elements are bounded. What two readers might read differently makes the whole answer unreadable, as in JSON: an element that
stands twice in a record, or text between elements.

    <transaction><id>abc</id><refund-ids type="array"><item>r1</item></refund-ids><order-id nil="true"/></transaction>

is read as `{"transaction": {"id": "abc", "refund-ids": ["r1"], "order-id": None}}`. Every value is text, which the readers
of `reading` check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from msgspec import Struct

from .reading import Unreadable

MOST_BYTES, MOST_ELEMENTS, DEEPEST = 1_048_576, 20_000, 24
# No other character may stand in XML 1.0: w3.org/TR/xml, 2.2.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ARRAY, _COLLECTION = "array", "collection"


class _Element(Struct):
    """An element whose end was not read yet, with what was read of it."""

    name: str
    kind: str
    is_nil: bool
    children: list[tuple[str, Any]]
    text: list[str]


def parsed_xml(body: bytes) -> dict[str, Any]:
    """The document: its root's name, and what stands in it. Raises Unreadable.

    An element of the type `array` is the list of its children. A `collection` is the list of those of its children that are
    records, without the sums that it begins with.
    """
    if len(body) > MOST_BYTES:
        raise Unreadable("XML that is too large")
    reading = _Reading()
    try:
        reading.read(body)
    except (expat.ExpatError, LookupError, ValueError) as problem:
        if isinstance(problem, Unreadable):
            raise
        raise Unreadable("no XML") from problem
    return reading.document


def written_xml(name: str, fields: Mapping[str, Any]) -> bytes:
    """An element with these children, each by its name: text, a truth value, a record, or a list of texts.

    What is None is left out. A character that may not stand in XML is left out, too.
    """
    return _written(name, fields).encode("ascii", "xmlcharrefreplace")


class _Reading:
    """One document, as far as it was read."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}
        self._open: list[_Element] = []
        self._elements = 0

    def read(self, body: bytes) -> None:
        """All of it."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._begun, self._ended
        parser.CharacterDataHandler = self._heard
        parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = _refused
        parser.Parse(body, True)

    def _begun(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._open) >= DEEPEST:
            raise Unreadable("XML with too many elements, or too deep")
        self._open.append(_Element(name, attributes.get("type", ""), attributes.get("nil") == "true", [], []))

    def _heard(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _ended(self, name: str) -> None:
        value = _value(self._open.pop())
        if self._open:
            self._open[-1].children.append((name, value))
        else:
            self.document = {name: value}


def _refused(*declared: Any) -> None:
    raise Unreadable("XML with a document type or an instruction")


def _value(element: _Element) -> Any:
    text = "".join(element.text).strip()
    if text and element.children:
        raise Unreadable(f"{element.name} has text between its elements")
    if element.is_nil:
        return None
    if element.kind == _ARRAY:
        return [value for _, value in element.children]
    if element.kind == _COLLECTION:
        return [value for _, value in element.children if isinstance(value, dict)]
    if not element.children:
        return text
    fields = dict(element.children)
    if len(fields) < len(element.children):
        raise Unreadable(f"{element.name} has an element twice")
    return fields


def _written(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_written(child, given) for child, given in value.items() if given is not None)
        return f"<{name}>{inner}</{name}>"
    if isinstance(value, bool):
        return f'<{name} type="boolean">{str(value).lower()}</{name}>'
    if isinstance(value, str):
        return f"<{name}>{escape(_FORBIDDEN.sub('', value))}</{name}>"
    if isinstance(value, Sequence):
        items = "".join(_written("item", item) for item in value)
        return f'<{name} type="array">{items}</{name}>'
    raise TypeError(f"{name} is of a type that is not written")
