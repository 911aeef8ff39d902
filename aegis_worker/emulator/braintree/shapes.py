"""Transactions as Braintree shows them: developer.paypal.com/braintree/docs/reference/response/transaction. Pure."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..payments import Payment
from ..rows import Document
from .amounts import decimal
from .declines import Response, response_type, settlement_text
from .instruments import Instrument, kept
from .paid_with import checked, paid_with
from .xml import Many, Moment

KIND = "transaction"
SALE, PART, REFUND = "sale", "part", "refund"
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_LETTERS, _RANDOM_LETTERS = 10, 3
_ADDRESS = (
    "id first_name last_name company street_address extended_address locality region postal_code country_name"
    " country_code_alpha2 country_code_alpha3 country_code_numeric"
)
_CUSTOMER = "id first_name last_name company email website phone fax"
_DISBURSEMENT = (
    "disbursement_date settlement_amount settlement_currency_iso_code settlement_currency_exchange_rate"
    " funds_held success"
)
_NO_ADDRESS, _NO_CUSTOMER = dict.fromkeys(_ADDRESS.split()), dict.fromkeys(_CUSTOMER.split())


@dataclass(frozen=True, slots=True)
class Family:
    """A transaction with what was made of it: parts of it that were submitted, and refunds, the oldest first."""

    one: Document
    parts: Sequence[Document] = ()
    refunds: Sequence[Document] = ()
    disputes: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def new_id() -> str:
    """Thirteen small letters and digits, which sort by time."""
    number, text = time.time_ns() // 1000, ""
    while number:
        number, rest = divmod(number, len(_LETTERS))
        text = _LETTERS[rest] + text
    return text[-_TIME_LETTERS:].rjust(_TIME_LETTERS, "0") + "".join(
        secrets.choice(_LETTERS) for _ in range(_RANDOM_LETTERS)
    )


def global_id(kind: str, own_id: str) -> str:
    """The id by which Braintree's GraphQL API knows it."""
    return base64.b64encode(f"{kind}_{own_id}".encode()).decode().rstrip("=")


def new_body(
    payment: Payment, now: float, role: str, instrument: Instrument, **fields: Any
) -> dict[str, Any]:
    """What is kept of a new transaction, of which the fields say more.

    `ahead`: what it becomes by itself, each a time in seconds since 1970 and a status, the next first. `history`: what it
    was, each a time, a status and an amount. `parent`: of which it is a part or a refund. `taken`: what was submitted of
    it and was not declined since.
    """
    return {
        "account": "",
        "ahead": [],
        "amount": payment.amount,
        "avs": "I",
        "created": now,
        "currency": payment.currency,
        "custom_fields": {},
        "customer": "",
        "cvv": "I",
        "descriptor": "",
        "duplicate_of": "",
        "expires": None,
        "history": [],
        "instrument": instrument.as_dict(),
        "merchant": "",
        "network_id": "",
        "order_id": "",
        "parent": "",
        "rejection": "",
        "response": "",
        "response_text": "",
        "role": role,
        "settlement": "",
        "source": "",
        "status": "",
        "taken": 0,
        "updated": now,
        **fields,
    }


def moved(document: Document, status: str, now: float, ahead: Sequence[Any] = (), **fields: Any) -> Document:
    """It in another status, from which it goes on as `ahead` says."""
    body = {**document.body, **fields, "status": status, "updated": now, "ahead": list(ahead)}
    body["history"] = [*document.body["history"], [now, status, body["amount"]]]
    return replace(document, body=body, due_at=ahead[0][0] if ahead else None)


def answered(response: Response) -> dict[str, Any]:
    """What a body says of a sale that was not approved."""
    return {"response": response.code, "response_text": response.text, "rejection": response.rejection}


def transaction_object(family: Family) -> dict[str, Any]:
    """A transaction."""
    one, body = family.one, family.one.body
    instrument = kept(body["instrument"])
    own_parts = [part.id for part in family.parts]
    refunds = [refund.id for refund in family.refunds]
    is_refund, is_part = body["role"] == REFUND, body["role"] == PART
    shown: dict[str, Any] = {
        "id": one.id,
        "status": body["status"],
        "type": "credit" if is_refund else "sale",
        "currency_iso_code": body["currency"],
        "amount": decimal(body["amount"], body["currency"]),
        "merchant_account_id": body["account"],
        "order_id": body["order_id"] or None,
        "created_at": Moment(body["created"]),
        "updated_at": Moment(body["updated"]),
        "customer": _NO_CUSTOMER | {"id": body["customer"] or None},
        "billing": _NO_ADDRESS,
        "refund_id": refunds[0] if refunds else None,
        "refund_ids": Many("item", refunds),
        "refunded_transaction_id": body["parent"] if is_refund else None,
        "partial_settlement_transaction_ids": Many("item", own_parts),
        "authorized_transaction_id": body["parent"] if is_part else None,
        "settlement_batch_id": _batch(body),
        "shipping": _NO_ADDRESS,
        "custom_fields": body["custom_fields"],
        "avs_error_response_code": None,
        "avs_postal_code_response_code": body["avs"],
        "avs_street_address_response_code": "I",
        "cvv_response_code": body["cvv"],
        "gateway_rejection_reason": body["rejection"] or None,
        "duplicate_of_transaction_id": body["duplicate_of"] or None,
        "processor_authorization_code": one.id[-6:].upper() if body["response"] == "1000" else None,
        "processor_response_code": body["response"],
        "processor_response_text": body["response_text"],
        "processor_response_type": response_type(body["response"]),
        "additional_processor_response": None,
        "network_response_code": "00" if body["response"] == "1000" else None,
        "network_response_text": "Successful approval" if body["response"] == "1000" else None,
        "merchant_advice_code": None,
        "network_transaction_id": body["network_id"] or None,
        "voice_referral_number": None,
        "purchase_order_number": None,
        "tax_amount": None,
        "tax_exempt": False,
        **paid_with(one.id, instrument, body["customer"]),
        "status_history": Many("status_event", [_event(body, entry) for entry in body["history"]]),
        "plan_id": None,
        "subscription_id": None,
        "subscription": {"billing_period_end_date": None, "billing_period_start_date": None},
        "add_ons": Many("add_on", ()),
        "discounts": Many("discount", ()),
        "descriptor": {"name": body["descriptor"] or None, "phone": None, "url": None},
        "recurring": body["source"] == "recurring",
        "channel": None,
        "service_fee_amount": None,
        "escrow_status": None,
        "disbursement_details": dict.fromkeys(_DISBURSEMENT.split()),
        "disputes": Many("dispute", family.disputes),
        "authorization_adjustments": Many("authorization_adjustment", ()),
        "payment_instrument_type": instrument.kind,
        "processor_settlement_response_code": body["settlement"],
        "processor_settlement_response_text": settlement_text(body["settlement"]),
        "three_d_secure_info": checked(instrument),
        "authorization_expires_at": Moment(body["expires"]) if body["expires"] else None,
        "retry_ids": Many("item", ()),
        "retried_transaction_id": None,
        "global_id": global_id("transaction", one.id),
    }
    return shown


def _batch(body: Mapping[str, Any]) -> str | None:
    day = time.strftime("%Y-%m-%d", time.gmtime(body["updated"]))
    return f"{day}_{body['account']}" if body["status"] in ("settled", "settling") else None


def _event(body: Mapping[str, Any], entry: Sequence[Any]) -> dict[str, Any]:
    at, status, amount = entry
    return {
        "timestamp": Moment(at),
        "status": status,
        "amount": decimal(amount, body["currency"]),
        "user": "emulator",
        "transaction_source": "api",
    }
