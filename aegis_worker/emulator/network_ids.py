"""Card networks' ids of charges, as the emulated gateways give and check them. Pure.

They are alike at all of them, so that one that a gateway gave is known at another, as with real networks.
"""

from __future__ import annotations

import hashlib

_DIGITS, _MODULUS = 12, 997


def network_id_of(charge_id: str) -> str:
    """The id of a charge: fifteen digits that begin with 0 (no card's do), the last three a check of the others."""
    number = int.from_bytes(hashlib.sha256(charge_id.encode()).digest()[:8]) % 10 ** (_DIGITS - 1)
    return f"0{number:0{_DIGITS - 1}d}{number % _MODULUS:03d}"


def is_network_id(text: object) -> bool:
    """Whether an emulated gateway gave it."""
    if type(text) is not str or not (text.isascii() and text.isdecimal() and len(text) == _DIGITS + 3):
        return False
    return int(text[:_DIGITS]) % _MODULUS == int(text[_DIGITS:])
