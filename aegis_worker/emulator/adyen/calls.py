"""What each POST does to the ledger: charge, go on after the payer has acted, take a change in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..challenges import has_passed, new_secret
from ..demands import demanded
from ..network_ids import is_network_id
from ..operations import carry_out
from ..payments import Payment, Status
from ..rows import Document, Operation
from ..scripts import Effect, Script
from ..transaction import Transaction
from .bodies import inner, money, text
from .books import DECIDED_AFTER_S, AdyenBooks, new_change, undone_by
from .cards import WALLET, TestCard, by_token
from .errors import Refused, reason_of
from .numbers import stored_as
from .shapes import Charge, new_psp, received, result_of

_OPERATION = {"pay": "charge", "details": "confirm", "cancel": "void", "cancel_by_reference": "void"}
_WHAT = {"cancel_by_reference": "cancel"}
# Where a payer's library puts what it found out, and the address that a redirect comes back with.
_RESULTS = ("threeDSResult", "redirectResult")


@dataclass(frozen=True, slots=True)
class Call:
    """One POST. `target`: the payment's reference in its path."""

    name: str
    target: str
    body: Mapping[str, Any]
    key: str | None
    request_hash: bytes
    headers: Mapping[str, str]
    now: float

    @property
    def operation(self) -> str:
        """As the scripts know it."""
        return _OPERATION.get(self.name, self.name)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about: a charge, which is made by it or was there, and what it is paid with."""

    charge: Charge
    card: TestCard


@dataclass(frozen=True, slots=True)
class Answer:
    """`at`: when it shows, in seconds since 1970, later than now for a late commit."""

    status: int
    body: dict[str, Any]
    at: float


def subject_of(books: AdyenBooks, tx: Transaction, call: Call) -> Subject | None:
    """The charge that the call is about, or makes; None of a cancel by a reference that nobody has. Raises Refused."""
    if call.name == "pay":
        return _new(books, call)
    if call.name == "details":
        charge = books.charge(tx, _brought_back(call).partition(".")[0])
    elif call.name == "cancel_by_reference":
        account, reference = text(call.body, "merchantAccount"), text(call.body, "paymentReference")
        charge = books.charge_by_reference(tx, reference, account)
        if charge is None:
            return None
    else:
        charge = books.charge(tx, call.target, text(call.body, "merchantAccount"))
    if charge is None and call.name == "details":
        raise Refused(422, "14_0408", "The details could not be decrypted")
    if charge is None:
        raise Refused(422, "167", "Original pspReference required for this operation")
    return Subject(charge, books.card(charge))


def _new(books: AdyenBooks, call: Call) -> Subject:
    body, method = call.body, inner(call.body, "paymentMethod")
    value, currency = money(body)
    is_wallet = method.get("type") == "paypal"
    token = WALLET if is_wallet else _card_of(method)
    if not (is_wallet or method.get("type") in ("scheme", "card")) or not token:
        raise Refused(
            422, "14_004", "The emulator takes cards and PayPal: storedPaymentMethodId or number is missing"
        )
    card = by_token(token, value, books.options.name)
    if card is None:
        raise Refused(422, "800", "Contract not found")
    held = inner(body, "additionalData").get("manualCapture") == "true"
    metadata = {str(name): str(value) for name, value in inner(body, "metadata").items()}
    payment = Payment(
        id=new_psp(),
        reference=text(body, "reference"),
        merchant_payment_id=metadata.get("merchant_payment_id"),
        amount=value,
        currency=currency,
        capture_method="manual" if held else "automatic",
        method="wallet" if is_wallet else "card",
        token=token,
        metadata=metadata,
        return_url=text(body, "returnUrl", 8000),
        statement_descriptor=text(body, "shopperStatement"),
        created_at=call.now,
    )
    native = (
        inner(inner(body, "authenticationData"), "threeDSRequestData").get("nativeThreeDS") == "preferred"
    )
    about = {
        "account": text(body, "merchantAccount"),
        "in_page": native or card.script.in_frontend,
        "without_the_payer": body.get("recurringProcessingModel")
        in ("Subscription", "UnscheduledCardOnFile"),
    }
    return Subject(Charge(payment, about), card)


def _card_of(method: Mapping[str, Any]) -> str:
    """The id of a stored card, also where the card is given by number; empty where there is neither. Raises Refused."""
    return stored_as(method) if "number" in method else text(method, "storedPaymentMethodId", 512)


def carry_out_call(
    books: AdyenBooks, tx: Transaction, call: Call, subject: Subject | None, script: Script
) -> Answer:
    """Do it, and keep it. Raises Refused."""
    if subject is None:
        return _taken_in(tx, call, None, script)
    if call.name == "pay":
        return _pay(books, tx, call, subject, script)
    if call.name == "details":
        return _details(books, tx, call, subject, script)
    return _taken_in(tx, call, subject.charge, script)


def _pay(books: AdyenBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Answer:
    charge, payment = subject.charge, subject.charge.payment
    _check_agreement(call)
    if inner(call.body, "authenticationData").get("attemptAuthentication") == "always":
        script = demanded(script)
    if script.payer_must_act and charge.about["without_the_payer"]:
        script = replace(script, payer_must_act=False, effect=Effect.DECLINE, code="authentication_required")
    charge.about["in_page"] |= script.in_frontend
    tx.put_document(Document(payment.id, "payment", payment.id, charge.about))
    done = carry_out("charge", payment, script, None, call.now, is_new=True)
    if payment.status is Status.REQUIRES_ACTION:
        payment.client_secret = payment.client_secret or new_secret()
    tx.add(payment)
    return _charged(books, tx, call, charge, done.at, done.error_code)


def _check_agreement(call: Call) -> None:
    """Of a card by number that is charged without its payer. Raises Refused for what no card network knows."""
    agreed = inner(call.body, "paymentMethod").get("networkPaymentReference")
    if agreed is None:
        return
    if not is_network_id(agreed) or call.body.get("shopperInteraction") != "ContAuth":
        raise Refused(422, "702", "Invalid networkPaymentReference")


def _details(books: AdyenBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Answer:
    charge = subject.charge
    payment = charge.payment
    if payment.status is not Status.REQUIRES_ACTION:
        return Answer(200, result_of(charge, books.options.base_url), call.now)
    passed = has_passed(payment.client_secret, _brought_back(call).partition(".")[2])
    if passed is None:
        raise Refused(422, "14_0408", "The details could not be decrypted")
    asked = books.script_of(tx, payment)
    if passed and asked.code and not (asked.in_frontend or asked.lapses):
        script = replace(asked, effect=Effect.DECLINE, payer_must_act=False)
    done = carry_out("confirm", payment, script, None, call.now, is_new=False, passed=passed)
    if payment.status is Status.REQUIRES_ACTION:
        payment.client_secret = payment.client_secret or new_secret()
    tx.update(payment)
    return _charged(books, tx, call, charge, done.at, done.error_code)


def _charged(
    books: AdyenBooks, tx: Transaction, call: Call, charge: Charge, at: float, error_code: str
) -> Answer:
    payment = charge.payment
    row = (payment.id, call.operation, payment.reference, payment.amount, call.key, error_code, at)
    tx.add_operation(Operation(*row))
    books.begin_hold(tx, payment, call.now)
    tx.update(payment)
    books.queue_news(tx, payment, call.now)
    if payment.due_at == at:  # a late commit is answered when it has happened
        later = replace(payment, news=[])
        later.settle()
        charge = Charge(later, charge.about)
    return Answer(200, result_of(charge, books.options.base_url), at)


def _taken_in(tx: Transaction, call: Call, charge: Charge | None, script: Script) -> Answer:
    """Take a change in; it is decided a moment later. A cancel of what nobody has is taken in, too, and nothing is told."""
    account, reference, psp = text(call.body, "merchantAccount"), text(call.body, "reference"), new_psp()
    what = _WHAT.get(call.name, call.name)
    amount = call.body.get("amount")
    by_reference = call.name == "cancel_by_reference"
    if charge is not None:
        payment = charge.payment
        value, currency = money(call.body) if amount is not None else (payment.amount, payment.currency)
        if currency != payment.currency:
            raise Refused(422, "138", "The currency is not that of the payment")
        refuses = script.effect is Effect.DECLINE or (script.effect is Effect.PENDING and script.code)
        refused = reason_of(script.code).text if refuses else ""
        change = new_change(what, value, reference, call.key, refused=refused, by_reference=by_reference)
        change |= undone_by(script, what)
        decided_after_s = script.settle_s if script.effect is Effect.PENDING else DECIDED_AFTER_S
        tx.put_document(Document(psp, "change", payment.id, change, call.now + decided_after_s))
    named = (
        {"paymentReference": text(call.body, "paymentReference")}
        if by_reference
        else {"paymentPspReference": call.target}
    )
    return Answer(201, received(account, psp, named, reference, amount), call.now)


def _brought_back(call: Call) -> str:
    """The payment's reference and the challenge's result, with a dot between. Raises Refused(422)."""
    details = inner(call.body, "details")
    found = next((details[name] for name in _RESULTS if type(details.get(name)) is str), None)
    if found is None:
        raise Refused(422, "14_010", "Required field 'details' is not provided.")
    return str(found)
