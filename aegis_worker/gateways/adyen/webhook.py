"""Adyen's standard webhooks: checks that they are genuine, and translates them. Pure.

Sources: docs.adyen.com/development-resources/webhooks, and its page verify-hmac-signatures; github.com/Adyen/adyen-openapi,
Webhooks-v1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aegis_worker.domain.money import Money
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..kit.reading import Unreadable, child, children, identifier, one_of, parsed
from .disputes import kind_of
from .items import event_id
from .objects import id_if_any, psp_if_any, read_money
from .references import as_kept

_SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
_BOOL = frozenset({"true", "false"})
# Adyen sends one item in a body, and up to six where the account asks for batches.
_MOST_ITEMS = 100
# By event and success. For any other the event's own word stands.
_KINDS = {
    ("AUTHORISATION", "true"): "payment.authorized",
    ("AUTHORISATION", "false"): "payment.failed",
    ("OFFER_CLOSED", "true"): "payment.failed",
    ("CANCELLATION", "true"): "payment.voided",
    ("TECHNICAL_CANCEL", "true"): "payment.voided",
    ("CAPTURE", "true"): "capture.succeeded",
    ("CAPTURE", "false"): "capture.failed",
    ("CAPTURE_FAILED", "true"): "capture.failed",
    ("REFUND", "true"): "refund.succeeded",
    ("REFUND", "false"): "refund.failed",
    ("REFUND_FAILED", "true"): "refund.failed",
    ("REFUNDED_REVERSED", "true"): "refund.failed",
}


def event_kind(code: str, success: str) -> str:
    """What an event is called here; the event's own word where there is no other for it."""
    return kind_of(code) or _KINDS.get((code, success), code if success == "true" else f"{code} failed")


def read_webhook(secrets: Sequence[str], body: bytes) -> list[GatewayEvent]:
    """The events of a body, in AegisPay's words. Raises InvalidWebhook if one is forged or none."""
    try:
        notification = parsed(body)
        mode = "live" if one_of(notification, "live", _BOOL) == "true" else "test"
        wrapped = children(notification, "notificationItems")
        items = [child(each, "NotificationRequestItem") for each in wrapped]
        if not 0 < len(items) <= _MOST_ITEMS:
            raise Unreadable(f"{len(items)} items")
        for item in items:
            _check_signature(secrets, item)
        return [_event(item, mode) for item in items]
    except Unreadable as problem:
        raise InvalidWebhook(f"not a notification of Adyen: {problem}") from problem


def _check_signature(secrets: Sequence[str], item: Mapping[str, Any]) -> None:
    """Base64 of the HMAC-SHA-256 of eight fields, under a key that the secret has in hexadecimal. Raises InvalidWebhook."""
    more = item.get("additionalData")
    given = more.get("hmacSignature") if isinstance(more, dict) else None
    if not secrets or type(given) is not str or not given:
        raise InvalidWebhook("no usable signature")
    message = ":".join(_signed(item)).encode()
    made = [base64.b64encode(hmac.digest(key_of(secret), message, hashlib.sha256)) for secret in secrets]
    if not any(hmac.compare_digest(one, given.encode()) for one in made):
        raise InvalidWebhook("wrong signature")


def key_of(secret: str) -> bytes:
    """The key that a secret writes in hexadecimal, as Adyen's Customer Area shows it. Raises ValueError."""
    try:
        key = binascii.unhexlify(secret)
    except (binascii.Error, ValueError) as problem:
        raise ValueError("Adyen's HMAC keys are written in hexadecimal") from problem
    if not key:
        raise ValueError("an empty key signs nothing")
    return key


def _signed(item: Mapping[str, Any]) -> list[str]:
    """What is signed, in this order. Nothing else, such as `reason`, is proved to be Adyen's. Raises Unreadable."""
    amount = child(item, "amount")
    fields = [item.get(name, "") for name in _SIGNED]
    fields += [amount.get("value"), amount.get("currency"), item.get("eventCode"), item.get("success")]
    if any(type(field) not in (str, int) for field in fields):
        raise Unreadable("a signed field that is neither text nor number")
    return [str(field) for field in fields]


def _event(item: Mapping[str, Any], mode: str) -> GatewayEvent:
    """Raises Unreadable. References and money that are none of ours are left out: Adyen holds back all its notifications as
    long as one is refused.
    """
    psp, code = as_kept(identifier(item, "pspReference")), identifier(item, "eventCode")
    success = one_of(item, "success", _BOOL)
    # The fields are signed with colons between them, so whoever moves a colon from one field into the next leaves the
    # signature valid. No reference of ours or of Adyen's has one: such an event is about nothing of ours.
    is_plain = not any(":" in field for field in _signed(item))
    is_dispute = kind_of(code) is not None
    return GatewayEvent(
        event_id=event_id(psp, code, success),
        reference=_readable(id_if_any, item, "merchantReference") if is_plain else None,
        gateway_ref=(_readable(psp_if_any, item, "originalReference") or psp) if is_plain else None,
        kind=event_kind(code, success),
        amount=_money(item),
        mode="live" if mode == "live" else "test",
        account=identifier(item, "merchantAccountCode"),
        dispute_ref=psp if is_dispute and is_plain else None,
    )


def _readable(
    read: Callable[[Mapping[str, Any], str], str | None], item: Mapping[str, Any], name: str
) -> str | None:
    try:
        return read(item, name)
    except Unreadable:
        return None


def _money(item: Mapping[str, Any]) -> Money | None:
    try:
        return Money(*read_money(item))
    except Unreadable:
        return None
