"""PayPal's webhooks: checks that they are genuine, and translates them.

A transmission is signed with a certificate of PayPal's: RSA with SHA-256 over `id|time|webhook id|CRC-32 of the body`. The
certificate's URL comes with it, so it is fetched from PayPal's own hosts only, and never while PayPal waits for an answer.
Any body can be made to fit a CRC-32: whoever has seen a transmission could sign another body with it, for as long as it is
recent. So an event is a hint, as those of every gateway that can be asked. Source:
developer.paypal.com/api/rest/webhooks/rest, "Verify signature".
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..kit.certificates import Certificate, is_signed_with
from ..kit.reading import Unreadable, child, children, identifier, parsed
from ..kit.signatures import is_recent
from .objects import account_of, money
from .standing import ours

SIGNATURE_AGE_S = 1800
HEADERS = (
    "paypal-transmission-id",
    "paypal-transmission-time",
    "paypal-transmission-sig",
    "paypal-cert-url",
    "paypal-auth-algo",
)
_HOSTS: Mapping[Mode, tuple[str, ...]] = {
    "live": ("api.paypal.com", "api-m.paypal.com"),
    "test": ("api.sandbox.paypal.com", "api-m.sandbox.paypal.com"),
}
_NAMES: Mapping[Mode, tuple[str, ...]] = {
    "live": ("messageverificationcerts.paypal.com",),
    "test": ("messageverificationcerts.sandbox.paypal.com", "messageverificationcerts.paypal.com"),
}
_CERTIFICATE = re.compile(r"/v1/notifications/certs/[A-Za-z0-9_-]{1,100}")
_ALGORITHM, _LONGEST_HEADER = "SHA256withRSA", 1000

_OF_CAPTURES = {
    "PAYMENT.CAPTURE.COMPLETED": "succeeded",
    "PAYMENT.CAPTURE.DECLINED": "failed",
    "PAYMENT.CAPTURE.DENIED": "failed",
    "PAYMENT.CAPTURE.PENDING": "pending",
}
_OF_REFUNDS = {
    "PAYMENT.CAPTURE.REFUNDED": "succeeded",
    "PAYMENT.CAPTURE.REVERSED": "succeeded",
    "PAYMENT.REFUND.FAILED": "failed",
    "PAYMENT.REFUND.PENDING": "pending",
}
_OF_ORDERS = {
    "CHECKOUT.ORDER.APPROVED": "payment.authenticated",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED": "payment.failed",
    "PAYMENT.AUTHORIZATION.CREATED": "payment.authorized",
    "PAYMENT.AUTHORIZATION.VOIDED": "payment.voided",
}
_OF_DISPUTES = {
    "CUSTOMER.DISPUTE.CREATED": "dispute.opened",
    "CUSTOMER.DISPUTE.UPDATED": "dispute.updated",
    "CUSTOMER.DISPUTE.RESOLVED": "dispute.closed",
}


class Transmission(Struct, frozen=True):
    """One delivery of an event, as its headers say. `time` is the text that is signed."""

    id: str
    time: str
    certificate_url: str
    signature: bytes


def names_of(mode: Mode) -> tuple[str, ...]:
    """The names that PayPal's certificates for webhooks have."""
    return _NAMES[mode]


def signing_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Of a webhook's headers, those that its signature is about."""
    return {name.lower(): value for name, value in headers.items() if name.lower() in HEADERS}


def read_transmission(
    headers: Mapping[str, str], mode: Mode, base_url: str, received_at: datetime
) -> Transmission:
    """Check all that can be checked without the certificate. `base_url`: where PayPal's API is. Raises InvalidWebhook."""
    given = signing_headers(headers)
    id_, time, signature, url, algorithm = (given.get(name, "") for name in HEADERS)
    if not (id_ and signature) or any(len(given.get(name, "")) > _LONGEST_HEADER for name in HEADERS):
        raise InvalidWebhook("no usable signature")
    if algorithm != _ALGORITHM:
        raise InvalidWebhook("signed in an unknown way")
    if not _is_pinned(url, mode, base_url):
        raise InvalidWebhook("a certificate that is not PayPal's")
    if not is_recent(_sent_at_s(time), received_at.timestamp(), SIGNATURE_AGE_S):
        raise InvalidWebhook("signature too old")
    try:
        return Transmission(id_, time, url, base64.b64decode(signature, validate=True))
    except (binascii.Error, ValueError) as problem:
        raise InvalidWebhook("no usable signature") from problem


