"""What each POST does to the ledger: create, confirm, capture and cancel an intent, refund it, save a payment method."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..ledger import Document, Operation, Transaction
from ..operations import carry_out
from ..payments import Payment, Status, new_id
from ..scripts import Effect, Script
from . import forms
from .books import StripeBooks
from .cards import TestCard
from .errors import Refused, decline, unexpected_state
from .shapes import Intent, intent_object, refund_object

_CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
_REASONS = ("", "duplicate", "fraudulent", "requested_by_customer")
_CANCELLED_FOR = ("", "duplicate", "fraudulent", "requested_by_customer", "abandoned")
_REFUND_ENDS_AFTER_S = 2
_ON_CONFIRM = (
    "confirmation_token error_on_requires_action expand mandate mandate_data off_session payment_method"
    " payment_method_data payment_method_options receipt_email return_url setup_future_usage shipping use_stripe_sdk"
)
_ON_CREATE = (
    "allowed_payment_method_types amount automatic_payment_methods capture_method confirm currency customer description"
    " metadata payment_method_types statement_descriptor statement_descriptor_suffix"
)
FIELDS = {
    "create": frozenset(f"{_ON_CONFIRM} {_ON_CREATE}".split()),
    "confirm": frozenset(f"{_ON_CONFIRM} capture_method".split()),
    "capture": frozenset(
        {"amount_to_capture", "expand", "final_capture", "metadata", "statement_descriptor_suffix"}
    ),
    "cancel": frozenset({"cancellation_reason", "expand"}),
    "refund": frozenset({"amount", "expand", "metadata", "payment_intent", "reason"}),
}
REQUIRED = {"create": frozenset({"amount", "currency"}), "refund": frozenset({"payment_intent"})}


@dataclass(frozen=True, slots=True)
class Call:
    """One POST. `target`: the id in its path. `account`: that of Stripe-Account, empty for the key's own."""

    name: str
    target: str
    form: Mapping[str, Any]
    account: str
    key: str | None
    request_hash: bytes
    now: float


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
        intent = _new_intent(books, tx, call)
        operation = "charge" if forms.truth(form, "confirm") else "create"
    else:
        intent_id = forms.text(form, "payment_intent") if call.name == "refund" else call.target
        intent = books.intent(tx, intent_id, call.account)
        operation = {"confirm": "charge", "cancel": "void"}.get(call.name, call.name)
    if call.name in ("create", "confirm"):
        intent = _with_terms(books, tx, intent, call)
    method = intent.about["payment_method"]
    card = books.card(tx, intent.about["test_id"], call.account)[0] if method else None
    return Subject(intent, card, operation, is_new=call.name == "create")


def carry_out_call(
    books: StripeBooks, tx: Transaction, call: Call, subject: Subject, script: Script
) -> Answer:
    """Do it, and keep it. Raises Refused."""
    payment = subject.intent.payment
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
    moved = forms.amount(call.form, "amount_to_capture" if call.name == "capture" else "amount")
    row = (payment.id, subject.operation, reference, moved or payment.amount, call.key, error_code, answer.at)
    tx.add_operation(Operation(*row))
    books.queue_news(tx, payment, call.now)
    return answer


def _new_intent(books: StripeBooks, tx: Transaction, call: Call) -> Intent:
    form, metadata = call.form, forms.texts(call.form, "metadata")
    intent_id = new_id("pi")
    currency = forms.text(form, "currency").upper()
    if len(currency) != 3 or not currency.isalpha():
        raise Refused(400, f"Invalid currency: {currency[:9]}", param="currency")
    if "payment_method_types" in form:
        message = "payment_method_types is no longer supported; use allowed_payment_method_types."
        raise Refused(400, message, "payment_method_types_no_longer_supported", param="payment_method_types")
    if form.get("statement_descriptor") and form.get("allowed_payment_method_types", ["card"]) == ["card"]:
        message = "statement_descriptor is not taken for cards; use statement_descriptor_suffix."
        raise Refused(400, message, param="statement_descriptor")
    if form.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise Refused(400, "The emulator takes cards only.", param="allowed_payment_method_types")
    capture_method = forms.one_of(form, "capture_method", _CAPTURE_METHODS)
    payment = Payment(
        id=intent_id,
        reference=metadata.get("reference", intent_id),
        merchant_payment_id=metadata.get("merchant_payment_id"),
        amount=forms.amount(form, "amount") or 0,
        currency=currency,
        capture_method="manual" if capture_method == "manual" else "automatic",
        method="card",
        token="",
        metadata=metadata,
        return_url="",
        statement_descriptor=forms.text(form, "statement_descriptor_suffix"),
        created_at=call.now,
    )
    about = {
        "account": call.account,
        "canceled_at": None,
        "cancellation_reason": None,
        "client_secret": f"{intent_id}_secret_{secrets.token_hex(12)}",
        "customer": forms.text(form, "customer") or None,
        "description": forms.text(form, "description") or None,
        "statement_descriptor_suffix": payment.statement_descriptor or None,
        "metadata": dict(metadata),
        "multicapture": _asks_for_multicapture(form),
        "payment_method": None,
        "test_id": None,
        "receipt_email": None,
        "return_url": "",
        "setup_future_usage": None,
        "shipping": None,
        "off_session": False,
        "use_stripe_sdk": False,
    }
    if about["customer"] and tx.document("customer", str(about["customer"])) is None:
        raise Refused(400, f"No such customer: '{about['customer']}'", "resource_missing", param="customer")
    return Intent(payment, about)


