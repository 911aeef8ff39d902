"""What pays a sale: a nonce, something vaulted, or a card; nonces pay once."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from .. import raw_cards
from ..rows import Document
from ..transaction import Transaction
from . import bodies
from .calls import Call
from .errors import Refused
from .instruments import Instrument, kept, of_token
from .nonces import CONSUMED_NONCE, LUHN_INVALID_NONCE, of_nonce
from .numbers import of_number
from .shapes import new_id

METHOD, NONCE, CUSTOMER = "payment_method", "nonce", "customer"
_EXPIRATION = re.compile(r"(\d{1,2})/(\d{2}|\d{4})")


def instrument_of(tx: Transaction, call: Call, order_id: str) -> Instrument:
    """What the body says that pays. Raises Refused."""
    body, shown = call.body, call.shown
    token, nonce = bodies.text(body, "payment_method_token"), bodies.text(body, "payment_method_nonce")
    card = bodies.inner(body, "credit_card")
    if token and "number" in card:
        raise Refused("method_conflict", shown)
    if nonce:
        return _of_nonce(tx, call, nonce, order_id)
    if token:
        found = vaulted(tx, call.merchant, token)
        if found is None:
            raise Refused("token_invalid", shown)
        return found
    if "number" in card:
        return of_card(card, shown)
    customer = bodies.text(body, "customer_id")
    default = default_of(tx, call.merchant, customer) if customer else None
    if customer and default is None:
        raise Refused("customer_invalid", shown)
    if default is None:
        raise Refused("card_required", shown)
    return default


def place(*names: str) -> str:
    """Of a document: its kind, whose it is, and by what it is known there."""
    return ":".join(names)


def vaulted(tx: Transaction, merchant: str, token: str) -> Instrument | None:
    """What is kept under a token; the test cards always are. None: nothing."""
    document = tx.document(METHOD, place(METHOD, merchant, token))
    return kept(document.body) if document is not None else of_token(token)


def default_of(tx: Transaction, merchant: str, customer: str) -> Instrument | None:
    """What a customer pays with where nothing else is said; None where nothing is kept of them."""
    document = tx.document(CUSTOMER, place(CUSTOMER, merchant, customer))
    tokens = document.body["tokens"] if document is not None else []
    return vaulted(tx, merchant, tokens[0]) if tokens else None


def of_card(card: dict[str, Any], shown: Any) -> Instrument:
    """A card by its number. Raises Refused."""
    number = bodies.text(card, "number").replace(" ", "")
    if not number:
        raise Refused("number_required", shown)
    if not raw_cards.is_number(number):
        raise Refused("number_invalid", shown)
    month, year = _expiry(card, shown)
    found = of_number(number, month, year, bodies.text(card, "cardholder_name"))
    if found is None:
        raise Refused("number_no_test", shown)
    cvv = bodies.text(card, "cvv")
    if cvv and not (raw_cards.is_code(cvv) and len(cvv) == (4 if found.brand == "American Express" else 3)):
        raise Refused("cvv_invalid", shown)
    return found


def _expiry(card: dict[str, Any], shown: Any) -> tuple[str, str]:
    """The month in two digits and the year in four. Raises Refused."""
    given = bodies.text(card, "expiration_date")
    if not given:
        given = f"{bodies.text(card, 'expiration_month')}/{bodies.text(card, 'expiration_year')}"
    if given == "/":
        raise Refused("expiration_required", shown)
    found = _EXPIRATION.fullmatch(given)
    if found is None or not raw_cards.is_month(found[1]):
        raise Refused("expiration_invalid", shown)
    year = found[2] if len(found[2]) == 4 else f"20{found[2]}"
    return found[1].rjust(2, "0"), year


def _of_nonce(tx: Transaction, call: Call, nonce: str, order_id: str) -> Instrument:
    if nonce == LUHN_INVALID_NONCE:
        raise Refused("number_invalid", call.shown)
    if nonce == CONSUMED_NONCE or tx.document(NONCE, _use_of(call.merchant, nonce, order_id)) is not None:
        raise Refused("nonce_consumed", call.shown)
    made = tx.document(NONCE, place(NONCE, call.merchant, nonce))
    if made is not None:
        if made.body["consumed"]:
            raise Refused("nonce_consumed", call.shown)
        return kept(made.body["instrument"])
    found = of_nonce(nonce)
    if found is None:
        raise Refused("nonce_unknown", call.shown)
    return found


def consume(tx: Transaction, call: Call, order_id: str) -> None:
    """The sale's nonce has paid, whether or not it was approved."""
    nonce = bodies.text(call.body, "payment_method_nonce")
    if not nonce:
        return
    made = tx.document(NONCE, place(NONCE, call.merchant, nonce))
    if made is not None:
        tx.put_document(replace(made, body={**made.body, "consumed": True}))
    else:
        tx.put_document(Document(_use_of(call.merchant, nonce, order_id), NONCE, None, {}))


def _use_of(merchant: str, nonce: str, order_id: str) -> str:
    """A test nonce stands for a nonce of its own in each order."""
    return place("use", merchant, nonce, order_id or new_id())


def keep_in_vault(tx: Transaction, call: Call, one: Document, instrument: Instrument) -> Document:
    """Keep what has paid, where the sale wants that and it is not kept yet: it gets a token, and a customer."""
    options = bodies.inner(call.body, "options")
    wanted = bodies.truth(options, "store_in_vault") or bodies.truth(options, "store_in_vault_on_success")
    if not wanted or instrument.vaulted:
        return one
    customer = one.body["customer"] or bodies.text(bodies.inner(call.body, "customer"), "id") or new_id()
    token = bodies.text(bodies.inner(call.body, "credit_card"), "token") or new_id()
    stored = store(
        tx, call.merchant, customer, replace(instrument, vaulted=token, customer=customer), call.now
    )
    return replace(one, body={**one.body, "instrument": stored.as_dict(), "customer": customer})


def store(tx: Transaction, merchant: str, customer: str, instrument: Instrument, now: float) -> Instrument:
    """Keep it with a customer, who is new where nobody has the id."""
    known = tx.document(CUSTOMER, place(CUSTOMER, merchant, customer))
    body: dict[str, Any] = known.body if known is not None else {"created": now, "fields": {}, "tokens": []}
    tokens = [*body["tokens"], instrument.vaulted]
    tx.put_document(Document(place(CUSTOMER, merchant, customer), CUSTOMER, None, {**body, "tokens": tokens}))
    tx.put_document(Document(place(METHOD, merchant, instrument.vaulted), METHOD, None, instrument.as_dict()))
    return instrument
