"""JSON Pointers (RFC 6901), which say where a value stands in a document."""

from __future__ import annotations


def escaped(key: str) -> str:
    """A key as a JSON Pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")


def steps(pointer: str) -> list[str]:
    """The keys, and places in lists, that a JSON Pointer leads over."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
