"""The whole world of one payment at one moment: its tables, its gateways, and the workers that hold its job.

Every moment in it is relative to now, so two worlds that differ only in the time of day are one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from .hands import Hand
from .ledger import Ledger
from .rows import Rows

V = TypeVar("V")
_CLOCK = struct.Struct("<d").pack


class Part(Generic[V]):
    """A part of worlds: a value, the sixteen bytes that stand for it, and its number in this exploration."""

    __slots__ = ("__weakref__", "digest", "number", "value")

    def __init__(self, value: V, digest: bytes, number: int) -> None:
        self.value, self.digest, self.number = value, digest, number

    def __reduce__(self) -> tuple[Any, ...]:
        return Part, (self.value, self.digest, -1)


class Parts(Generic[V]):
    """Each part once for as long as anything refers to it, so that worlds share what did not change between them."""

    def __init__(self, digest: Callable[[V], bytes]) -> None:
        self._digest = digest
        self._made = 0
        self._known: WeakValueDictionary[bytes, Part[V]] = WeakValueDictionary()

    def of(self, value: V) -> Part[V]:
        """The part that stands for this value."""
        digest = self._digest(value)
        part = self._known.get(digest)
        if part is None:
            part = self._known[digest] = Part(value, digest, self._made)
            self._made += 1
        return part


class World(NamedTuple):
    """`hands`: the workers that hold something, the older claim first, each with what its clock reads. `marks`: what an end
    is judged by that no client can rule out.
    """

    rows: Part[Rows]
    ledgers: tuple[Part[Ledger], ...]
    hands: tuple[tuple[Part[Hand], float], ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def is_awake(self) -> bool:
        """Whether any worker is at work."""
        return any(not hand.value.asleep for hand, _ in self.hands)


def key(world: World) -> bytes:
    """Sixteen bytes that stand for the world."""
    rows, ledgers, hands, marks = world
    parts = [rows.digest]
    parts += [ledger.digest for ledger in ledgers]
    for hand, clock in hands:
        parts.append(hand.digest)
        parts.append(_CLOCK(clock))
    if marks:
        parts.append("|".join(marks).encode())
    return blake2b(b"".join(parts), digest_size=16).digest()
