"""Braintree's notifications: checks that they are genuine, and translates them.

A notification is a form of two fields: `bt_payload`, which is XML in base64, and `bt_signature`, which has a pair of
public key and signature for each of the merchant's keys. A signature is the HMAC-SHA-1 of the payload as it came, under the
SHA-1 of the private key. Braintree delivers for a day, so a notification may be that old. It has no id, and its time may
be that of its delivery, so it is known again by its kind and what it is about. There is none for a charge that was
approved. Source: developer.paypal.com/braintree/docs/guides/webhooks/overview, and the SDK's
`WebhookNotificationGateway`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..kit.reading import Unreadable, child, identifier
from ..kit.signatures import is_recent
from ..kit.xml import MOST_BYTES, parsed_xml
from .disputes import account_of
from .objects import Holder, Transaction, id_if_any, moment, read_transaction
from .standing import ours

# "Every hour for up to 24 hours", with an hour for clocks that differ.
SIGNATURE_AGE_S = 25 * 3600
_MOST_FIELDS, _MOST_SIGNATURES = 10, 20
_PAYLOAD = re.compile(r"[A-Za-z0-9+/=\n]+")
_CHALLENGE = re.compile(r"[a-f0-9]{20,32}")
_CHECK = "check"
_OF_TRANSACTIONS = {
    "refund_failed": "failed",
    "transaction_disbursed": "settled",
    "transaction_settled": "settled",
    "transaction_settlement_declined": "failed",
}
_OF_DISPUTES = {
    "dispute_opened": "dispute.opened",
    "dispute_disputed": "dispute.updated",
    "dispute_under_review": "dispute.updated",
    "dispute_expired": "dispute.updated",
    "dispute_accepted": "dispute.closed",
    "dispute_auto_accepted": "dispute.closed",
    "dispute_lost": "dispute.closed",
    "dispute_won": "dispute.closed",
}


def read_webhook(
    private_keys: Sequence[str], holder: Holder, body: bytes, now_s: float
) -> tuple[GatewayEvent, ...]:
    """The event, in AegisPay's words; none in a notification that only tries the address out.

    Raises InvalidWebhook if it is forged, too old or no notification.
    """
    payload = _signed_payload(private_keys, body)
    try:
        notification = child(parsed_xml(base64.b64decode(payload)), "notification")
        told_at = moment(notification, "timestamp")
        if told_at is None or not is_recent(round(told_at.timestamp()), now_s, SIGNATURE_AGE_S):
            raise InvalidWebhook("notification too old")
        if notification.get("kind") == _CHECK:
            return ()
        return (_event(notification, holder),)
    except (binascii.Error, Unreadable) as problem:
        raise InvalidWebhook(f"not a notification of Braintree: {problem}") from problem


def answered(challenge: str, public_key: str, private_key: str) -> str:
    """What proves to Braintree that whoever answers has the keys. Raises InvalidWebhook for what is no challenge."""
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidWebhook("no challenge of Braintree")
    return f"{public_key}|{signature(private_key, challenge.encode())}"


def signature(private_key: str, message: bytes) -> str:
    """Braintree's signature of a message, in hexadecimal."""
    return hmac.new(hashlib.sha1(private_key.encode()).digest(), message, hashlib.sha1).hexdigest()


def _signed_payload(private_keys: Sequence[str], body: bytes) -> str:
    """The payload, as one of our keys has signed it. Raises InvalidWebhook."""
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=_MOST_FIELDS)
    except ValueError as problem:
        raise InvalidWebhook("no form") from problem
    fields = dict(pairs)
    payload, given = fields.get("bt_payload", ""), fields.get("bt_signature", "")
    signatures = [pair.partition("|")[2] for pair in given.split("&") if "|" in pair]
    if len(fields) < len(pairs) or len(payload) > MOST_BYTES or not _PAYLOAD.fullmatch(payload):
        raise InvalidWebhook("no payload")
    if not private_keys or not 0 < len(signatures) <= _MOST_SIGNATURES:
        raise InvalidWebhook("no usable signature")
    # A line's end may have been lost on the way: the SDK tries both.
    made = [
        signature(key, message.encode())
        for key in private_keys
        if key
        for message in (payload, f"{payload}\n")
    ]
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in made for other in signatures]
    if not any(matches):
        raise InvalidWebhook("wrong signature")
    return payload


def _event(notification: Mapping[str, Any], holder: Holder) -> GatewayEvent:
    """Raises Unreadable."""
    word, subject = identifier(notification, "kind"), child(notification, "subject")
    if word in _OF_DISPUTES:
        return _of_dispute(word, child(subject, "dispute"), holder)
    if word in _OF_TRANSACTIONS:
        body = child(subject, "transaction")
        event_id = f"{word}:{identifier(body, 'id')}"
        if body.get("type") is None:
            # A disbursement shows little of its transaction.
            kind = f"payment.{_OF_TRANSACTIONS[word]}"
            return GatewayEvent(event_id, id_if_any(body, "order-id"), identifier(body, "id"), kind)
        return _of_transaction(event_id, _OF_TRANSACTIONS[word], read_transaction(body, holder))
    named = next((inner for inner in subject.values() if isinstance(inner, dict)), {})
    about = id_if_any(named, "id")
    return GatewayEvent(
        f"{word}:{about or notification.get('timestamp')}", id_if_any(named, "order-id"), about, word
    )


def _of_transaction(event_id: str, what: str, about: Transaction) -> GatewayEvent:
    if about.type == "credit":
        reference = ours(Operation.REFUND, about.order_id)
        became = "succeeded" if what == "settled" else what
        kind = "payment.refunded" if reference is None else f"refund.{became}"
        return GatewayEvent(event_id, reference or about.order_id, about.sale_id, kind, account=about.account)
    captured = ours(Operation.CAPTURE, about.order_id)
    if captured is not None and what != "settled":
        return GatewayEvent(event_id, captured, about.id, f"capture.{what}", account=about.account)
    # What a capture took is no longer the payment's amount.
    amount = Money(about.authorized_minor, about.amount.currency) if captured is None else None
    return GatewayEvent(event_id, about.order_id, about.id, f"payment.{what}", amount, account=about.account)


def _of_dispute(word: str, body: Mapping[str, Any], holder: Holder) -> GatewayEvent:
    disputed = child(body, "transaction")
    dispute_ref = identifier(body, "id")
    return GatewayEvent(
        f"{word}:{dispute_ref}",
        id_if_any(disputed, "order-id"),
        identifier(disputed, "id"),
        _OF_DISPUTES[word],
        account=account_of(body, holder),
        dispute_ref=dispute_ref,
    )
