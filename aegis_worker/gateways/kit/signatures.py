"""Signatures of webhooks: HMAC-SHA-256 in hexadecimal, and the age of what was signed. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection

_MOST_DIGITS = 12


def is_signed(secrets: Collection[str], message: bytes, given: Collection[str]) -> bool:
    """Whether one of `given` is the HMAC-SHA-256 of `message` under one of the secrets, in lower-case hexadecimal.

    While a secret is exchanged there are two, and some gateways sign with both. Signatures are compared in constant time.
    An empty secret signs nothing, because everybody knows it.
    """
    made = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets if secret]
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in made for other in given]
    return any(matches)


def signed_at_s(text: str) -> int | None:
    """The seconds since 1970 in a signature. None if the text is not such a number."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def is_recent(at_s: int, now_s: float, tolerance_s: float) -> bool:
    """Whether a signature was made within `tolerance_s` of now, before or after, because clocks differ."""
    return abs(now_s - at_s) <= tolerance_s
