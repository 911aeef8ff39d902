"""The JSON form of an erasure."""

from __future__ import annotations

from typing import Any

from aegis_worker.erasing import Erased


def erasure_body(erased: Erased, *, has_vault: bool) -> dict[str, Any]:
    """How many of each kind were erased, and whether that was all.

    `has_vault`: whether the process that erased has the card vault. Without it nobody knows whether there are cards.
    """
    counts = dict(erased.counts) if has_vault else {**erased.counts, "cards": None}
    return {"object": "erasure", **counts, "complete": erased.complete}
