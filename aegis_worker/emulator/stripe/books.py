"""The ledger as Stripe's look-ups show it, its events, and what becomes of refunds and payers by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..books import SETTLE_LIMIT, Books, Options
from ..ledger import Document, Ledger, Transaction
from ..payments import Payment, Status, new_id
from ..replies import Reply
from .cards import TestCard, by_id
from .errors import Refused, no_such
from .shapes import (
    Intent,
    Place,
    charge_object,
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


class StripeBooks(Books):
    """`livemode`: whether the instance's key is one for real money, as its prefix says."""

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

    def payer_acts(self, intent_id: str, *, passes: bool) -> Intent | None:
        """The payer passed 3-D Secure or failed it. None for an intent that does not exist."""
        with self.transaction() as tx:
            payment, about = tx.payment(intent_id), tx.document("payment_intent", intent_id)
            if payment is None or about is None:
                return None
            if payment.status is Status.REQUIRES_ACTION:
                if not passes:
                    payment.schedule(0, Status.FAILED, "authentication_failed")
                self._settle(tx, payment, time.time())
            return Intent(payment, about.body)

    def settle_due(self, tx: Transaction, now: float) -> None:
        """Carry out what is due at `now`: payments, and refunds that were pending."""
        super().settle_due(tx, now)
        for refund in tx.due_documents(now, SETTLE_LIMIT):
            self._settle_refund(tx, refund, now)

    def _settle_refund(self, tx: Transaction, refund: Document, now: float) -> None:
        ends_as = refund.body["ends_as"]
        failed = {"failure_reason": "declined"} if ends_as == "failed" else {}
        refund = replace(refund, body={**refund.body, "status": ends_as, **failed}, due_at=None)
        tx.put_document(refund)
        payment = tx.payment(str(refund.payment_id))
        if failed and payment is not None:
            payment.refunded -= refund.body["amount"]
            tx.update(payment)
        self.tell(
            tx, "refund.failed" if failed else "refund.updated", refund_object(refund), refund.body, now
        )

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

    def tell(
        self, tx: Transaction, name: str, shown: dict[str, Any], about: dict[str, Any], now: float
    ) -> None:
        """Put an Event about something that is no payment in the webhook queue."""
        if self.options.sends_webhooks:
            self.queue_event(tx, self._event(name, shown, about, now), now)

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
