"""The key of a call at its gateway, which is our reference there as well."""

from __future__ import annotations

import re

from .outcomes import Operation

FIRST_ORDERED = 101
"""Attempts that a merchant ordered (captures, voids, refunds) are numbered from here on; the ones before are hops, and
the voids and refunds that give back a charge too many of the hop of their number."""
MOST_ORDERED = 899

# One letter each: with the payment's id and the number the key stays within 40 characters, the shortest limit that a
# gateway has for our reference (Razorpay's receipt). A third digit takes the place of the dash.
_LETTER = {
    Operation.INITIATE: "i",
    Operation.AUTHENTICATE: "a",
    Operation.PROCESS: "p",
    Operation.CONFIRM: "d",
    Operation.CAPTURE: "c",
    Operation.VOID: "v",
    Operation.REFUND: "r",
    Operation.CLOSE: "z",
}
_ORDERED_LETTER = {Operation.CAPTURE: "c", Operation.VOID: "x", Operation.REFUND: "b"}
_BY_LETTER = {letter: operation for operation, letter in _LETTER.items()}
_ORDERED = {letter: operation for operation, letter in _ORDERED_LETTER.items()}
_KEY = re.compile(r"(pay_[0-9a-f]{32})(?:-([iapdcvrz])([0-9]{1,3})|([cxb])([0-9]{3}))")
_PAYMENT = re.compile(r"pay_[0-9a-f]{32}")
_CHARGING = "iap"


def is_ordered(number: int) -> bool:
    """Whether the attempt of this number was ordered by a merchant, and is no part of a hop."""
    return number >= FIRST_ORDERED


def order_number(number: int) -> int:
    """Which capture, void or refund of its payment the attempt of this number is, from 1."""
    return number - FIRST_ORDERED + 1


def gateway_key(payment_id: str, operation: Operation, number: int) -> str:
    """The idempotency key and reference of an operation at a gateway: the same for every send of the same attempt.

    What a merchant orders and the reversal of a charge too many never share one: their letters differ.
    """
    if is_ordered(number):
        return f"{payment_id}{_ORDERED_LETTER[operation]}{number}"
    return f"{payment_id}-{_LETTER[operation]}{number}"


def keys_of_same_hop(key: str) -> frozenset[str]:
    """The keys under which one charge may be known at its gateway, whichever of its steps made it there.

    A capture, void or refund has a key of its own, and so has whatever `gateway_key` did not make.
    """
    found = _KEY.fullmatch(key)
    if found is None or found[2] is None or found[2] not in _CHARGING:
        return frozenset({key})
    return frozenset(f"{found[1]}-{letter}{found[3]}" for letter in _CHARGING)


def ordered_in(key: str) -> Operation | None:
    """What a merchant ordered under the key; None for any other key."""
    found = _KEY.fullmatch(key)
    return None if found is None or found[4] is None else _ORDERED[found[4]]


def parse_gateway_key(key: str) -> tuple[str, int] | None:
    """The payment and the number of the attempt that `gateway_key` was given, or None for anything else."""
    found = _KEY.fullmatch(key)
    return (found[1], int(found[3] or found[5])) if found else None


def attempt_named_by(key: str) -> tuple[Operation, int] | None:
    """The operation and the number of the attempt that `gateway_key` was given, or None for anything else."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return (_BY_LETTER[found[2]], int(found[3])) if found[2] else (_ORDERED[found[4]], int(found[5]))


def named_by(reference: str) -> tuple[str, int | None] | None:
    """The payment that a reference names, and the number of the attempt, or None where it is the payment's id alone.

    None for anything else.
    """
    if _PAYMENT.fullmatch(reference):
        return reference, None
    return parse_gateway_key(reference)
