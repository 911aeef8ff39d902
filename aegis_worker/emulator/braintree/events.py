"""What Braintree tells by itself, and its signature: developer.paypal.com/braintree/docs/guides/webhooks. Pure.

Braintree tells of settlements of ACH and SEPA transactions only; the emulator tells of each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from ..rows import Document
from .contests import dispute_object, status_of
from .shapes import new_id
from .xml import Moment, element

FORM = "application/x-www-form-urlencoded"
PUBLIC_KEY = "public_emulator"
_SIGNATURE, _PAYLOAD = "bt_signature", "bt_payload"


def of_transaction(kind: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """An event about a transaction."""
    return _event(kind, element("transaction", shown))


def of_dispute(before: Document | None, after: Document) -> dict[str, Any]:
    """An event about a dispute; `before` is None for a new one."""
    word = "opened" if before is None else status_of(after.body)
    return _event(f"dispute_{word}", element("dispute", dispute_object(after)))


def check() -> dict[str, Any]:
    """What is sent to try an address."""
    return _event("check", element("check", True))


def _event(kind: str, subject: str) -> dict[str, Any]:
    """As it lies in the queue. Braintree's notifications have no id; this one is for the emulator's page."""
    return {"id": f"wh_{new_id()}", "kind": kind, "subject": subject}


def signature(secret: str, message: bytes) -> str:
    """`public key|hexadecimal HMAC-SHA-1`, under the SHA-1 of the private key. The secret is the private key, or both
    keys with a colon between them.
    """
    public, _, private = secret.rpartition(":")
    key = hashlib.sha1(private.encode(), usedforsecurity=False).digest()
    return f"{public or PUBLIC_KEY}|{hmac.digest(key, message, hashlib.sha1).hex()}"


def signed(secret: str, timestamp: int, body: bytes) -> tuple[dict[str, str], bytes]:
    """The form that is sent at a time, in seconds since 1970, for what lies in the queue."""
    event = json.loads(body)
    moment = element("timestamp", Moment(timestamp))
    kind = element("kind", event["kind"])
    xml = f"<notification>{moment}{kind}<subject>{event['subject']}</subject></notification>"
    payload = base64.encodebytes(xml.encode())
    return {}, urlencode({_SIGNATURE: signature(secret, payload), _PAYLOAD: payload}).encode()


def without_signature(body: bytes) -> bytes:
    """The form without its signature."""
    return urlencode({_PAYLOAD: _field(body, _PAYLOAD)}).encode()


def with_payload(body: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The form with another notification under the old signature: `change` makes it of the old one."""
    xml = change(base64.decodebytes(_field(body, _PAYLOAD).encode()))
    payload = base64.encodebytes(xml)
    return urlencode({_SIGNATURE: _field(body, _SIGNATURE), _PAYLOAD: payload}).encode()


def _field(body: bytes, name: str) -> str:
    return parse_qs(body.decode())[name][0]
