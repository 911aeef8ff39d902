"""What the fields of a call make of an intent: which there are, a new intent, the payer and the card of one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..payments import Payment, new_id
from ..transaction import Transaction
from . import forms
from .books import StripeBooks
from .errors import Refused
from .numbers import test_id
from .shapes import Intent

_REQUESTS_OF_3DS = ("", "any", "automatic", "challenge")
_CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
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
    headers: Mapping[str, str]
    now: float


def _check_methods(form: Mapping[str, Any]) -> None:
    """Raises Refused(400) for anything but cards, said as Stripe's API of today has it."""
    if "payment_method_types" in form:
        message = "payment_method_types is no longer supported; use allowed_payment_method_types."
        raise Refused(400, message, "payment_method_types_no_longer_supported", param="payment_method_types")
    if form.get("statement_descriptor") and form.get("allowed_payment_method_types", ["card"]) == ["card"]:
        message = "statement_descriptor is not taken for cards; use statement_descriptor_suffix."
        raise Refused(400, message, param="statement_descriptor")
    if form.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise Refused(400, "The emulator takes cards only.", param="allowed_payment_method_types")


def new_intent(books: StripeBooks, tx: Transaction, call: Call) -> Intent:
    """An intent that is not in the ledger yet. Raises Refused(400)."""
    form, metadata = call.form, forms.texts(call.form, "metadata")
    intent_id = new_id("pi")
    currency = forms.text(form, "currency").upper()
    if len(currency) != 3 or not currency.isalpha():
        raise Refused(400, f"Invalid currency: {currency[:9]}", param="currency")
    _check_methods(form)
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
        "request_three_d_secure": "",
    }
    if about["customer"] and tx.document("customer", str(about["customer"])) is None:
        raise Refused(400, f"No such customer: '{about['customer']}'", "resource_missing", param="customer")
    return Intent(payment, about)


def with_terms(books: StripeBooks, tx: Transaction, intent: Intent, call: Call) -> Intent:
    """What a call says of the payer and the card, put on the intent."""
    form, about = call.form, dict(intent.about)
    for name in ("receipt_email", "return_url", "setup_future_usage"):
        about[name] = forms.text(form, name) or about[name]
    for name in ("off_session", "use_stripe_sdk"):
        about[name] = forms.truth(form, name) or about[name]
    about["shipping"] = form.get("shipping", about["shipping"])
    about["request_three_d_secure"] = _wanted_3ds(form) or about.get("request_three_d_secure", "")
    given = forms.text(form, "payment_method") or forms.text(form, "confirmation_token") or card_in(form)
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
    return _card_options(form).get("request_multicapture") == "if_available"


def _card_options(form: Mapping[str, Any]) -> Mapping[str, Any]:
    options = form.get("payment_method_options", {})
    card = options.get("card") if isinstance(options, dict) else None
    return card if isinstance(card, dict) else {}


def _wanted_3ds(form: Mapping[str, Any]) -> str:
    """Empty where the call does not say. Raises Refused(400)."""
    given = _card_options(form).get("request_three_d_secure", "")
    if given not in _REQUESTS_OF_3DS:
        param = "payment_method_options[card][request_three_d_secure]"
        raise Refused(400, f"Must be one of {', '.join(_REQUESTS_OF_3DS[1:])}", param=param)
    return str(given)


def card_in(form: Mapping[str, Any]) -> str:
    """The card in `payment_method_data`: its token, or the test id of the card that is given by number; empty where there
    is none. Raises Refused(400 or 402).
    """
    data = form.get("payment_method_data", {})
    if not data:
        return ""
    card = data.get("card") if isinstance(data, dict) and data.get("type") == "card" else None
    if not isinstance(card, dict):
        raise Refused(400, "Only payment_method_data[card] is taken.", param="payment_method_data")
    token = card.get("token")
    return token if isinstance(token, str) else test_id(card)
