"""The ledger as Stripe's look-ups show it, its events, and what becomes of refunds and payers by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from .. import disputes
from ..books import DISPUTES_LIMIT, Books, Options
from ..choosing import Reach
from ..ledger import Ledger
from ..payments import Payment, new_id
from ..replies import Reply
from ..rows import Document
from ..script_table import OK
from ..scripts import Script
from ..sending import Wording
from ..transaction import Transaction
from .cards import TestCard, by_id
from .errors import Refused, StripeWording, no_such
from .shapes import (
    Intent,
    Place,
    charge_object,
    dispute_object,
    intent_object,
    list_object,
    method_object,
    refund_object,
)

API_VERSION = "2026-10-28.endive"
REFUNDS_LIMIT = 100
_EVENTS = {
    "payment.created": "payment_intent.created",
    "payment.requires_action": "payment_intent.requires_action",
    "payment.pending": "payment_intent.processing",
    "payment.authorized": "payment_intent.amount_capturable_updated",
    "payment.captured": "payment_intent.amount_capturable_updated",
    "payment.succeeded": "payment_intent.succeeded",
    "payment.failed": "payment_intent.payment_failed",
    "payment.voided": "payment_intent.canceled",
    "payment.refunded": "charge.refunded",
}
_DISPUTE_EVENTS = {
    "dispute.opened": "charge.dispute.created",
    "dispute.updated": "charge.dispute.updated",
    "dispute.closed": "charge.dispute.closed",
}


class StripeBooks(Books):
    """`livemode`: whether the instance's key is one for real money, as its prefix says."""

    reach: ClassVar[Reach] = Reach(
        "stripe",
        frozenset({"create", "charge", "capture", "void", "refund", "look_up"}),
        frozenset({"refund"}),
    )
    wording: ClassVar[Wording] = StripeWording()

    def __init__(
        self,
        ledger: Ledger,
        options: Options,
        wake_webhooks: Callable[[], None] | None = None,
        *,
        livemode: bool = False,
    ) -> None:
        super().__init__(ledger, options, wake_webhooks)
        self.place = Place(options.base_url, livemode)

    def intent(self, tx: Transaction, intent_id: str, account: str) -> Intent:
        """An intent of this account. Raises Refused(404)."""
        payment, about = tx.payment(intent_id), tx.document("payment_intent", intent_id)
        if payment is None or about is None or about.body["account"] != account:
            raise no_such("payment_intent", intent_id, "intent")
        return Intent(payment, about.body)

    def card(self, tx: Transaction, method_id: str, account: str) -> tuple[TestCard, str | None]:
        """A payment method's card, and the customer that it is saved with. Raises Refused(400)."""
        saved = tx.document("payment_method", method_id)
        if saved is not None and saved.body["account"] == account:
            method_id, customer = saved.body["test_id"], saved.body["customer"]
        else:
            customer = None
        card = by_id(method_id, self.options.name)
        if card is None:
            raise no_such("PaymentMethod", method_id, "payment_method", 400)
        return card, customer

    def look_up_intent(self, intent_id: str, account: str, *, expanded: bool) -> Reply:
        """GET /v1/payment_intents/:id."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            intent = self.intent(tx, intent_id, account)
            if intent.payment.down_until > now:
                raise Refused(503, "Look-ups are down.", kind="api_error")
            if intent.payment.hidden_until > now:
                raise no_such("payment_intent", intent_id, "intent")
            return intent_object(intent, self.place, expanded=expanded)

        return self._read(read)

    def look_up_refund(self, refund_id: str, account: str) -> Reply:
        """GET /v1/refunds/:id."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            refund = tx.document("refund", refund_id)
            if refund is None or refund.body["account"] != account:
                raise no_such("refund", refund_id, "id")
            return refund_object(refund)

        return self._read(read)

    def list_refunds(self, intent_id: str, account: str) -> Reply:
        """GET /v1/refunds?payment_intent=:id, newest first."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = tx.documents_of(intent_id, "refund", REFUNDS_LIMIT) if intent_id else []
            ours = [refund_object(refund) for refund in reversed(found) if refund.body["account"] == account]
            return list_object("/v1/refunds", ours, has_more=False)

        return self._read(read)

    def refunds(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of an intent's refunds that have not failed: pending ones are taken from the charge at once."""
        found = tx.documents_of(payment.id, "refund", REFUNDS_LIMIT)
        return [refund.body["amount"] for refund in found if refund.body["status"] != "failed"]

    def look_up_method(self, method_id: str, account: str) -> Reply:
        """GET /v1/payment_methods/:id."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            card, customer = self.card(tx, method_id, account)
            return method_object(method_id, card.brand, card.last4, customer, self.place)

        return self._read(read)

    def payer_of(self, intent_id: str, *, passes: bool) -> Intent | None:
        """The intent, after its payer passed 3-D Secure or failed it. None for one that does not exist."""
        payment = self.payer_acts(intent_id, passes=passes)
        with self.transaction() as tx:
            about = tx.document("payment_intent", intent_id)
        return None if payment is None or about is None else Intent(payment, about.body)

    def settle_document(self, tx: Transaction, document: Document, now: float) -> None:
        """Make of it what is due: of a refund that was pending, or a dispute."""
        if document.kind == "refund":
            self._settle_refund(tx, document, now)
        else:
            super().settle_document(tx, document, now)

    def script_of_token(self, tx: Transaction, payment: Payment) -> Script:
        """The script of the intent's card."""
        about = tx.document("payment_intent", payment.id)
        card = by_id(about.body["test_id"], self.options.name) if about and about.body["test_id"] else None
        return card.script if card else OK

    def of_account(self, tx: Transaction, payment: Payment) -> dict[str, Any]:
        """The account that the intent is of."""
        about = tx.document("payment_intent", payment.id)
        return {"account": about.body["account"] if about else ""}

    def tell_of_dispute(self, tx: Transaction, before: Document | None, after: Document, now: float) -> None:
        """The charge shows from now on that it was disputed."""
        about = tx.document("payment_intent", str(after.payment_id))
        if about is not None:
            tx.put_document(replace(about, body={**about.body, "disputed": True}))
        super().tell_of_dispute(tx, before, after, now)

    def dispute_events(self, before: Document | None, after: Document, now: float) -> list[dict[str, Any]]:
        """The change itself, and the funds that move with it: docs.stripe.com/api/events/types."""
        kind = disputes.kind_of(before, after)
        names = [_DISPUTE_EVENTS[kind]]
        had_it = before is None or before.body["status"] not in disputes.WITHDRAWN
        has_it = after.body["status"] not in disputes.WITHDRAWN
        if had_it != has_it:
            names.append(f"charge.dispute.funds_{'reinstated' if has_it else 'withdrawn'}")
        return [self._event(name, dispute_object(after, self.place), after.body, now) for name in names]

    def look_up_own_dispute(self, dispute_id: str, account: str) -> Reply:
        """GET /v1/disputes/:id."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            return dispute_object(self.dispute(tx, dispute_id, account), self.place)

        return self._read(read)

    def list_disputes(self, intent_id: str, account: str) -> Reply:
        """GET /v1/disputes?payment_intent=:id, newest first."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = tx.documents_of(intent_id, disputes.KIND, DISPUTES_LIMIT) if intent_id else []
            ours = [
                dispute_object(one, self.place) for one in reversed(found) if one.body["account"] == account
            ]
            return list_object("/v1/disputes", ours, has_more=False)

        return self._read(read)

    def dispute(self, tx: Transaction, dispute_id: str, account: str) -> Document:
        """A dispute of this account. Raises Refused(404)."""
        found = tx.document(disputes.KIND, dispute_id)
        if found is None or found.body["account"] != account:
            raise no_such("dispute", dispute_id, "dispute")
        return found

    def _settle_refund(self, tx: Transaction, refund: Document, now: float) -> None:
        ends_as = refund.body["ends_as"]
        failed = {"failure_reason": "declined"} if ends_as == "failed" else {}
        refund = replace(refund, body={**refund.body, "status": ends_as, **failed}, due_at=None)
        tx.put_document(refund)
        payment = tx.payment(str(refund.payment_id))
        if payment is None:
            raise AssertionError("unreachable: refunds are of payments")
        if failed:
            payment.refunded -= refund.body["amount"]
            tx.update(payment)
        self.tell_of_refund(tx, "refund.failed" if failed else "refund.updated", refund, payment, now)

    def event(self, tx: Transaction, payment: Payment, kind: str, now: float) -> dict[str, Any]:
        """An Event about the intent, or about its charge."""
        document = tx.document("payment_intent", payment.id)
        about = document.body if document else {}
        intent, name = Intent(payment, about), _EVENTS[kind]
        shown = (
            charge_object(intent, self.place)
            if name.startswith("charge.")
            else intent_object(intent, self.place)
        )
        return self._event(name, shown, about, now)

    def tell_of_refund(
        self, tx: Transaction, name: str, refund: Document, payment: Payment, now: float
    ) -> None:
        """Put an Event about a refund of the payment in the webhook queue."""
        if self.options.sends_webhooks:
            event = self._event(name, refund_object(refund), refund.body, now)
            self.queue_event(tx, event, now, payment)

    def _event(self, name: str, shown: dict[str, Any], about: dict[str, Any], now: float) -> dict[str, Any]:
        account = {"account": about["account"]} if about.get("account") else {}
        return {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": int(now),
            "data": {"object": shown},
            "livemode": self.place.livemode,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": name,
            **account,
        }
