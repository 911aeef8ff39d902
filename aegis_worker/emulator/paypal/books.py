"""The ledger as PayPal's look-ups show it, and what becomes of orders, captures and refunds by themselves."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import disputes
from ..books import SETTLE_LIMIT, Books
from ..choosing import Reach
from ..payments import Payment, Status
from ..replies import Reply
from ..rows import Document
from ..script_table import OK
from ..scripts import MOVING, Script
from ..sending import Wording
from ..transaction import Transaction
from . import events
from .contests import dispute_object
from .errors import PayPalWording, Refused, Unavailable
from .settling import SETTLED, note, stands
from .shapes import KINDS, SHAPES, Order, new_id, order_object
from .sources import script_of

# How long a hold lasts, and how long PayPal honours it:
# developer.paypal.com/docs/checkout/standard/customize/authorization.
HOLD_S, HONOURED_S = 29 * 86_400.0, 3 * 86_400.0
MOVED_LIMIT = 200
_HELD_BY_DEFAULT = OK.hold_s


class PayPalBooks(Books):
    """An order is a payment of the ledger; what it holds, takes and gives back are documents."""

    reach: ClassVar[Reach] = Reach(
        "paypal",
        frozenset({"create", "authenticate", "charge", "capture", "void", "refund", "look_up"}),
        MOVING,
    )
    wording: ClassVar[Wording] = PayPalWording()

    def order(self, tx: Transaction, order_id: str) -> Order:
        """By its id. Raises Refused(404)."""
        payment, about = tx.payment(order_id), tx.document("order", order_id)
        if payment is None or about is None or payment.status is Status.UNBORN:
            raise Refused("INVALID_RESOURCE_ID")
        return Order(payment, about.body, self.moved(tx, order_id))

    def moved(self, tx: Transaction, order_id: str) -> dict[str, list[Document]]:
        """What was made of an order, by kind."""
        return {kind: tx.documents_of(order_id, kind, MOVED_LIMIT) for kind in KINDS}

    def part(self, tx: Transaction, kind: str, part_id: str) -> tuple[Document, Order]:
        """An authorization, capture or refund by its id, with its order. Raises Refused(404)."""
        found = tx.document(kind, part_id)
        if found is None:
            raise Refused("INVALID_RESOURCE_ID")
        return found, self.order(tx, str(found.payment_id))

    def script_of_source(self, payment: Payment, about: dict[str, Any]) -> Script:
        """The script of what pays an order. Raises Refused(422)."""
        found = script_of(about["token"], payment.amount, self.options.name)
        if found is None:
            raise Refused("TOKEN_ID_NOT_FOUND")
        return found

    def object(self, tx: Transaction, kind: str, object_id: str) -> dict[str, Any]:
        """An order, authorization, capture or refund as it is now. Raises Refused(404)."""
        if kind == "order":
            return order_object(self.order(tx, object_id), self.options.base_url)
        return SHAPES[kind](self.part(tx, kind, object_id)[0], self.options.base_url)

    def look_up_object(self, kind: str, object_id: str) -> Reply:
        """GET of one of them."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            order_id = object_id if kind == "order" else str(self.part(tx, kind, object_id)[0].payment_id)
            payment = self.order(tx, order_id).payment
            if payment.down_until > now:
                raise Unavailable
            if payment.hidden_until > now:
                raise Refused("INVALID_RESOURCE_ID")
            return self.object(tx, kind, object_id)

        return self._read(read)

    def look_up_own_dispute(self, dispute_id: str) -> Reply:
        """GET /v1/customer/disputes/{id}."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = tx.document(disputes.KIND, dispute_id)
            if found is None:
                raise Refused("INVALID_RESOURCE_ID")
            return dispute_object(found, self.options.base_url)

        return self._read(read)

    def list_disputes(self, capture_id: str) -> Reply:
        """GET /v1/customer/disputes?disputed_transaction_id=CAPTURE, oldest first."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            capture = tx.document("capture", capture_id)
            order_id = str(capture.payment_id) if capture else ""
            found = tx.documents_of(order_id, disputes.KIND, SETTLE_LIMIT)
            ours = [one for one in found if one.body["capture"] == capture_id]
            return {"items": [dispute_object(one, self.options.base_url) for one in ours], "links": []}

        return self._read(read)

    def begin_hold(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Have what has just been held released by itself, in its time."""
        if payment.status is Status.AUTHORIZED and payment.due_at is None:
            script = self.script_of(tx, payment)
            lasts_s = HOLD_S if script.hold_s == _HELD_BY_DEFAULT else script.hold_s
            payment.schedule(now + lasts_s, Status.VOIDED)

    def script_of_token(self, tx: Transaction, payment: Payment) -> Script:
        """The script of what pays the order."""
        about = tx.document("order", payment.id)
        return OK if about is None else self.script_of_source(payment, about.body)

    def captures(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of a hold's captures that were not denied."""
        found = tx.documents_of(payment.id, "capture", MOVED_LIMIT)
        of_holds = [one.body for one in found if one.body["authorization"]]
        return [body["amount"] for body in of_holds if body["status"] != "DECLINED"]

    def refunds(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of an order's refunds that have not failed: pending ones are taken from the capture at once."""
        found = tx.documents_of(payment.id, "refund", MOVED_LIMIT)
        return [one.body["amount"] for one in found if one.body["status"] != "FAILED"]

    def new_dispute_id(self) -> str:
        """The id of a dispute that is opened now."""
        return f"PP-D-{new_id()}"

    def of_account(self, tx: Transaction, payment: Payment) -> dict[str, Any]:
        """The capture that a dispute is about: the newest that stands."""
        captures = [one for one in tx.documents_of(payment.id, "capture", MOVED_LIMIT) if stands(one)]
        return {
            "capture": captures[-1].id if captures else "",
            "custom_id": payment.merchant_payment_id or "",
        }

    def dispute_events(self, before: Document | None, after: Document, now: float) -> list[dict[str, Any]]:
        """The one event of the change."""
        return [events.of_dispute(before, after, self.options.base_url, now)]

    def tell(self, tx: Transaction, kind: str, document: Document, now: float) -> None:
        """Put an event about an authorization, capture or refund in the webhook queue."""
        if self.options.sends_webhooks:
            payment = tx.payment(str(document.payment_id))
            self.queue_event(tx, events.of_part(kind, document, self.options.base_url, now), now, payment)

    def tell_of_order(self, tx: Transaction, kind: str, order: Order, now: float) -> None:
        """Put an event about an order in the webhook queue."""
        if self.options.sends_webhooks:
            event = events.of_order(kind, order, self.options.base_url, now)
            self.queue_event(tx, event, now, order.payment)

    def queue_news(self, tx: Transaction, payment: Payment, now: float) -> None:
        """What an order's change of status makes of its authorization or capture, and what is told of it."""
        news, payment.news = payment.news, []
        for kind in news:
            about = tx.document("order", payment.id)
            if about is not None:
                note(self, tx, Order(payment, about.body, self.moved(tx, payment.id)), kind, now)

    def settle_document(self, tx: Transaction, document: Document, now: float) -> None:
        """Make of it what is due: of a capture or refund that is pending or is undone after its success, of a dispute."""
        if document.kind in SETTLED:
            payment = tx.payment(str(document.payment_id))
            if payment is not None:
                SETTLED[document.kind](self, tx, document, payment, now)
        else:
            super().settle_document(tx, document, now)
