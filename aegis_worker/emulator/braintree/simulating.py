"""Settlements that tests ask for: `PUT /transactions/:id/settle` and its like, which Braintree's sandbox alone has."""

from __future__ import annotations

from ..replies import Reply
from ..transaction import Transaction
from .books import BraintreeBooks
from .errors import Refused, xml_reply
from .settling import PENDING, SETTLED, SUBMITTED, comes_to
from .vault import Ask

WAYS = {
    "settle": SETTLED,
    "settlement_confirm": "settlement_confirmed",
    "settlement_decline": "settlement_declined",
    "settlement_pending": PENDING,
}
_SUBMITTED = frozenset({SUBMITTED, PENDING, "settling", "settlement_confirmed"})


def simulate(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """Have a transaction that was submitted come to what is wanted, at once. Raises Bare(404), Refused(422)."""
    own_id, _, way = ask.target.partition("/")
    one = books.transaction_of(tx, ask.merchant, own_id)
    if one.body["status"] not in _SUBMITTED:
        raise Refused("not_settleable")
    after = comes_to(books, tx, one, books.payment_of(tx, one), WAYS[way], ask.now)
    return xml_reply(200, "transaction", books.object(tx, after))
