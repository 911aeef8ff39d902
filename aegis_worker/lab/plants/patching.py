"""Another value in a place of the product, for as long as a fault is planted there."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeVar

K = TypeVar("K")


@contextmanager
def name_in(place: ModuleType | type, name: str, value: Any) -> Iterator[None]:
    """Within it the name of the module or class means `value`. Raises KeyError where it has no such name, so that none is
    planted in the void after the product was changed.
    """
    before = vars(place)[name]
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


@contextmanager
def entry_in(table: MutableMapping[K, Any], key: K, value: Any) -> Iterator[None]:
    """Within it the table says `value` for the key. Raises KeyError where it has none."""
    before = table[key]
    table[key] = value
    try:
        yield
    finally:
        table[key] = before
