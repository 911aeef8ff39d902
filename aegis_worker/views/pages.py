"""The JSON form of one page of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def list_body(data: Sequence[Mapping[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """One page of a list. Pass `next_cursor` as `starting_after` to get the next page."""
    return {"data": list(data), "has_more": next_cursor is not None, "next_cursor": next_cursor}
