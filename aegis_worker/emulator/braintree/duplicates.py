"""Whether a sale is the same as another a moment before: …/articles/control-panel/transactions/duplicate-checking."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

from ..rows import Document
from ..transaction import Transaction
from .shapes import KIND

WINDOW_S = 30.0
TWIN = "twin"
# A sale in one of these is none that another could duplicate.
_NOT_APPROVED = frozenset({"failed", "gateway_rejected", "processor_declined", "settlement_declined"})


@dataclass(frozen=True, slots=True)
class Twin:
    """What two sales have to have in common. `amount`: in minor units."""

    merchant: str
    amount: int
    currency: str
    order_id: str
    instrument: str

    @property
    def id(self) -> str:
        """Of the document that knows the latest of them."""
        return f"{TWIN}_{hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:32]}"


def twin_of(tx: Transaction, twin: Twin) -> str:
    """The transaction that a sale would repeat, empty where there is none. One that is still under way counts, too."""
    found = tx.document(TWIN, twin.id)
    if found is None:
        return ""
    first = tx.document(KIND, found.body["transaction"])
    return first.id if first is not None and first.body["status"] not in _NOT_APPROVED else ""


def remember(tx: Transaction, twin: Twin, own_id: str, now: float) -> None:
    """A sale was approved, or is under way; for so long its like are duplicates."""
    tx.put_document(Document(twin.id, TWIN, None, {"transaction": own_id}, now + WINDOW_S))
