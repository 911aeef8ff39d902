"""Codes of authenticators (TOTP, RFC 6238): six digits, a new one every 30 s, each taken once."""

from __future__ import annotations

import hmac
import re

import pyotp

PERIOD_S = 30
# A code of the period before and one of the next are taken too, because clocks differ and people type slowly.
_DRIFT = 1
_FORM = re.compile(r"[0-9]{6}", re.ASCII)
_ISSUER = "AegisPay"


def new_secret() -> str:
    """A secret of 160 bits in base32, as authenticators take it."""
    return pyotp.random_base32()


def uri(secret: str, name: str) -> str:
    """The address that an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_ISSUER)


def code_at(secret: str, now_s: float) -> str:
    """The code of this moment, in seconds since 1970."""
    return pyotp.TOTP(secret).at(int(now_s))


def step_of(secret: str, code: str, now_s: float) -> int | None:
    """The number of the period whose code this is, or None. All that could be are compared, so it always takes as long."""
    code = code.replace(" ", "")
    generator, now, found = pyotp.TOTP(secret), int(now_s) // PERIOD_S, None
    for step in range(now - _DRIFT, now + _DRIFT + 1):
        is_it = hmac.compare_digest(
            generator.at(step * PERIOD_S), code if _FORM.fullmatch(code) else "------"
        )
        found = step if is_it else found
    return found
