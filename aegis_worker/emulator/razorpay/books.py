"""The ledger as Razorpay's look-ups show it, and what becomes of payments and refunds by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .. import disputes
from ..books import Books, Options
from ..choosing import Reach
from ..ledger import Ledger
from ..payments import Payment, Status
from ..replies import Reply
from ..rows import Document
from ..script_table import OK
from ..scripts import Script
from ..sending import Wording
from ..transaction import Transaction
from .contests import dispute_object, event_of
from .errors import RazorpayWording, Unavailable, no_such_id
from .events import event
from .settling import note, settle_refund
from .shapes import ACCOUNT, Paid, collection, new_id, order_object, payment_object, refund_object
from .sources import script_of

# How long an account waits for a capture, unless the order says otherwise, before it gives the payer the money back:
# razorpay.com/docs/payments/refunds/auto-refunds.
HOLD_S = 3 * 86_400.0
PAYMENTS_LIMIT, REFUNDS_LIMIT = 100, 200
_HELD_BY_DEFAULT = OK.hold_s


class RazorpayBooks(Books):
    """A payment of the ledger is a payment of Razorpay's; orders, what is known beside payments, and refunds are documents.

    Of its calls only refunds have a key, and what a payer gets from Checkout has no amount. `key_secret`: signs that.
    """

    reach: ClassVar[Reach] = Reach(
        "razorpay",
        frozenset({"create", "charge", "capture", "refund", "look_up"}),
        frozenset({"refund"}),
        {
            "charge": frozenset({"500_unstored", "busy", "other_amount", "other_currency", "other_payment"}),
            "create": frozenset({"500_unstored", "busy"}),
            "capture": frozenset({"500_unstored", "busy"}),
        },
    )
    wording: ClassVar[Wording] = RazorpayWording()

    def __init__(
        self,
        ledger: Ledger,
        options: Options,
        wake_webhooks: Callable[[], None] | None = None,
        *,
        key_secret: str = "",
    ) -> None:
        super().__init__(ledger, options, wake_webhooks)
        self.key_secret = key_secret

    def order(self, tx: Transaction, order_id: str) -> Document:
        """By its id. Raises Refused(400)."""
        found = tx.document("order", order_id)
        if found is None:
            raise no_such_id()
        return found

    def orders_of(self, tx: Transaction, receipt: str) -> list[Document]:
        """The orders with this receipt, oldest first."""
        known = tx.document("receipt", f"receipt:{receipt}")
        return [self.order(tx, order_id) for order_id in known.body["orders"]] if known else []

    def paid(self, tx: Transaction, payment_id: str) -> Paid:
        """A payment that anybody can see. Raises Refused(400)."""
        payment, about = tx.payment(payment_id), tx.document("payment", payment_id)
        if payment is None or about is None or payment.status is Status.UNBORN:
            raise no_such_id()
        return Paid(payment, about.body, self.order(tx, str(about.payment_id)))

    def payments_of(self, tx: Transaction, order_id: str) -> list[Paid]:
        """The payments of an order that anybody can see, oldest first."""
        order = self.order(tx, order_id)
        found = [(tx.payment(one.id), one) for one in tx.documents_of(order_id, "payment", PAYMENTS_LIMIT)]
        return [
            Paid(payment, one.body, order)
            for payment, one in found
            if payment is not None and payment.status is not Status.UNBORN
        ]

    def look_up_order(self, order_id: str) -> Reply:
        """GET /v1/orders/:id."""
        return self._read(lambda tx, now: order_object(self.order(tx, order_id)))

    def find_orders(self, receipt: str, count: int, skip: int) -> Reply:
        """GET /v1/orders, those with the receipt if there is one, newest first."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            if receipt:
                found = self.orders_of(tx, receipt)[::-1]
            else:
                found = tx.documents_of(ACCOUNT, "order", skip + count, newest=True)
            return collection([order_object(one) for one in found[skip : skip + count]])

        return self._read(read)

    def list_payments(self, order_id: str) -> Reply:
        """GET /v1/orders/:id/payments, newest first."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = [one for one in reversed(self.payments_of(tx, order_id)) if not _is_hidden(one, now)]
            return collection([payment_object(one) for one in found])

        return self._read(read)

    def look_up_payment(self, payment_id: str) -> Reply:
        """GET /v1/payments/:id."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            paid = self.paid(tx, payment_id)
            if _is_hidden(paid, now):
                raise no_such_id()
            return payment_object(paid)

        return self._read(read)

    def look_up_refund(self, refund_id: str, payment_id: str = "") -> Reply:
        """GET /v1/refunds/:id, or of a payment's refund."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = tx.document("refund", refund_id)
            if found is None or payment_id not in ("", found.payment_id):
                raise no_such_id()
            return refund_object(found)

        return self._read(read)

    def list_refunds(self, payment_id: str) -> Reply:
        """GET /v1/payments/:id/refunds, newest first."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            self.paid(tx, payment_id)
            found = tx.documents_of(payment_id, "refund", REFUNDS_LIMIT)
            return collection([refund_object(one) for one in reversed(found)])

        return self._read(read)

    def look_up_own_dispute(self, dispute_id: str) -> Reply:
        """GET /v1/disputes/:id."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = tx.document(disputes.KIND, dispute_id)
            if found is None:
                raise no_such_id()
            return dispute_object(found)

        return self._read(read)

    def begin_hold(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Have what has just been authorized given back, unless it is captured in time."""
        if payment.status is Status.AUTHORIZED and payment.due_at is None:
            script, minutes = self.script_of(tx, payment), self._order_of(tx, payment).body["manual_minutes"]
            lasts_s = HOLD_S if minutes is None else minutes * 60.0
            lasts_s = lasts_s if script.hold_s == _HELD_BY_DEFAULT else script.hold_s
            payment.schedule(max(now, payment.created_at + lasts_s), Status.VOIDED)

    def script_of_token(self, tx: Transaction, payment: Payment) -> Script:
        """The script of what the payer paid with."""
        return script_of(payment.token, payment.amount, self.options.name)

    def refunds(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of a payment's refunds that have not failed: pending ones are taken from the payment at once."""
        found = [one.body for one in tx.documents_of(payment.id, "refund", REFUNDS_LIMIT)]
        return [one["amount"] for one in found if one["status"] != "failed" and not one["automatic"]]

    def payment_of(self, order_id: str) -> str:
        """The payment by which an order was paid; empty if it was not, or nobody has it."""
        with self.transaction() as tx:
            found = tx.document("order", order_id)
            return str(found.body["paid_by"]) if found else ""

    def script_of_charge(self, payment: Payment) -> Script:
        """The same, or, where that says nothing, what the faults of the whole instance do to a share of the charges."""
        script = script_of(payment.token, payment.amount, self.options.name)
        return self.faults.script_for_plain_charge() if script is OK else script

    def charge_id(self, tx: Transaction, payment: Payment) -> str:
        """Its order's, which the merchant has made: the payer makes the payments of it, and may make several."""
        return self._order_of(tx, payment).id

    def new_dispute_id(self) -> str:
        """The id of a dispute that is opened now."""
        return new_id("disp")

    def tell(self, tx: Transaction, kind: str, paid: Paid, now: float, **more: Mapping[str, Any]) -> None:
        """Put an event about a payment, and more, in the webhook queue."""
        if self.options.sends_webhooks:
            about = more if "payment" in more else {**more, "payment": payment_object(paid)}
            self.queue_event(tx, event(kind, about, now), now, paid.payment)

    def tell_of_dispute(self, tx: Transaction, before: Document | None, after: Document, now: float) -> None:
        """Put what webhooks say of a change of a dispute in their queue; `before` is None for a new one."""
        paid = self.paid(tx, str(after.payment_id))
        shown = {"payment": payment_object(paid), "dispute": dispute_object(after)}
        self.tell(tx, event_of(before, after), paid, now, **shown)

    def queue_news(self, tx: Transaction, payment: Payment, now: float) -> None:
        """What a payment's change of status makes of its order, and what is told of it."""
        while payment.news:
            kind = payment.news.pop(0)
            about = tx.document("payment", payment.id)
            if about is not None:
                note(self, tx, Paid(payment, about.body, self._order_of(tx, payment)), kind, now)

    def settle_document(self, tx: Transaction, document: Document, now: float) -> None:
        """Make of it what is due: of a refund that is pending or fails after its success, of a dispute."""
        if document.kind == "refund":
            settle_refund(self, tx, self.paid(tx, str(document.payment_id)), document, now)
        else:
            super().settle_document(tx, document, now)

    def _order_of(self, tx: Transaction, payment: Payment) -> Document:
        about = tx.document("payment", payment.id)
        return self.order(tx, str(about.payment_id) if about else "")


def _is_hidden(paid: Paid, now: float) -> bool:
    """Raises Unavailable while look-ups are down."""
    if paid.payment.down_until > now:
        raise Unavailable
    return paid.payment.hidden_until > now
