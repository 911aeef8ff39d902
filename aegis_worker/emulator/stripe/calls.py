"""What each POST does to the ledger: create, confirm, capture and cancel an intent, refund it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..books import DISPUTES_LIMIT
from ..demands import demanded
from ..disputes import KIND as DISPUTE
from ..disputes import WITHDRAWN
from ..operations import carry_out
from ..payments import Status, new_id
from ..rows import Document, Operation
from ..scripts import Effect, Script
from ..transaction import Transaction
from . import forms
from .books import StripeBooks
from .cards import TestCard
from .errors import Refused, decline, unexpected_state
from .exemptions import check_exemption
from .intents import FIELDS, REQUIRED, Call, card_in, new_intent, with_terms
from .shapes import Intent, intent_object, refund_object

_REASONS = ("", "duplicate", "fraudulent", "requested_by_customer")
_CANCELLED_FOR = ("", "duplicate", "fraudulent", "requested_by_customer", "abandoned")
_REFUND_ENDS_AFTER_S = 2


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about. `operation`: as the scripts know it."""

    intent: Intent
    card: TestCard | None
    operation: str
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`at`: when it shows, in seconds since 1970, later than now for a late commit."""

    status: int
    body: dict[str, Any]
    at: float


def subject_of(books: StripeBooks, tx: Transaction, call: Call) -> Subject:
    """The intent that the call is about, or makes, with its card. Raises Refused."""
    form = call.form
    forms.check_names(form, FIELDS[call.name], REQUIRED.get(call.name, frozenset()))
    if call.name == "create":
        intent = new_intent(books, tx, call)
        operation = "charge" if forms.truth(form, "confirm") else "create"
    else:
        intent_id = forms.text(form, "payment_intent") if call.name == "refund" else call.target
        intent = books.intent(tx, intent_id, call.account)
        operation = {"confirm": "charge", "cancel": "void"}.get(call.name, call.name)
    if call.name in ("create", "confirm"):
        intent = with_terms(books, tx, intent, call)
    method = intent.about["payment_method"]
    card = books.card(tx, intent.about["test_id"], call.account)[0] if method else None
    return Subject(intent, card, operation, is_new=call.name == "create")


def carry_out_call(
    books: StripeBooks, tx: Transaction, call: Call, subject: Subject, script: Script
) -> Answer:
    """Do it, and keep it. Raises Refused."""
    check_exemption(call.form)
    payment = subject.intent.payment
    captured, refunded = payment.captured, payment.refunded
    if subject.is_new:
        payment.news.append("payment.created")
        tx.add(payment)
    if subject.operation == "charge":
        answer = _confirm(books, tx, call, subject, script)
    elif subject.operation == "create":
        answer = _shown(books, call, subject.intent, call.now)
    else:
        answer = _CALLS[call.name](books, tx, call, subject, script)
    tx.put_document(Document(payment.id, "payment_intent", payment.id, subject.intent.about))
    tx.update(payment)
    error_code = script.code if script.effect is Effect.DECLINE and answer.status >= 400 else ""
    reference = payment.metadata.get("reference", payment.id)
    moved = {"capture": payment.captured - captured, "refund": payment.refunded - refunded}
    amount = moved.get(call.name, payment.amount)
    row = (payment.id, subject.operation, reference, amount, call.key, error_code, answer.at)
    tx.add_operation(Operation(*row))
    books.queue_news(tx, payment, call.now)
    return answer


def _confirm(books: StripeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Answer:
    intent, card = subject.intent, subject.card
    payment = intent.payment
    if payment.status is Status.FAILED and (call.form.get("payment_method") or card_in(call.form)):
        payment.status, payment.error_code = Status.CREATED, ""
    if payment.status is not Status.CREATED:
        message = f"This PaymentIntent's status does not let it be confirmed: {payment.status}."
        raise unexpected_state(message, intent_object(intent, books.place))
    if payment.due_at is not None:
        raise Refused(429, "Another request works on this object.", "lock_timeout")
    if card is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise unexpected_state(message, intent_object(intent, books.place))
    if intent.about.get("request_three_d_secure") in ("any", "challenge"):
        script = demanded(script)
    if script.payer_must_act and (
        intent.about["off_session"] or forms.truth(call.form, "error_on_requires_action")
    ):
        script = replace(script, payer_must_act=False, effect=Effect.DECLINE, code="authentication_required")
    elif card.declined_after:
        script = replace(script, code=card.declined_after)
    done = carry_out("charge", payment, script, None, call.now, False)
    books.begin_hold(tx, payment, call.now)
    if done.error_code:
        error = decline(done.error_code, intent.charge_id)
        return Answer(
            402, {"error": {**error, "payment_intent": intent_object(intent, books.place)}}, call.now
        )
    if payment.due_at == done.at:  # a late commit is answered when it has happened
        later = replace(payment, news=[])
        later.settle()
        intent = Intent(later, intent.about)
    return _shown(books, call, intent, done.at)


def _capture(books: StripeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Answer:
    intent = subject.intent
    payment = intent.payment
    if payment.status is not Status.AUTHORIZED:
        message = f"This PaymentIntent could not be captured because it has a status of {payment.status}."
        raise unexpected_state(message, intent_object(intent, books.place))
    amount = forms.amount(call.form, "amount_to_capture") or payment.authorized - payment.captured
    if amount > payment.authorized - payment.captured:
        raise Refused(400, "amount_to_capture is above what is capturable.", "amount_too_large")
    final = "final_capture" not in call.form or forms.truth(call.form, "final_capture")
    if "final_capture" in call.form and not intent.about["multicapture"]:
        raise Refused(400, "Multicapture was not asked for when this was created.", param="final_capture")
    if script.effect is Effect.DECLINE:
        return _refusal(script, intent, call.now)
    payment.capture(amount, final)
    intent.about["metadata"].update(forms.texts(call.form, "metadata"))
    return _shown(books, call, intent, call.now)


def _cancel(books: StripeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Answer:
    intent = subject.intent
    reason = forms.one_of(call.form, "cancellation_reason", _CANCELLED_FOR)
    if intent.payment.status in (Status.SUCCEEDED, Status.VOIDED, Status.PENDING):
        message = f"You cannot cancel this PaymentIntent because it has a status of {intent.payment.status}."
        raise unexpected_state(message, intent_object(intent, books.place))
    if script.effect is Effect.DECLINE:
        return _refusal(script, intent, call.now)
    intent.payment.void()
    intent.about.update(canceled_at=int(call.now), cancellation_reason=reason or None)
    return _shown(books, call, intent, call.now)


def _ends(card: TestCard | None, script: Script) -> tuple[str, int]:
    """How a refund ends by itself, and after how many seconds; empty where it is done at once."""
    if script.effect in (Effect.PENDING, Effect.TAKE_BACK):
        return "failed" if script.code else "succeeded", script.settle_s
    return card.refunds_end if card else "", _REFUND_ENDS_AFTER_S


def _refund(books: StripeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Answer:
    intent, card = subject.intent, subject.card
    payment = intent.payment
    if payment.status is not Status.SUCCEEDED:
        raise Refused(400, f"This PaymentIntent ({payment.id}) does not have a successful charge to refund.")
    left = payment.captured - payment.refunded
    amount = forms.amount(call.form, "amount") or left
    if not left:
        charge = intent.charge_id
        raise Refused(400, f"Charge {charge} has already been refunded.", "charge_already_refunded")
    if amount > left:
        raise Refused(
            400, f"Refund amount ({amount}) is greater than unrefunded amount ({left})", param="amount"
        )
    if any(one.body["status"] in WITHDRAWN for one in tx.documents_of(payment.id, DISPUTE, DISPUTES_LIMIT)):
        raise Refused(400, f"Charge {intent.charge_id} has been charged back.", "charge_disputed")
    if script.effect is Effect.DECLINE:
        return _refusal(script, intent, call.now)
    payment.refund(amount)
    ends_as, ends_after_s = _ends(card, script)
    body = {
        "account": call.account,
        "amount": amount,
        "created": int(call.now),
        "currency": payment.currency.lower(),
        "ends_as": ends_as,
        "metadata": forms.texts(call.form, "metadata"),
        "reason": forms.one_of(call.form, "reason", _REASONS) or None,
        "status": "pending" if script.effect is Effect.PENDING or ends_as == "succeeded" else "succeeded",
    }
    due_at = call.now + ends_after_s if ends_as else None
    refund = Document(new_id("re"), "refund", payment.id, body, due_at)
    tx.put_document(refund)
    books.tell_of_refund(tx, "refund.created", refund, payment, call.now)
    return Answer(200, refund_object(refund), call.now)


def _refusal(script: Script, intent: Intent, now: float) -> Answer:
    return Answer(402, {"error": decline(script.code, intent.charge_id)}, now)


def _shown(books: StripeBooks, call: Call, intent: Intent, at: float) -> Answer:
    expanded = "latest_charge" in call.form.get("expand", ())
    return Answer(200, intent_object(intent, books.place, expanded=expanded), at)


_CALLS = {"capture": _capture, "cancel": _cancel, "refund": _refund}
