"""The ledger with what Adyen tells of it, and what becomes of captures, cancels and refunds once they were taken in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from .. import disputes
from ..books import SETTLE_LIMIT, Books
from ..choosing import Reach
from ..payments import Payment, Status
from ..rows import Document, Operation
from ..script_table import OK
from ..scripts import MOVING, Effect, Script
from ..sending import Wording
from ..transaction import Transaction
from .cards import TestCard, by_token
from .errors import AdyenWording, reason_of
from .shapes import Charge, Told, item, new_psp

# How long after it was taken in a change is decided.
DECIDED_AFTER_S = 0.2
CHANGES_LIMIT = 1000
_AUTHORISED = frozenset({"payment.authorized", "payment.succeeded"})
_CODES = {"capture": "CAPTURE", "cancel": "CANCELLATION", "refund": "REFUND"}
_UNDONE = {
    (Effect.TAKE_BACK, "capture"): "CAPTURE_FAILED",
    (Effect.TAKE_BACK, "refund"): "REFUND_FAILED",
    (Effect.SEND_BACK, "refund"): "REFUNDED_REVERSED",
}
# As the ledger calls them.
_OPERATIONS = {"capture": "capture", "cancel": "void", "refund": "refund"}
_DISPUTES = {
    "warning": "REQUEST_FOR_INFORMATION",
    "needs_response": "NOTIFICATION_OF_CHARGEBACK",
    "under_review": "INFORMATION_SUPPLIED",
    "accepted": "DISPUTE_DEFENSE_PERIOD_ENDED",
    "won": "PREARBITRATION_WON",
    "lost": "SECOND_CHARGEBACK",
}
_TOO_MUCH, _OUT_OF_TURN = "Insufficient balance on payment", "Transaction in invalid state"


class AdyenBooks(Books):
    """A payment's document (`payment`) says whose it is, and each change (`change`) is one of its own."""

    reach: ClassVar[Reach] = Reach(
        "adyen", frozenset({"charge", "confirm", "capture", "void", "refund"}), MOVING
    )
    wording: ClassVar[Wording] = AdyenWording()

    def charge(self, tx: Transaction, payment_id: str, account: str | None = None) -> Charge | None:
        """By Adyen's reference. None for nobody's, and for another account's where one is named."""
        payment, about = tx.payment(payment_id), tx.document("payment", payment_id)
        if payment is None or about is None or account not in (None, about.body["account"]):
            return None
        return Charge(payment, about.body)

    def charge_by_reference(self, tx: Transaction, reference: str, account: str) -> Charge | None:
        """The newest charge under the merchant's reference."""
        found = [self.charge(tx, payment.id, account) for payment in tx.by_reference(reference, SETTLE_LIMIT)]
        ours = [charge for charge in found if charge is not None]
        return ours[-1] if ours else None

    def card(self, charge: Charge) -> TestCard:
        """What the charge is paid with."""
        payment = charge.payment
        return by_token(payment.token, payment.amount, self.options.name) or TestCard()

    def queue_news(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Of a charge AUTHORISATION is told, once it is approved or refused; of what follows, its own event."""
        news, payment.news = payment.news, []
        charge = self.charge(tx, payment.id)
        if charge is None:
            return
        for kind in news:
            if kind in _AUTHORISED or kind == "payment.failed":
                reason = "" if kind in _AUTHORISED else reason_of(payment.error_code).text
                self.tell(
                    tx,
                    charge,
                    Told(
                        "AUTHORISATION",
                        payment.id,
                        payment.reference,
                        payment.amount,
                        kind in _AUTHORISED,
                        reason=reason,
                    ),
                    now,
                )
        if "payment.voided" in news:
            self.tell(
                tx,
                charge,
                Told("EXPIRE", new_psp(), payment.reference, payment.amount, original=payment.id),
                now,
            )
        if "payment.succeeded" in news:
            disputes.contest(self, tx, payment, now)
        undone = undone_by(self.script_of(tx, payment), "capture")
        if "payment.succeeded" in news and undone:
            self._undo_later(tx, charge, undone, now)

    def tell(self, tx: Transaction, charge: Charge, told: Told, now: float) -> None:
        """Put an item of a notification in the queue."""
        if self.options.sends_webhooks:
            event = item(charge.about["account"], charge.payment.currency, told, now)
            self.queue_event(tx, event, now, charge.payment)

    def queue_event(
        self, tx: Transaction, event: dict[str, Any], now: float, payment: Payment | None
    ) -> None:
        """Put an item of a notification in the webhook queue."""
        self.queue_webhook(tx, f"{event['pspReference']}:{event['eventCode']}", event, now, payment)

    def settle_document(self, tx: Transaction, document: Document, now: float) -> None:
        """Make of it what is due: of a change that was taken in, or has succeeded and fails late, or of a dispute."""
        charge = self.charge(tx, str(document.payment_id))
        if document.kind != "change" or charge is None:
            super().settle_document(tx, document, now)
        else:
            (self._undo if document.body["done"] else self._decide)(tx, charge, document, now)

    def captures(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of a hold's captures that were carried out and have not failed since."""
        return self._carried_out(tx, payment, "capture")

    def refunds(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of a payment's refunds that were carried out and have not failed since."""
        return self._carried_out(tx, payment, "refund")

    def _carried_out(self, tx: Transaction, payment: Payment, what: str) -> list[int]:
        changes = [one.body for one in tx.documents_of(payment.id, "change", CHANGES_LIMIT)]
        return [body["amount"] for body in changes if body["what"] == what and body["stands"]]

    def script_of_token(self, tx: Transaction, payment: Payment) -> Script:
        """The script of the stored card."""
        card = by_token(payment.token, payment.amount, self.options.name)
        return OK if card is None else card.script

    def of_account(self, tx: Transaction, payment: Payment) -> dict[str, Any]:
        """The merchant account that the payment is of."""
        charge = self.charge(tx, payment.id)
        return {"account": charge.about["account"] if charge is not None else ""}

    def dispute_events(self, before: Document | None, after: Document, now: float) -> list[dict[str, Any]]:
        """An item of a notification; none for a status that Adyen does not tell of."""
        body = after.body
        if body["status"] not in _DISPUTES:
            return []
        code = _DISPUTES[body["status"]]
        told = Told(code, after.id, body["reference"], body["amount"], original=str(after.payment_id))
        return [item(body["account"], body["currency"], told, now)]

    def _decide(self, tx: Transaction, charge: Charge, change: Document, now: float) -> None:
        payment, body = charge.payment, change.body
        refused = body["refused"] or _APPLIED[body["what"]](payment, body["amount"])
        payment.news.clear()
        tx.update(payment)
        reference = body["reference"] or payment.reference
        error = "refused" if refused else ""
        row = (payment.id, _OPERATIONS[body["what"]], reference, body["amount"], body["key"], error, now)
        tx.add_operation(Operation(*row))
        code = "TECHNICAL_CANCEL" if body["by_reference"] else _CODES[body["what"]]
        told = Told(code, change.id, reference, body["amount"], not refused, payment.id, refused)
        self.tell(tx, charge, told, now)
        due_at = now + body["undone_after_s"] if body["undone_as"] and not refused else None
        if body["what"] == "capture" and not refused:
            disputes.contest(self, tx, payment, now)
        tx.put_document(replace(change, body={**body, "done": True, "stands": not refused}, due_at=due_at))

    def _undo(self, tx: Transaction, charge: Charge, change: Document, now: float) -> None:
        payment, body = charge.payment, change.body
        if body["what"] == "capture":
            payment.captured = max(payment.captured - body["amount"], payment.refunded)
        else:
            payment.refunded -= body["amount"]
        tx.update(payment)
        reference = body["reference"] or payment.reference
        self.tell(
            tx,
            charge,
            Told(
                body["undone_as"], change.id, reference, body["amount"], original=payment.id, reason="Failed"
            ),
            now,
        )
        tx.put_document(replace(change, body={**body, "stands": False}, due_at=None))

    def _undo_later(self, tx: Transaction, charge: Charge, undone: dict[str, Any], now: float) -> None:
        """The capture that came with the charge fails a while later."""
        payment = charge.payment
        body = new_change("capture", payment.amount, payment.reference, None) | {"done": True} | undone
        tx.put_document(Document(new_psp(), "change", payment.id, body, now + undone["undone_after_s"]))


def new_change(
    what: str,
    amount: int,
    reference: str,
    key: str | None,
    *,
    refused: str = "",
    by_reference: bool = False,
) -> dict[str, Any]:
    """A change that was taken in. `refused`: what it will be refused for, whatever the payment's state. `stands`: it was
    carried out and has not failed since.
    """
    return {
        "what": what,
        "amount": amount,
        "reference": reference,
        "refused": refused,
        "by_reference": by_reference,
        "key": key,
        "done": False,
        "stands": False,
        "undone_as": "",
        "undone_after_s": 0,
    }


def undone_by(script: Script, what: str) -> dict[str, Any]:
    """By which event a change fails after its success, and how many seconds after it; empty where none does."""
    code = _UNDONE.get((script.effect, what))
    if code is None or _OPERATIONS[what] not in script.acts_on:
        return {}
    return {"undone_as": code, "undone_after_s": script.settle_s}


def _capture(payment: Payment, amount: int) -> str:
    """A capture releases the rest, as at accounts without multiple partial captures. Returns why it is refused."""
    if payment.status is not Status.AUTHORIZED:
        return _OUT_OF_TURN
    if amount > payment.authorized - payment.captured:
        return _TOO_MUCH
    payment.capture(amount, final=True)
    return ""


def _cancel(payment: Payment, amount: int) -> str:
    if payment.status not in (Status.AUTHORIZED, Status.REQUIRES_ACTION):
        return _OUT_OF_TURN
    payment.void()
    return ""


def _refund(payment: Payment, amount: int) -> str:
    if payment.status is not Status.SUCCEEDED:
        return "Transaction hasn't been captured, refund not possible"
    if amount > payment.captured - payment.refunded:
        return _TOO_MUCH
    payment.refund(amount)
    return ""


_APPLIED = {"capture": _capture, "cancel": _cancel, "refund": _refund}
