"""What a merchant does about a dispute: …/reference/request/dispute/accept, …/finalize, …/add-text-evidence.

The evidence decides: …/reference/general/testing#disputes.
"""

from __future__ import annotations

from dataclasses import replace

from .. import disputes
from ..replies import Reply
from ..rows import Document
from ..transaction import Transaction
from . import bodies
from .books import BraintreeBooks
from .contests import OPEN, dispute_object, evidence_object
from .errors import Bare, Refused, xml_reply
from .shapes import new_id
from .vault import Ask

_ENDS = {"compelling_evidence": "won", "losing_evidence": "lost"}
_DECIDED_AFTER_S = 1.0


def show(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """GET /disputes/:id. Raises Bare(404)."""
    return xml_reply(200, "dispute", dispute_object(_dispute(tx, ask)))


def accept(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """PUT /disputes/:id/accept: the payer keeps the money. Raises Bare(404), Refused(422)."""
    known = _open(tx, ask, "dispute_accept")
    after = disputes.advanced(known, "accepted")
    _change(books, tx, known, after, ask.now)
    return Reply(200, b"\n")


def finalize(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """PUT /disputes/:id/finalize: the payer's bank decides by the evidence. Raises Bare(404), Refused(422)."""
    known = _open(tx, ask, "dispute_finalize")
    after = disputes.advanced(known, "under_review")
    ends = [_ENDS[one["comment"]] for one in known.body["evidence"] if one["comment"] in _ENDS]
    if ends:
        after = replace(after, body={**after.body, "ends_as": ends[-1]}, due_at=ask.now + _DECIDED_AFTER_S)
    _change(books, tx, known, after, ask.now)
    return Reply(200, b"\n")


def add_evidence(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """POST /disputes/:id/evidence. Raises Bare(404), Refused(422)."""
    known = _open(tx, ask, "evidence_add")
    body = bodies.parse("evidence", ask.raw)
    piece = {
        "id": new_id(),
        "category": bodies.text(body, "category"),
        "comment": bodies.text(body, "comments"),
        "created": ask.now,
    }
    tx.put_document(replace(known, body={**known.body, "evidence": [*known.body["evidence"], piece]}))
    return xml_reply(201, "evidence", evidence_object(piece))


def remove_evidence(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """DELETE /disputes/:id/evidence/:id. Raises Bare(404), Refused(422)."""
    dispute_id, _, evidence_id = ask.target.partition("/evidence/")
    known = _open(tx, replace(ask, target=dispute_id), "evidence_remove")
    left = [one for one in known.body["evidence"] if one["id"] != evidence_id]
    if len(left) == len(known.body["evidence"]):
        raise Bare(404)
    tx.put_document(replace(known, body={**known.body, "evidence": left}))
    return Reply(200, b"\n")


def _dispute(tx: Transaction, ask: Ask) -> Document:
    found = tx.document(disputes.KIND, ask.target)
    if found is None or found.body["merchant"] != ask.merchant:
        raise Bare(404)
    return found


def _open(tx: Transaction, ask: Ask, else_refused: str) -> Document:
    known = _dispute(tx, ask)
    if known.body["status"] not in OPEN:
        raise Refused(else_refused)
    return known


def _change(books: BraintreeBooks, tx: Transaction, before: Document, after: Document, now: float) -> None:
    was_retrieval = before.body["status"] == "warning"
    body = {**after.body, "by_merchant": True, "is_retrieval": was_retrieval}
    disputes.change(books, tx, before, replace(after, body=body), now)
