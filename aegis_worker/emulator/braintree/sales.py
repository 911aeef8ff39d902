"""What `POST /transactions` does to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..network_ids import network_id_of
from ..operations import carry_out
from ..payments import Payment, Status
from ..rows import Document
from ..script_table import OK
from ..scripts import Effect, Script
from ..transaction import Transaction
from . import bodies
from .books import BraintreeBooks
from .calls import Call, Done, Subject
from .declines import APPROVED, response_of, script_of_amount
from .duplicates import Twin, remember, twin_of
from .errors import Refused, error_reply
from .instruments import CARD, Instrument, script_of
from .paying import consume, instrument_of, keep_in_vault
from .rules import breaks
from .settling import PENDING, submitted
from .shapes import KIND, SALE, Family, answered, moved, new_body, new_id, transaction_object
from .stored import check_stored

_SALE_TYPE = "sale"


def new_sale(books: BraintreeBooks, tx: Transaction, call: Call) -> Subject:
    """The sale that a call asks for, not in the ledger yet. Raises Refused."""
    body, shown = call.body, call.shown
    given = bodies.text(body, "type")
    if given != _SALE_TYPE:
        raise Refused("type_invalid" if given else "type_required", shown)
    account, currency = bodies.account_of(body, shown)
    amount = bodies.amount_of(body, currency, shown)
    if amount is None:
        raise Refused("amount_required", shown)
    order_id = bodies.order_id_of(body, shown)
    custom_fields = bodies.custom_fields_of(body, shown)
    check_stored(body, shown)
    instrument = instrument_of(tx, call, order_id)
    script = script_of(instrument.token, amount, books.options.name)
    if script is None:
        raise Refused("token_invalid", shown)
    submits = bodies.truth(bodies.inner(body, "options"), "submit_for_settlement")
    payment = Payment(
        id=new_id(),
        reference=order_id,
        merchant_payment_id=custom_fields.get("merchant_payment_id") or _before_the_attempt(order_id),
        amount=amount,
        currency=currency,
        capture_method="automatic" if submits else "manual",
        method="card" if instrument.kind == CARD else "wallet",
        token=instrument.token,
        metadata=custom_fields,
        return_url="",
        statement_descriptor=bodies.text(bodies.inner(body, "descriptor"), "name"),
        created_at=call.now,
    )
    fields = {
        "account": account,
        "custom_fields": custom_fields,
        "customer": instrument.customer or bodies.text(body, "customer_id"),
        "descriptor": payment.statement_descriptor,
        "merchant": call.merchant,
        "order_id": order_id,
        "source": bodies.text(body, "transaction_source"),
    }
    kept = new_body(payment, call.now, SALE, instrument, **fields)
    return Subject(Document(payment.id, KIND, payment.id, kept), payment, script)


def _before_the_attempt(order_id: str) -> str | None:
    """An order id is that of a payment, a hyphen, and which attempt it is; one without a hyphen is the payment's."""
    return (order_id.rpartition("-")[0] or order_id) or None


def sell(books: BraintreeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Hold or take the money, or say why not: the gateway's own rules come before the processor. Raises Refused."""
    one, payment = subject.one, subject.payment
    instrument = Instrument(**one.body["instrument"])
    consume(tx, call, payment.reference)
    twin = Twin(call.merchant, payment.amount, payment.currency, payment.reference, instrument.identity)
    first = "" if call.key else twin_of(tx, twin)
    rejection, verified = breaks(call.body, instrument)
    one = replace(one, body={**one.body, **verified, "duplicate_of": first})
    script = _as_braintree_does(script, payment, "duplicate" if first else rejection)
    done = carry_out("charge", payment, script, None, call.now, is_new=True)
    payment.news.clear()
    tx.add(payment)
    if done.error_code:
        return _declined(tx, call, replace(subject, one=one), done.error_code)
    remember(tx, twin, one.id, call.now)
    one = keep_in_vault(tx, call, one, instrument)
    tx.put_document(one)
    books.begin_hold(tx, payment, call.now)
    one = _approved(books, tx, one, payment, script, call.now)
    tx.update(payment)
    shown = books.object(tx, one)
    if payment.due_at == done.at:  # a late commit is answered when it has happened
        shown = transaction_object(Family(_as_it_will_be(one, payment, done.at)))
    return Done(one.id, done.at, payment.amount, payment.reference, shown)


def _as_braintree_does(script: Script, payment: Payment, rejection: str) -> Script:
    """Rules and amounts decide where no script does. The payer's challenge took place in the browser, before this call."""
    if rejection:
        return replace(OK, effect=Effect.DECLINE, code=f"rejected_{rejection}")
    if script is OK:
        return script_of_amount(payment.amount, payment.currency)
    if script.payer_must_act:
        fails = script.code and not (script.in_frontend or script.lapses)
        return replace(script, payer_must_act=False, effect=Effect.DECLINE) if fails else OK
    return script


def _approved(
    books: BraintreeBooks, tx: Transaction, one: Document, payment: Payment, script: Script, now: float
) -> Document:
    code, text = APPROVED
    fields: dict[str, Any] = {
        "expires": None,
        "network_id": network_id_of(one.id) if payment.method == "card" else "",
    }
    if payment.status is Status.SUCCEEDED:
        one = moved(one, "authorized", now)
        return submitted(books, tx, one, payment, script, now, response=code, response_text=text, **fields)
    if payment.status is Status.AUTHORIZED:
        held = moved(
            one,
            "authorized",
            now,
            **{**fields, "response": code, "response_text": text, "expires": payment.due_at},
        )
    elif payment.status is Status.PENDING and payment.capture_method == "automatic":
        held = moved(one, PENDING, now, **fields, response=code, response_text=text, settlement="4002")
    else:
        held = moved(one, "authorizing", now, **fields)
    tx.put_document(held)
    return held


def _as_it_will_be(one: Document, payment: Payment, at: float) -> Document:
    status = "submitted_for_settlement" if payment.capture_method == "automatic" else "authorized"
    code, text = APPROVED
    return moved(one, status, at, response=code, response_text=text)


def _declined(tx: Transaction, call: Call, subject: Subject, error_code: str) -> Done:
    response, payment = response_of(error_code), subject.payment
    one = moved(subject.one, response.status, call.now, **answered(response))
    tx.put_document(one)
    shown: Mapping[str, Any] = transaction_object(Family(one))
    reply = error_reply(response.message, call.shown, transaction=shown)
    return Done(one.id, call.now, payment.amount, payment.reference, None, reply, error_code)
