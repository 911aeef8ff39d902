"""The key of a call at its gateway, which is our reference there as well."""

from __future__ import annotations

import re

from .outcomes import Operation

# One letter each: with the payment's id and the number the key stays within 40 characters, the shortest limit that a
# gateway has for our reference (Razorpay's receipt).
_LETTER = {
    Operation.INITIATE: "i",
    Operation.AUTHENTICATE: "a",
    Operation.PROCESS: "p",
    Operation.CAPTURE: "c",
    Operation.VOID: "v",
    Operation.REFUND: "r",
}
_KEY = re.compile(r"(pay_[0-9a-f]{32})-([iapcvr])([0-9]{1,3})")
_CHARGING = "iap"


def gateway_key(payment_id: str, operation: Operation, number: int) -> str:
    """The idempotency key and reference of an operation at a gateway: the same for every send of the same attempt."""
    return f"{payment_id}-{_LETTER[operation]}{number}"


def keys_of_same_hop(key: str) -> frozenset[str]:
    """The keys under which one charge may be known at its gateway, whichever of its steps made it there.

    A capture, void or refund has a key of its own, and so has whatever `gateway_key` did not make.
    """
    found = _KEY.fullmatch(key)
    if found is None or found[2] not in _CHARGING:
        return frozenset({key})
    return frozenset(f"{found[1]}-{letter}{found[3]}" for letter in _CHARGING)


def parse_gateway_key(key: str) -> tuple[str, int] | None:
    """The payment and the number of the attempt that `gateway_key` was given, or None for anything else."""
    found = _KEY.fullmatch(key)
    return (found[1], int(found[3])) if found else None
