"""WEIGHTED: drawn by shares."""

from __future__ import annotations

from ..ranking import NOTHING, Ranking, Situation


def weighted(situation: Situation) -> Ranking:
    """Eligible gateways drawn by their shares, without putting them back; one without a share is not drawn."""
    shares = situation.config.shares
    left = {
        gateway.name: share for gateway in situation.eligible if (share := shares.get(gateway.name, 0)) > 0
    }
    if not left:
        return NOTHING
    total = sum(left.values())
    scores: dict[str, dict[str, float]] = {
        name: {"share": round(share / total, 4)} for name, share in left.items()
    }
    names = []
    while left:
        names += situation.rng.choices(list(left), list(left.values()))
        del left[names[-1]]
    return Ranking(names, f"drawn with a share of {scores[names[0]]['share']:.2%}", scores)
