"""Signs notifications item by item: docs.adyen.com/development-resources/webhooks/verify-hmac-signatures. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

_SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")


def signature(secret: str, item: dict[str, Any]) -> str:
    """Base64 of the HMAC-SHA-256 of eight fields with colons between them. The secret has its key in hexadecimal."""
    fields = [str(item.get(name, "")) for name in _SIGNED]
    fields += [str(item["amount"]["value"]), item["amount"]["currency"], item["eventCode"], item["success"]]
    return base64.b64encode(
        hmac.digest(bytes.fromhex(secret), ":".join(fields).encode(), hashlib.sha256)
    ).decode()


def signed(secret: str, timestamp: int, body: bytes) -> tuple[dict[str, str], bytes]:
    """A notification with one item, from the item as it lies in the queue. It has no age."""
    item = json.loads(body)
    item["additionalData"] = {"hmacSignature": signature(secret, item)}
    return {}, json.dumps(
        {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
    ).encode()
