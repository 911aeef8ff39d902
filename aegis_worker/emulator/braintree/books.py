"""The ledger as Braintree's look-ups show it, and what becomes of transactions by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from .. import disputes
from ..books import Books
from ..choosing import Reach
from ..payments import Payment, Status
from ..replies import Refusal, Reply
from ..rows import Document
from ..script_table import OK, TABLE
from ..scripts import MOVING, Script
from ..sending import Wording
from ..transaction import Transaction
from . import events
from .contests import dispute_object
from .duplicates import TWIN
from .errors import Bare, BraintreeWording, xml_reply
from .instruments import kept, script_of
from .settling import BACK, note, settle
from .shapes import KIND, PART, REFUND, Family, new_id, transaction_object

MOVED_LIMIT = 200
_HELD_BY_DEFAULT = OK.hold_s


class BraintreeBooks(Books):
    """A sale is a payment of the ledger; it, its parts and its refunds are documents, each a transaction of Braintree's."""

    reach: ClassVar[Reach] = Reach(
        "braintree",
        frozenset({"charge", "capture", "void", "refund", "look_up"}),
        MOVING,
        # The payer's challenge takes place in the browser, before the call.
        without={"charge": frozenset(script.name for script in TABLE if script.payer_must_act)},
    )
    wording: ClassVar[Wording] = BraintreeWording()

    def transaction_of(self, tx: Transaction, merchant: str, own_id: str) -> Document:
        """One of the merchant's, by its id. Raises Bare(404)."""
        found = tx.document(KIND, own_id)
        if found is None or found.body["merchant"] != merchant:
            raise Bare(404)
        payment = self.payment_of(tx, found)
        if payment.status is Status.UNBORN:
            raise Bare(404)
        return found

    def payment_of(self, tx: Transaction, document: Document) -> Payment:
        """What a transaction or a dispute is about, in the ledger."""
        payment = tx.payment(str(document.payment_id))
        if payment is None:
            raise AssertionError("unreachable: transactions are of payments")
        return payment

    def family(self, tx: Transaction, one: Document) -> Family:
        """A transaction with its parts, refunds and disputes."""
        others = self.transactions(tx, str(one.payment_id))
        ours = [other for other in others if other.body["parent"] == one.id]
        parts = [other for other in ours if other.body["role"] == PART]
        refunds = [other for other in ours if other.body["role"] == REFUND]
        found = tx.documents_of(str(one.payment_id), disputes.KIND, MOVED_LIMIT)
        contests = [dispute_object(dispute) for dispute in found if dispute.body["transaction"] == one.id]
        return Family(one, parts, refunds, contests)

    def transactions(self, tx: Transaction, payment_id: str) -> list[Document]:
        """Those of a payment, oldest first."""
        return tx.documents_of(payment_id, KIND, MOVED_LIMIT)

    def object(self, tx: Transaction, one: Document) -> dict[str, Any]:
        """A transaction as it is now."""
        return transaction_object(self.family(tx, one))

    def is_seen(self, tx: Transaction, one: Document, now: float) -> bool:
        """Whether look-ups and searches show it. Raises Bare(503)."""
        payment = self.payment_of(tx, one)
        if payment.down_until > now:
            raise Bare(503)
        return payment.status is not Status.UNBORN and payment.hidden_until <= now

    def look_up_transaction(self, merchant: str, own_id: str) -> Reply:
        """GET of one."""

        def read(tx: Transaction, now: float) -> Reply:
            one = self.transaction_of(tx, merchant, own_id)
            if not self.is_seen(tx, one, now):
                raise Bare(404)
            return xml_reply(200, "transaction", self.object(tx, one))

        return self.read_xml(read)

    def read_xml(self, read: Callable[[Transaction, float], Reply]) -> Reply:
        """What `read` answers once all that is due was carried out, or how the instance's faults have it."""
        faults = self.faults.now
        try:
            with self.transaction() as tx:
                now = self.now()
                self.settle_due(tx, now)
                reply = read(tx, now)
        except Refusal as refusal:
            reply = refusal.reply
        if faults.refuse_all or faults.status_down:
            reply = self.wording.unavailable()
        return replace(reply, after_s=faults.latency_ms / 1000)

    def begin_hold(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Have what has just been held released by itself, in its time."""
        sale = tx.document(KIND, payment.id)
        if sale is not None and payment.status is Status.AUTHORIZED and payment.due_at is None:
            script = self.script_of(tx, payment)
            by_default = script.hold_s == _HELD_BY_DEFAULT
            lasts_s = kept(sale.body["instrument"]).hold_s if by_default else script.hold_s
            payment.schedule(now + lasts_s, Status.VOIDED)

    def script_of_token(self, tx: Transaction, payment: Payment) -> Script:
        """The script of what pays."""
        return script_of(payment.token, payment.amount, self.options.name) or OK

    def captures(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of what was submitted of a hold, each by itself, and was not declined."""
        if payment.capture_method == "automatic":
            return []
        taken = [one.body for one in self.transactions(tx, payment.id) if one.body["taken"]]
        return [body["taken"] for body in taken]

    def refunds(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts that were given back and have not failed: refunds, and what was voided after it was submitted."""
        given = [one.body for one in self.transactions(tx, payment.id)]
        refunds = [body["amount"] for body in given if body["role"] == REFUND and body["status"] not in BACK]
        voided = [body["taken"] for body in given if body["role"] != REFUND and body["status"] == "voided"]
        return [amount for amount in refunds + voided if amount]

    def new_dispute_id(self) -> str:
        """The id of a dispute that is opened now."""
        return new_id()

    def of_account(self, tx: Transaction, payment: Payment) -> dict[str, Any]:
        """The transaction that a dispute is about: the newest of which something was taken."""
        found = [one for one in self.transactions(tx, payment.id) if one.body["taken"]]
        one = found[-1] if found else None
        return {
            "account": one.body["account"] if one else "",
            "evidence": [],
            "merchant": one.body["merchant"] if one else "",
            "order_id": one.body["order_id"] if one else "",
            "transaction": one.id if one else "",
            "transaction_amount": one.body["amount"] if one else 0,
        }

    def dispute_events(self, before: Document | None, after: Document, now: float) -> list[dict[str, Any]]:
        """The one event of the change."""
        return [events.of_dispute(before, after)]

    def tell(self, tx: Transaction, kind: str, one: Document, now: float) -> None:
        """Put an event about a transaction in the webhook queue."""
        if self.options.sends_webhooks:
            payment = self.payment_of(tx, one)
            self.queue_event(tx, events.of_transaction(kind, self.object(tx, one)), now, payment)

    def queue_news(self, tx: Transaction, payment: Payment, now: float) -> None:
        """What a payment's change of status makes of its transaction."""
        news, payment.news = payment.news, []
        for kind in news:
            sale = tx.document(KIND, payment.id)
            if sale is not None:
                note(self, tx, sale, payment, kind, now)

    def settle_document(self, tx: Transaction, document: Document, now: float) -> None:
        """Make of it what is due: a transaction goes on by itself, its like are no duplicates any more, a dispute ends."""
        if document.kind == KIND:
            settle(self, tx, document, self.payment_of(tx, document), now)
        elif document.kind == TWIN:
            tx.drop_document(document.id)
        else:
            super().settle_document(tx, document, now)
