"""Challenges that a payer solves in the shop's own frontend, by the gateway's library, as 3-D Secure in an SDK. Pure.

The frontend gets a client secret, and hands back the library's `challenge_result`, which the merchant sends on to
`/v1/payments/{id}/confirm`. Here the library is a few lines: `GET /challenge?client_secret=…` shows both results.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any


def new_secret() -> str:
    """The client secret of a challenge."""
    return f"csec_{secrets.token_hex(12)}"


def results(client_secret: str) -> dict[str, dict[str, str]]:
    """What the library hands back, by how the payer did."""
    return {how: {"challenge_result": _result(client_secret, how)} for how in ("passed", "failed")}


def has_passed(client_secret: str, result: Any) -> bool | None:
    """Whether the payer passed the challenge; None where this is no result of it."""
    known = {_result(client_secret, how): how == "passed" for how in ("passed", "failed")}
    return known.get(result) if client_secret and isinstance(result, str) else None


def _result(client_secret: str, how: str) -> str:
    return f"cres_{hashlib.sha256(f'{how} {client_secret}'.encode()).hexdigest()[:24]}"