def _with_terms(books: StripeBooks, tx: Transaction, intent: Intent, call: Call) -> Intent:
    """What a call says of the payer and the card, put on the intent."""
    form, about = call.form, dict(intent.about)
    for name in ("receipt_email", "return_url", "setup_future_usage"):
        about[name] = forms.text(form, name) or about[name]
    for name in ("off_session", "use_stripe_sdk"):
        about[name] = forms.truth(form, name) or about[name]
    about["shipping"] = form.get("shipping", about["shipping"])
    given = forms.text(form, "payment_method") or forms.text(form, "confirmation_token") or _token(form)
    if not given:
        return Intent(intent.payment, about)
    _, saved_with = books.card(tx, given, call.account)
    if saved_with != about["customer"] and saved_with is not None:
        message = "The provided PaymentMethod belongs to a customer; send customer with it."
        raise Refused(400, message, param="payment_method")
    saved = tx.document("payment_method", given)
    about["test_id"] = saved.body["test_id"] if saved else given
    about["payment_method"] = given if saved else new_id("pm")
    return Intent(intent.payment, about)


def _asks_for_multicapture(form: Mapping[str, Any]) -> bool:
    options = form.get("payment_method_options", {})
    card = options.get("card") if isinstance(options, dict) else None
    return isinstance(card, dict) and card.get("request_multicapture") == "if_available"


def _token(form: Mapping[str, Any]) -> str:
    data = form.get("payment_method_data", {})
    if not data:
        return ""
    card = data.get("card") if isinstance(data, dict) and data.get("type") == "card" else None
    token = card.get("token") if isinstance(card, dict) else None
    if not isinstance(token, str):
        raise Refused(400, "Only payment_method_data[card][token] is taken.", param="payment_method_data")
    return token


def _confirm(books: StripeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Answer:
    intent, card = subject.intent, subject.card
    payment = intent.payment
    if payment.status is Status.FAILED and (call.form.get("payment_method") or _token(call.form)):
        payment.status, payment.error_code = Status.CREATED, ""
    if payment.status is not Status.CREATED:
        message = f"This PaymentIntent's status does not let it be confirmed: {payment.status}."
        raise unexpected_state(message, intent_object(intent, books.place))
    if payment.due_at is not None:
        raise Refused(429, "Another request works on this object.", "lock_timeout")
    if card is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise unexpected_state(message, intent_object(intent, books.place))
    if script.payer_must_act and (
        intent.about["off_session"] or forms.truth(call.form, "error_on_requires_action")
    ):
        script = replace(script, payer_must_act=False, effect=Effect.DECLINE, code="authentication_required")
    elif card.declined_after:
        script = replace(script, code=card.declined_after)
    done = carry_out("charge", payment, script, None, call.now, False)
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
        return _refusal(script, intent)
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
        return _refusal(script, intent)
    intent.payment.void()
    intent.about.update(canceled_at=int(call.now), cancellation_reason=reason or None)
    return _shown(books, call, intent, call.now)


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
    if script.effect is Effect.DECLINE:
        return _refusal(script, intent)
    payment.refund(amount)
    ends_as = card.refunds_end if card else ""
    body = {
        "account": call.account,
        "amount": amount,
        "created": int(call.now),
        "currency": payment.currency.lower(),
        "ends_as": ends_as,
        "metadata": forms.texts(call.form, "metadata"),
        "reason": forms.one_of(call.form, "reason", _REASONS) or None,
        "status": "pending" if ends_as == "succeeded" else "succeeded",
    }
    due_at = call.now + _REFUND_ENDS_AFTER_S if ends_as else None
    refund = Document(new_id("re"), "refund", payment.id, body, due_at)
    tx.put_document(refund)
    books.tell(tx, "refund.created", refund_object(refund), body, call.now)
    return Answer(200, refund_object(refund), call.now)


def _refusal(script: Script, intent: Intent) -> Answer:
    return Answer(402, {"error": decline(script.code, intent.charge_id)}, 0.0)


def _shown(books: StripeBooks, call: Call, intent: Intent, at: float) -> Answer:
    expanded = "latest_charge" in call.form.get("expand", ())
    return Answer(200, intent_object(intent, books.place, expanded=expanded), at)


_CALLS = {"capture": _capture, "cancel": _cancel, "refund": _refund}