def read_event(
    transmission: Transmission, certificate: Certificate, webhook_ids: Collection[str], body: bytes
) -> GatewayEvent:
    """The event of a transmission that one of our webhooks was sent, in AegisPay's words. Raises InvalidWebhook."""
    crc = zlib.crc32(body)
    messages = [f"{transmission.id}|{transmission.time}|{webhook_id}|{crc}" for webhook_id in webhook_ids]
    if not any(is_signed_with(certificate, one.encode(), transmission.signature) for one in messages):
        raise InvalidWebhook("wrong signature")
    try:
        return _event(parsed(body))
    except Unreadable as problem:
        raise InvalidWebhook(f"not an event of PayPal: {problem}") from problem


def _is_pinned(url: str, mode: Mode, base_url: str) -> bool:
    """Whether it is a certificate's address at PayPal, or where the gateway's own API is."""
    try:
        place, api = urlsplit(url), urlsplit(base_url)
    except ValueError:
        return False
    if place.query or place.fragment or not _CERTIFICATE.fullmatch(place.path):
        return False
    at_paypal = place.scheme == "https" and place.netloc in _HOSTS[mode]
    return at_paypal or _origin(place) == _origin(api)


def _origin(place: SplitResult) -> tuple[str, str]:
    return place.scheme, place.netloc


def _sent_at_s(text: str) -> int:
    try:
        sent_at = datetime.fromisoformat(text)
    except ValueError as problem:
        raise InvalidWebhook("no time of transmission") from problem
    if sent_at.tzinfo is None:
        raise InvalidWebhook("a time of transmission without an offset")
    return round(sent_at.timestamp())


def _event(event: Mapping[str, Any]) -> GatewayEvent:
    """Raises Unreadable."""
    event_id, word, about = identifier(event, "id"), identifier(event, "event_type"), child(event, "resource")
    if word in _OF_DISPUTES:
        return _of_dispute(event_id, _OF_DISPUTES[word], about)
    if word in _OF_CAPTURES:
        reference = _reference(about)
        is_ordered = ours(Operation.CAPTURE, reference) is not None
        kind = f"{'capture' if is_ordered else 'payment'}.{_OF_CAPTURES[word]}"
        return GatewayEvent(
            event_id,
            reference,
            _order_of(about),
            kind,
            money(about, "amount"),
            account=account_of(about, "payee"),
        )
    if word in _OF_REFUNDS:
        reference = _reference(about)
        is_ordered = ours(Operation.REFUND, reference) is not None
        kind = f"refund.{_OF_REFUNDS[word]}" if is_ordered else "payment.refunded"
        return GatewayEvent(event_id, reference, _order_of(about), kind)
    return _of_order(event_id, word, about)


def _of_order(event_id: str, word: str, about: Mapping[str, Any]) -> GatewayEvent:
    """An order, an authorization, or something that is not known."""
    units = about.get("purchase_units")
    shows = children(about, "purchase_units")[0] if isinstance(units, list) and units else about
    amount: Money | None = money(shows, "amount") if word in _OF_ORDERS and shows.get("amount") else None
    is_order = shows is not about
    return GatewayEvent(
        event_id,
        _reference(shows),
        (_id_if_any(about, "order_id") or _id_if_any(about, "id")) if is_order else _order_of(about),
        _OF_ORDERS.get(word, word),
        amount,
        account=account_of(shows, "payee"),
    )


def _of_dispute(event_id: str, kind: str, about: Mapping[str, Any]) -> GatewayEvent:
    """It names the capture that it is about, by PayPal's id and by our reference."""
    transactions = children(about, "disputed_transactions")
    disputed = transactions[0] if transactions else {}
    return GatewayEvent(
        event_id,
        _id_if_any(disputed, "invoice_number") or _id_if_any(disputed, "custom"),
        None,
        kind,
        account=account_of(disputed, "seller"),
        dispute_ref=identifier(about, "dispute_id"),
    )


def _reference(about: Mapping[str, Any]) -> str | None:
    """Our key; of what nobody here asked for, such as a chargeback, perhaps the payment's id alone."""
    return _id_if_any(about, "invoice_id") or _id_if_any(about, "custom_id")


def _order_of(about: Mapping[str, Any]) -> str | None:
    related = about.get("supplementary_data")
    ids = related.get("related_ids") if isinstance(related, dict) else None
    return _id_if_any(ids, "order_id") if isinstance(ids, dict) else None


def _id_if_any(body: Mapping[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else identifier(body, name)
