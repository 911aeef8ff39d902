"""Signatures after Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, in base64, as `v1,<signature>`.

What a receiver does with them is `aegis_client.webhooks`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_PREFIX = "whsec_"


@lru_cache(maxsize=1024)
def endpoint_secret(secret: str, endpoint_id: str, version: int) -> str:
    """The secret of an endpoint, `whsec_…`. Derived from the installation's secret and stored nowhere."""
    message = f"webhook:{endpoint_id}:{version}".encode()
    return _PREFIX + base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`. Raises ValueError for a secret that is not `whsec_` and base64."""
    return "v1," + base64.b64encode(_digest(secret, message_id, str(timestamp_s), body)).decode()


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(_key(secret), b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body), "sha256")


@lru_cache(maxsize=1024)
def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError("a webhook secret starts with whsec_")
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
