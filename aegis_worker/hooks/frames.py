"""What is said between a process of ours and one that hooks run in: messages in MessagePack, each after its length.

Both ends are the same version of this module: the process that hooks run in is started by the one that asks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, msgpack

from .loading import Offered
from .points import Point

# A message of more is a fault of whoever sent it. A hook's answer and a context are bounded far below.
MOST_BYTES = 16 << 20
LARGEST_CONTEXT, LARGEST_ANSWER = 256 << 10, 64 << 10

_LENGTH = struct.Struct("<I")


class Broken(Exception):
    """What came is no message."""


class Begin(Struct, frozen=True, array_like=True):
    """To the process that loads plug-ins: which, and what each process may hold, in MiB.

    `path`: where modules are looked for. `parent`: the process that started it, with which it ends.
    """

    hooks: tuple[str, ...]
    path: tuple[str, ...]
    memory_mb: int
    parent: int


class Ask(Struct, frozen=True, array_like=True):
    """To a process: ask these hooks, in this order. `number` rises from ask to ask.

    `until_ns`: nobody waits for the answers of hooks that begin later than this (CLOCK_MONOTONIC, which all processes of a
    machine share). `context`: encoded, and decoded anew for each hook, so that none sees what another changed.
    """

    number: int
    until_ns: int
    point: Point
    hooks: tuple[str, ...]
    context: bytes


class Order(Struct, frozen=True, array_like=True):
    """To the process that loads plug-ins: fork; or, `ended`: the process of this number was killed."""

    ended: int = 0


class Plugins(Struct, frozen=True, array_like=True, tag=0):
    """From the process that loads plug-ins: they are loaded, and these are their hooks."""

    hooks: tuple[Offered, ...]


class Refused(Struct, frozen=True, array_like=True, tag=1):
    """From the process that loads plug-ins: they could not be loaded, and why, in one line."""

    why: str


class Born(Struct, frozen=True, array_like=True, tag=2):
    """From the process that loads plug-ins: it has forked a process. The socket to that process and its page come along."""

    pid: int


class Result(Struct, frozen=True, array_like=True):
    """What one hook answered, encoded; or why it did not. `took_us`: how long it ran, in microseconds."""

    hook: str
    answer: bytes
    failed: str
    took_us: int


class Answers(Struct, frozen=True, array_like=True):
    """From a process: what hooks of the ask of this number said. `over`: it is done with the ask."""

    number: int
    results: tuple[Result, ...]
    over: bool


_asks, _answers = msgpack.Decoder(tuple[Ask, ...]), msgpack.Decoder(Answers)
_begin, _order = msgpack.Decoder(Begin), msgpack.Decoder(Order)
_told: msgpack.Decoder[Plugins | Refused | Born] = msgpack.Decoder(Plugins | Refused | Born)


def framed(message: Any) -> bytes:
    """The message as it is sent."""
    encoded = msgpack.encode(message)
    return _LENGTH.pack(len(encoded)) + encoded


def asks_of(message: bytes) -> tuple[Ask, ...]:
    """What a process is asked. Raises msgspec.MsgspecError."""
    return _asks.decode(message)


def answers_of(message: bytes) -> Answers:
    """What a process says. Raises msgspec.MsgspecError."""
    return _answers.decode(message)


def begin_of(message: bytes) -> Begin:
    """What the process that loads plug-ins is started for. Raises msgspec.MsgspecError."""
    return _begin.decode(message)


def order_of(message: bytes) -> Order:
    """What the process that loads plug-ins is told once it runs. Raises msgspec.MsgspecError."""
    return _order.decode(message)


def told_by(message: bytes) -> Plugins | Refused | Born:
    """What the process that loads plug-ins says. Raises msgspec.MsgspecError."""
    return _told.decode(message)


class Incoming:
    """Puts messages together from what a socket gives."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def messages(self, more: bytes) -> Iterator[bytes]:
        """The messages that are whole with these bytes. Raises Broken for one that is too long to be ours."""
        self._bytes += more
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > MOST_BYTES:
                raise Broken
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            message = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            yield message
