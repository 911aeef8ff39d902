"""Webhooks of emulated gateways as a shop gets them: which are about a payment, and which are genuine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from urllib.parse import parse_qs, urlsplit

from Adyen.util import is_valid_hmac_notification
from braintree.exceptions.invalid_signature_error import InvalidSignatureError
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from support.braintree_process import sdk
from support.emulated_gateways import Emulated
from support.merchant_server import Received, Sink
from support.payers import request_to


def told_of(at: Emulated, shop: Sink, reference: str) -> list[Received]:
    """What came from the gateway about the payment with this reference, in the order in which it came."""
    return [one for one in shop.at(f"/{at.name}") if reference.encode() in _said(at, one.body)]


def _said(at: Emulated, body: bytes) -> bytes:
    """What a webhook says: Braintree's is base64 in a form."""
    if at.name != "braintree":
        return body
    payload = parse_qs(body.decode()).get("bt_payload", [""])[0]
    return base64.b64decode(payload + "=" * (-len(payload) % 4))


def is_genuine(at: Emulated, webhook: Received) -> bool:
    """Whether its signature is one of the gateway's secret over this body."""
    if at.name == "adyen":
        items = json.loads(webhook.body)["notificationItems"]
        signed = [one["NotificationRequestItem"] for one in items]
        return all(
            one["additionalData"]["hmacSignature"] and is_valid_hmac_notification(one, at.secret)
            for one in signed
        )
    if at.name == "braintree":
        return _parsed_by_braintree(at, webhook)
    if at.name == "paypal":
        return _signed_by_certificate(at, webhook)
    if at.name == "razorpay":
        signature = hmac.new(at.secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        return webhook.headers.get("x-razorpay-signature") == signature
    given = webhook.headers.get(f"{at.name}-signature", "")
    parts = dict(part.split("=", 1) for part in given.split(",") if part)
    message = f"{parts.get('t')}.".encode() + webhook.body
    return parts.get("v1") == hmac.new(at.secret.encode(), message, hashlib.sha256).hexdigest()


def _parsed_by_braintree(at: Emulated, webhook: Received) -> bool:
    form = parse_qs(webhook.body.decode())
    try:
        sdk(at.url, at.secret).webhook_notification.parse(
            form.get("bt_signature", ["none"])[0], form["bt_payload"][0]
        )
    except InvalidSignatureError:
        return False
    return True


def _signed_by_certificate(at: Emulated, webhook: Received) -> bool:
    given = webhook.headers
    if "paypal-transmission-sig" not in given:
        return False
    pem = request_to(urlsplit(at.url).netloc, "GET", urlsplit(given["paypal-cert-url"]).path, b"", {}).body
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    ids = (given["paypal-transmission-id"], given["paypal-transmission-time"], at.secret)
    message = "|".join([*ids, str(zlib.crc32(webhook.body))]).encode()
    signature = base64.b64decode(given["paypal-transmission-sig"])
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
