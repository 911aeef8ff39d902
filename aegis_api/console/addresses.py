"""What the address of a page asks for: filters, and where a list goes on. What looks like a card number is left out."""

from __future__ import annotations

from flask import request

from aegis_worker.domain.card_search import holds_card_data

_LONGEST_QUERY, _LONGEST_CURSOR = 255, 64


def queried(*names: str) -> dict[str, str]:
    """What is asked for under these names: those that say something, each of a bounded length."""
    asked = {name: request.args.get(name, "").strip()[:_LONGEST_QUERY] for name in names}
    return {name: value for name, value in asked.items() if value and not holds_card_data(value)}


def cursor(name: str) -> str | None:
    """The id after which a list goes on, as it was given; None where it begins."""
    return request.args.get(name, "")[:_LONGEST_CURSOR] or None
