"""Check webhooks as their receiver: Standard Webhooks 1.0, HMAC-SHA256 over `id.timestamp.body`, in base64.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from .errors import InvalidWebhook

_PREFIX = "whsec_"
_MAX_SIGNATURES = 10
# The least that Standard Webhooks asks for.
_LEAST_KEY_BYTES = 24


def event_of(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_s: float = 300.0,
    now_s: float | None = None,
) -> dict[str, Any]:
    """The event of a webhook whose signature is right. Events may come more than once: dedupe on the event's `id`.

    `body`: the raw body, before any parsing. The sender's time may be `tolerance_s` away from ours, either way. While a
    secret is exchanged there are two signatures, of which one has to match. Raises InvalidWebhook, and ValueError for a
    malformed secret.
    """
    verify(secret, headers, body, tolerance_s=tolerance_s, now_s=now_s)
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidWebhook("the body is no JSON") from error
    if not isinstance(event, dict):
        raise InvalidWebhook("the body is no JSON object")
    return event


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_s: float = 300.0,
    now_s: float | None = None,
) -> str:
    """The id of a webhook whose signature is right. Raises as `event_of` does."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = (
            given[f"webhook-{name}"] for name in ("id", "timestamp", "signature")
        )
    except KeyError as error:
        raise InvalidWebhook(f"header {error.args[0]} is missing") from error
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise InvalidWebhook("webhook-timestamp is not a number of seconds")
    away_s = abs((time.time() if now_s is None else now_s) - int(timestamp))
    if not away_s <= tolerance_s:  # nor if it is NaN
        raise InvalidWebhook(f"webhook-timestamp is more than {tolerance_s:g} s away")
    signed = b"%b.%b.%b" % (message_id.encode(errors="backslashreplace"), timestamp.encode(), body)
    expected = hmac.digest(_key(secret), signed, hashlib.sha256)
    for signature in signatures.split()[:_MAX_SIGNATURES]:
        version, _, encoded = signature.partition(",")
        if version == "v1" and hmac.compare_digest(_decoded(encoded), expected):
            return message_id
    raise InvalidWebhook("no signature matches")


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError("a webhook secret starts with whsec_")
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    if len(key) < _LEAST_KEY_BYTES:
        raise ValueError("a webhook secret has at least 24 bytes")  # anybody could sign with an empty one
    return key


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""
