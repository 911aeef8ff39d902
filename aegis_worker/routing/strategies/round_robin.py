"""ROUND_ROBIN: each eligible gateway in turn, over all workers."""

from __future__ import annotations

from ..ranking import Ranking, Situation


def round_robin(situation: Situation) -> Ranking:
    """The configured order, begun one further with every turn."""
    names = [gateway.name for gateway in situation.eligible]
    start = situation.turn % len(names)
    return Ranking(names[start:] + names[:start], f"its turn, {start + 1} of {len(names)}")
