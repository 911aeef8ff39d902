"""Customers and what is kept of them: …/reference/request/customer/create, …/payment-method/create."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..replies import Reply
from ..rows import Document
from ..transaction import Transaction
from . import bodies
from .books import BraintreeBooks
from .errors import Bare, Refused, xml_reply
from .instruments import PAYPAL, Instrument
from .nonces import of_nonce
from .paid_with import card_object
from .paying import CUSTOMER, METHOD, NONCE, of_card, place, store, vaulted
from .shapes import global_id, new_id
from .xml import Many, Moment

_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_SHOWN = ("company", "email", "fax", "first_name", "last_name", "phone", "website")


@dataclass(frozen=True, slots=True)
class Ask:
    """One call about the vault. `target`: the id or token in its path."""

    merchant: str
    target: str
    raw: bytes
    now: float


def create_customer(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """POST /customers: maybe with something that pays. Raises Refusal."""
    body = bodies.parse("customer", ask.raw)
    shown = bodies.echoed("customer", body)
    customer = bodies.text(body, "id") or new_id()
    if not _ID.fullmatch(customer):
        raise Refused("id_invalid", shown)
    if tx.document(CUSTOMER, place(CUSTOMER, ask.merchant, customer)) is not None:
        raise Refused("id_in_use", shown)
    fields = {name: bodies.text(body, name) for name in _SHOWN if name in body}
    kept = {"created": ask.now, "fields": fields, "tokens": []}
    tx.put_document(Document(place(CUSTOMER, ask.merchant, customer), CUSTOMER, None, kept))
    pays = {**bodies.inner(body, "credit_card"), **_nonce_in(body)}
    if pays:
        _keep(tx, ask, customer, pays, shown)
    return _customer_reply(tx, ask.merchant, customer, 201)


def _nonce_in(body: Mapping[str, Any]) -> dict[str, str]:
    nonce = bodies.text(body, "payment_method_nonce")
    return {"payment_method_nonce": nonce} if nonce else {}


def show_customer(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """GET /customers/:id. Raises Bare(404)."""
    return _customer_reply(tx, ask.merchant, ask.target, 200)


def delete_customer(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """DELETE /customers/:id, with all that is kept of them. Raises Bare(404)."""
    for token in _customer(tx, ask.merchant, ask.target).body["tokens"]:
        tx.drop_document(place(METHOD, ask.merchant, token))
    tx.drop_document(place(CUSTOMER, ask.merchant, ask.target))
    return Reply(200, b"\n")


def create_method(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """POST /payment_methods: keep what a nonce stands for, or a card. Raises Refusal."""
    body = bodies.parse("payment_method", ask.raw)
    shown = bodies.echoed("payment_method", body)
    customer = bodies.text(body, "customer_id")
    if not customer:
        raise Refused("method_customer_required", shown)
    if tx.document(CUSTOMER, place(CUSTOMER, ask.merchant, customer)) is None:
        raise Refused("method_customer_invalid", shown)
    return _method_reply(_keep(tx, ask, customer, body, shown), 201)


def show_method(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """GET /payment_methods/any/:token. Raises Bare(404)."""
    return _method_reply(_method(tx, ask.merchant, ask.target), 200)


def delete_method(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """DELETE /payment_methods/any/:token. Raises Bare(404)."""
    method = _method(tx, ask.merchant, ask.target)
    tx.drop_document(place(METHOD, ask.merchant, ask.target))
    owner = tx.document(CUSTOMER, place(CUSTOMER, ask.merchant, method.customer))
    if owner is not None:
        tokens = [token for token in owner.body["tokens"] if token != ask.target]
        tx.put_document(replace(owner, body={**owner.body, "tokens": tokens}))
    return Reply(200, b"\n")


def create_nonce(books: BraintreeBooks, tx: Transaction, ask: Ask) -> Reply:
    """POST /payment_methods/:token/nonces: a nonce that pays once. Raises Bare(404)."""
    method = _method(tx, ask.merchant, ask.target)
    nonce = f"nonce_{new_id()}"
    made = {"consumed": False, "instrument": method.as_dict()}
    tx.put_document(Document(place(NONCE, ask.merchant, nonce), NONCE, None, made))
    shown = {"nonce": nonce, "type": "CreditCard", "consumed": False, "locked": False, "default": True}
    return xml_reply(201, "payment_method_nonce", shown)


def _keep(tx: Transaction, ask: Ask, customer: str, pays: Mapping[str, Any], shown: Any) -> Instrument:
    nonce, token = bodies.text(pays, "payment_method_nonce"), bodies.text(pays, "token") or new_id()
    if nonce:
        found = of_nonce(nonce)
        if found is None:
            raise Refused("nonce_unknown", shown)
    elif "number" in pays:
        found = of_card(dict(pays), shown)
    else:
        raise Refused("method_nonce_required", shown)
    return store(tx, ask.merchant, customer, replace(found, vaulted=token, customer=customer), ask.now)


def _customer(tx: Transaction, merchant: str, customer: str) -> Document:
    found = tx.document(CUSTOMER, place(CUSTOMER, merchant, customer))
    if found is None:
        raise Bare(404)
    return found


def _method(tx: Transaction, merchant: str, token: str) -> Instrument:
    found = vaulted(tx, merchant, token)
    if found is None:
        raise Bare(404)
    return found


def _customer_reply(tx: Transaction, merchant: str, customer: str, status: int) -> Reply:
    body = _customer(tx, merchant, customer).body
    methods = [_method(tx, merchant, token) for token in body["tokens"]]
    created = Moment(body["created"])
    shown = {
        "id": customer,
        "merchant_id": merchant,
        "global_id": global_id("customer", customer),
        **{name: body["fields"].get(name) for name in _SHOWN},
        "created_at": created,
        "updated_at": created,
        "custom_fields": {},
        "credit_cards": Many("credit_card", [_card(one) for one in methods if one.kind != PAYPAL]),
        "paypal_accounts": Many("paypal_account", [_account(one) for one in methods if one.kind == PAYPAL]),
        "addresses": Many("address", ()),
    }
    return xml_reply(status, "customer", shown)


def _method_reply(method: Instrument, status: int) -> Reply:
    if method.kind == PAYPAL:
        return xml_reply(status, "paypal_account", _account(method))
    return xml_reply(status, "credit_card", _card(method))


def _card(method: Instrument) -> dict[str, Any]:
    more = {"default": True, "expired": False, "subscriptions": Many("subscription", ())}
    return card_object(method) | more | {"global_id": global_id("paymentmethod_cc", method.vaulted)}


def _account(method: Instrument) -> dict[str, Any]:
    return {
        "token": method.vaulted,
        "email": method.identity,
        "customer_id": method.customer,
        "default": True,
        "image_url": "https://assets.braintreegateway.com/payment_method_logo/paypal.png",
        "subscriptions": Many("subscription", ()),
    }
