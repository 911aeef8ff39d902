"""JSON Pointers (RFC 6901), which say where a value stands in a document."""

from __future__ import annotations


def escaped(key: str) -> str:
    """A key as a JSON Pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")
