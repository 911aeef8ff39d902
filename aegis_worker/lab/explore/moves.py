"""One move of a life: what happens next, at what price, and the world after it."""

from __future__ import annotations

from typing import NamedTuple

from .world import World


class Move(NamedTuple):
    """`kind`: what happens. `who`: a worker, a gateway, the merchant; empty for time. `how`: which of the ways in which it
    may go. `s`: by how many seconds time passes.

    Workers claim, decide, write, check, call and settle; they crash, freeze and wake, or the whole machine does `sleep`.
    Time passes up to what is due (`time`), or nobody claims what is due for so long (`late`). Others `ask`, `cancel`, tell
    of an `event`, `recheck` what was given up, or hold the `lock`.
    """

    kind: str
    who: str = ""
    how: str = ""
    s: float = 0.0


class Step(NamedTuple):
    """`cost`: the faults that the move takes. `wrong`: what it breaks, in words."""

    move: Move
    cost: int
    world: World
    wrong: tuple[str, ...] = ()
