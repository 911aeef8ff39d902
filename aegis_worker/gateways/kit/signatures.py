"""Signatures of webhooks: HMAC-SHA-256 in hexadecimal, and the age of what was signed. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping

from aegis_worker.errors import InvalidWebhook

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


def check_timed_signature(
    header: str,
    secrets: Collection[str],
    headers: Mapping[str, str],
    body: bytes,
    now_s: float,
    age_s: float,
    *,
    most: int = 1,
) -> None:
    """Check `t=<s since 1970>,v1=<hex HMAC-SHA-256 of "t.body">` in this header, made within `age_s` of now.

    `most`: how many `v1` it may have; more than one only where the gateway signs with each of its secrets while one rolls,
    because a header that says two things could be read in two ways. Raises InvalidWebhook. Source:
    docs.stripe.com/webhooks.
    """
    given = next((value for name, value in headers.items() if name.lower() == header.lower()), "")
    pairs = [part.split("=", 1) for part in given.split(",") if "=" in part]
    times = [value for name, value in pairs if name.strip() == "t"]
    signatures = [value for name, value in pairs if name.strip() == "v1"]
    at_s = signed_at_s(times[0]) if len(times) == 1 else None
    if not secrets or at_s is None or not 0 < len(signatures) <= most:
        raise InvalidWebhook("no usable signature")
    if not is_signed(secrets, f"{times[0]}.".encode() + body, signatures):
        raise InvalidWebhook("wrong signature")
    if not is_recent(at_s, now_s, age_s):
        raise InvalidWebhook("signature too old")
