"""An exploration in a file, so that it can be gone on with: plain numbers, and no worlds.

The worlds that are still to be looked at are made again from the moves that led to them, so the file holds nothing that
could be run. It goes on only with the configuration and the code that it was begun with: what was explored by others says
nothing about these.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, json, msgpack

from aegis_worker.errors import AegisError

from .graph import ROOT, Graph
from .moves import Move
from .search import Explored, Search
from .setups import Configuration
from .version import fingerprint
from .world import World


class BadCheckpoint(AegisError):
    """The file is no exploration that can be gone on with here."""


class Saved(Struct, frozen=True):
    """`version`: see `version.fingerprint`. `explored`: as JSON, because a count may have more than 64 bits. `now` and
    `next`: what is still to be looked at, by the number of moves that lead there.
    """

    configuration: str
    faults: int
    version: str
    drops: bool
    layer: int
    explored: bytes
    digests: bytes
    columns: dict[str, bytes]
    moves: list[Move]
    now: dict[int, list[int]]
    next: dict[int, list[int]]


def save(search: Search, path: Path) -> None:
    """Write the exploration, so that a crash in between leaves the file that was there. Raises OSError."""
    saved = Saved(
        search.configuration.name,
        search.faults,
        fingerprint(search.configuration),
        search.drops,
        search.layer,
        json.encode(search.explored),
        b"".join(search.graph.numbers),
        search.graph.columns(),
        search.graph.moves,
        _numbers(search.now),
        _numbers(search.next),
    )
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(msgpack.encode(saved))
    beside.replace(path)


def load(path: Path, configuration: Configuration, faults: int, *, drops: bool = True) -> Search:
    """Go on with the exploration in the file. Raises BadCheckpoint, and OSError."""
    try:
        saved = msgpack.decode(path.read_bytes(), type=Saved)
        explored = json.decode(saved.explored, type=Explored)
    except (DecodeError, ValidationError) as problem:
        raise BadCheckpoint(f"{path} holds no exploration: {problem}") from problem
    if (saved.configuration, saved.faults) != (configuration.name, faults):
        raise BadCheckpoint(f"{path} is of {saved.configuration} with {saved.faults} faults")
    if saved.version != fingerprint(configuration):
        raise BadCheckpoint(
            f"{path} is of another version of the product or of {configuration.name}: begin anew"
        )
    if saved.drops is not drops:
        raise BadCheckpoint(
            f"{path} has workers that lost their fence wake {'at once' if saved.drops else 'at any time'}"
        )
    search = Search(configuration, faults, drops=drops)
    search.layer, search.explored = saved.layer, explored
    search.graph = Graph.of(saved.digests, saved.columns, saved.moves)
    wanted = {
        number for waiting in (saved.now, saved.next) for numbers in waiting.values() for number in numbers
    }
    worlds = _worlds(search, wanted, path)
    search.now, search.next = (
        {depth: [(number, worlds[number]) for number in numbers] for depth, numbers in waiting.items()}
        for waiting in (saved.now, saved.next)
    )
    return search


def _numbers(waiting: dict[int, list[tuple[int, World]]]) -> dict[int, list[int]]:
    return {depth: [number for number, _ in worlds] for depth, worlds in waiting.items() if worlds}


def _worlds(search: Search, wanted: set[int], path: Path) -> dict[int, World]:
    """The worlds of these moments, by making the moves that first led to them."""
    graph, needed = search.graph, [number for number in sorted(wanted) if number != ROOT]
    worlds = {ROOT: search.beginning()[0]}
    while needed:
        number = needed[-1]
        if number in worlds:
            needed.pop()
            continue
        if graph.parents[number] not in worlds:
            needed.append(graph.parents[number])
            continue
        parent, move = graph.parents[number], graph.moves[graph.by_move[number]]
        world = search.after(worlds[parent], graph.layers[parent], move)
        if world is None or graph.numbers.get(search.digest(world)) != number:
            raise BadCheckpoint(f"{path} is of another version of the product: begin anew")
        worlds[number] = world
    return worlds
