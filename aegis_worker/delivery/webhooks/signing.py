"""Signatures after Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, in base64, as `v1,<signature>`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from functools import lru_cache

from aegis_worker.errors import InvalidWebhook

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_PREFIX = "whsec_"
_MAX_SIGNATURES = 10


@lru_cache(maxsize=1024)
def endpoint_secret(secret: str, endpoint_id: str, version: int) -> str:
    """The secret of an endpoint, `whsec_…`. Derived from the installation's secret and stored nowhere."""
    message = f"webhook:{endpoint_id}:{version}".encode()
    return _PREFIX + base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`. Raises ValueError for a secret that is not `whsec_` and base64."""
    return "v1," + base64.b64encode(_digest(secret, message_id, str(timestamp_s), body)).decode()


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    tolerance_s: float = 300.0,
    *,
    now_s: float | None = None,
) -> str:
    """Check a webhook as its receiver; returns its id, on which to dedupe. `body` is the raw body, before any parsing.

    The sender's time may be `tolerance_s` away from ours, either way. Any one of several signatures may match: while
    a secret is exchanged there are two. Raises InvalidWebhook, and ValueError for a malformed secret.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = given[ID], given[TIMESTAMP], given[SIGNATURE]
    except KeyError as error:
        raise InvalidWebhook(f"header {error.args[0]} is missing") from error
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise InvalidWebhook("webhook-timestamp is not a number of seconds")
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > tolerance_s:
        raise InvalidWebhook(f"webhook-timestamp is more than {tolerance_s:g} s away")
    expected = _digest(secret, message_id, timestamp, body)
    for signature in signatures.split()[:_MAX_SIGNATURES]:
        version, _, encoded = signature.partition(",")
        if version == "v1" and hmac.compare_digest(_decoded(encoded), expected):
            return message_id
    raise InvalidWebhook("no signature matches")


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(_key(secret), b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body), "sha256")


@lru_cache(maxsize=1024)
def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError("a webhook secret starts with whsec_")
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""
