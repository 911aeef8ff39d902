"""What Razorpay tells by itself: razorpay.com/docs/webhooks/payloads. Pure.

An event's id is in a header alone; in the queue it lies beside the body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from .shapes import ACCOUNT, new_id

_SIGNATURE, _EVENT_ID = "X-Razorpay-Signature", "X-Razorpay-Event-Id"


def event(kind: str, about: Mapping[str, Mapping[str, Any]], now: float) -> dict[str, Any]:
    """An event `about` some entities, by their names, as they are at the time."""
    return {
        "id": new_id("evt").removeprefix("evt_"),
        "entity": "event",
        "account_id": ACCOUNT,
        "event": kind,
        "contains": list(about),
        "payload": {name: {"entity": dict(entity)} for name, entity in about.items()},
        "created_at": int(now),
    }


def signature(secret: str, message: bytes) -> str:
    """HMAC-SHA-256 in hexadecimal."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed(secret: str, timestamp: int, queued: bytes) -> tuple[dict[str, str], bytes]:
    """The headers and the body of an event as it lies in the queue; of what is no JSON the signature alone."""
    try:
        body = json.loads(queued)
    except ValueError:
        return {_SIGNATURE: signature(secret, queued)}, queued
    event_id = body.pop("id")
    raw = json.dumps(body, separators=(",", ":")).encode()
    return {_SIGNATURE: signature(secret, raw), _EVENT_ID: event_id}, raw
