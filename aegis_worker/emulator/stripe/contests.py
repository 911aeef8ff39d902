"""Evidence for a dispute, and giving it up: `POST /v1/disputes/:id`, `POST /v1/disputes/:id/close`.

The evidence decides: docs.stripe.com/testing#disputes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .. import disputes
from ..transaction import Transaction
from . import forms
from .books import StripeBooks
from .errors import Refused
from .intents import Call
from .shapes import dispute_object

_ENDS = {"winning_evidence": "won", "losing_evidence": "lost"}
_DECIDED_AFTER_S = 1.0


def give_evidence(books: StripeBooks, tx: Transaction, call: Call) -> dict[str, Any]:
    """Hand the evidence to the payer's bank, which decides in a while where it is one of the two words. Raises Refused."""
    forms.check_names(call.form, frozenset({"evidence", "expand", "metadata", "submit"}), frozenset())
    known = books.dispute(tx, call.target, call.account)
    if known.body["status"] in disputes.OVER:
        raise Refused(400, "This dispute is already closed.", "dispute_closed")
    if call.form.get("submit", "true") == "false":
        return dispute_object(known, books.place)
    given = call.form.get("evidence", {})
    ends_as = _ENDS.get(given.get("uncategorized_text", "") if isinstance(given, dict) else "", "")
    dispute = disputes.advanced(known, "under_review")
    if ends_as:
        body = {**dispute.body, "ends_as": ends_as}
        dispute = replace(dispute, body=body, due_at=call.now + _DECIDED_AFTER_S)
    disputes.change(books, tx, known, dispute, call.now)
    return dispute_object(dispute, books.place)


def close_dispute(books: StripeBooks, tx: Transaction, call: Call) -> dict[str, Any]:
    """Give the dispute up: it is lost. Raises Refused."""
    known = books.dispute(tx, call.target, call.account)
    if known.body["status"] in disputes.OVER:
        raise Refused(400, "This dispute is already closed.", "dispute_closed")
    dispute = disputes.advanced(known, "lost")
    disputes.change(books, tx, known, dispute, call.now)
    return dispute_object(dispute, books.place)
