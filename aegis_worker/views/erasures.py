"""The JSON form of an erasure."""

from __future__ import annotations

from typing import Any

from aegis_worker.erasing import Erased


def erasure_body(erased: Erased) -> dict[str, Any]:
    """How many of each kind were erased, and whether that was all."""
    return {"object": "erasure", **erased.counts, "complete": erased.complete}
