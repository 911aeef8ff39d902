"""A story in a file: which configuration it is of, what it breaks, and its moves. JSON, stable, for people to keep."""

from __future__ import annotations

from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import decode, encode, format

from aegis_worker.errors import AegisError
from aegis_worker.lab.explore.moves import Move


class BadStory(AegisError):
    """The file is no story."""


class Story(Struct, frozen=True, omit_defaults=True):
    """`moves`: what happens, in order. `violations`: what that breaks, in words; empty for one that breaks nothing.
    `planted`: faults of `lab.plants` that were in the product when it was found, and have to be when it is lived again.
    """

    configuration: str
    operation: str
    faults: int
    moves: tuple[Move, ...]
    violations: tuple[str, ...] = ()
    planted: tuple[str, ...] = ()


def written(story: Story) -> str:
    """The text of its file."""
    return format(encode(story)).decode() + "\n"


def read(path: Path) -> Story:
    """The story in a file. Raises BadStory, and OSError."""
    try:
        return decode(path.read_bytes(), type=Story)
    except (DecodeError, ValidationError) as problem:
        raise BadStory(f"{path} is no story: {problem}") from problem
