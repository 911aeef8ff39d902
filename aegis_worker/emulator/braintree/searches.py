"""Searches: first the ids of all that fits, then the transactions of a page: …/reference/request/transaction/search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..replies import Reply
from ..rows import Document
from ..transaction import Transaction
from . import bodies
from .books import BraintreeBooks
from .errors import InvalidKeys, xml_reply
from .shapes import KIND, PART, REFUND, SALE
from .xml import Many, Paged

PAGE_SIZE = 50
_MOST_FOUND = 1000
_TYPES = {SALE: "sale", PART: "sale", REFUND: "credit"}
_LISTS, _BY_TEXT = frozenset({"ids", "status", "type"}), frozenset({"id", "order_id"})
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "is": lambda value, wanted: value == wanted,
    "is_not": lambda value, wanted: value != wanted,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": lambda value, wanted: wanted in value,
}


def search_ids(books: BraintreeBooks, merchant: str, raw: bytes) -> Reply:
    """The ids of what fits, the newest first."""

    def read(tx: Transaction, now: float) -> Reply:
        found = _found(books, tx, merchant, _criteria(raw), now)
        ids = [one.id for one in reversed(found)]
        return xml_reply(200, "search_results", {"page_size": PAGE_SIZE, "ids": Many("item", ids)})

    return books.read_xml(read)


def search_page(books: BraintreeBooks, merchant: str, raw: bytes) -> Reply:
    """What fits itself, a page of it."""

    def read(tx: Transaction, now: float) -> Reply:
        found = _found(books, tx, merchant, _criteria(raw), now)[:PAGE_SIZE]
        facts = {"current_page_number": 1, "page_size": PAGE_SIZE, "total_items": len(found)}
        shown = [books.object(tx, one) for one in reversed(found)]
        return xml_reply(200, "credit_card_transactions", Paged(facts, "transaction", shown))

    return books.read_xml(read)


def _criteria(raw: bytes) -> dict[str, Any]:
    """Raises Bare(400), InvalidKeys(403)."""
    criteria = bodies.inner(bodies.tree(raw), "search")
    for name, criterion in criteria.items():
        is_known = (
            isinstance(criterion, list) if name in _LISTS else name in _BY_TEXT and _is_by_text(criterion)
        )
        if not is_known:
            raise InvalidKeys(f"search[{name}]")
    return criteria


def _is_by_text(criterion: Any) -> bool:
    return isinstance(criterion, Mapping) and all(
        how in _TEXTS and isinstance(text, str) for how, text in criterion.items()
    )


def _found(
    books: BraintreeBooks, tx: Transaction, merchant: str, criteria: Mapping[str, Any], now: float
) -> list[Document]:
    """What fits, the oldest first: among those that an id or an order id narrows it to, else among the newest."""
    seen = [one for one in _narrowed(books, tx, criteria) if one.body["merchant"] == merchant]
    return [one for one in seen if _fits(one, criteria) and books.is_seen(tx, one, now)]


def _narrowed(books: BraintreeBooks, tx: Transaction, criteria: Mapping[str, Any]) -> list[Document]:
    ids = criteria.get("ids") or _one_of(criteria.get("id"))
    if ids:
        documents = [tx.document(KIND, str(own_id)) for own_id in ids[:_MOST_FOUND]]
        found = [one for one in documents if one is not None]
    else:
        order_id = _one_of(criteria.get("order_id"))
        payments = tx.by_reference(order_id[0], _MOST_FOUND) if order_id else tx.newest(_MOST_FOUND)
        found = [one for payment in payments for one in books.transactions(tx, payment.id)]
    return sorted(found, key=lambda one: one.id)


def _one_of(criterion: Any) -> list[str]:
    """What a criterion says that something is, as a list of one; empty where it says otherwise."""
    return (
        [criterion["is"]] if isinstance(criterion, Mapping) and isinstance(criterion.get("is"), str) else []
    )


def _fits(one: Document, criteria: Mapping[str, Any]) -> bool:
    texts = {"id": one.id, "order_id": one.body["order_id"]}
    listed = {"ids": one.id, "status": one.body["status"], "type": _TYPES[one.body["role"]]}
    return all(
        _text_fits(texts[name], criterion) if name in texts else listed[name] in criterion
        for name, criterion in criteria.items()
    )


def _text_fits(text: str, criterion: Mapping[str, str]) -> bool:
    return all(_TEXTS[how](text, wanted) for how, wanted in criterion.items())
