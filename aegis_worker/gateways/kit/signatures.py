"""Signatures of webhooks: HMAC-SHA-256 in hexadecimal, and the age of what was signed. Pure."""

from __future__ import annotations

import hashlib
import hmac

_MOST_DIGITS = 12


def is_signed(secret: str, message: bytes, given: str) -> bool:
    """Whether `given` is the HMAC-SHA-256 of `message` in lower-case hexadecimal, compared in constant time.

    With an empty secret the answer is always no, because everybody knows an empty secret.
    """
    if not secret:
        return False
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), given.encode())


def signed_at_s(text: str) -> int | None:
    """The seconds since 1970 in a signature. None if the text is not such a number."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def is_recent(at_s: int, now_s: float, tolerance_s: float) -> bool:
    """Whether a signature was made within `tolerance_s` of now, before or after, because clocks differ."""
    return abs(now_s - at_s) <= tolerance_s
