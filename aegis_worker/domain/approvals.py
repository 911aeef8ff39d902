"""What one operator asks for and a second one has to approve: when, and how it goes on from there. Pure.

What is approved is exactly what was asked for: the request, about the payment at the version at which it was asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

ApprovalStatus = Literal["asked", "approved", "carried_out", "failed", "refused", "expired"]
"""asked: waits for a second person. approved: is about to be carried out. failed: was approved, and can't be done as it was
asked. refused: by a person, who may be the one who asked. expired: it was not decided, or not carried out, in time, or the
payment moved on.
"""

ApprovalKind = Literal["resolution", "refund"]
"""resolution: a decision about a payment in review. refund: money given back."""

APPROVAL_STATUSES: tuple[ApprovalStatus, ...] = get_args(ApprovalStatus)
APPROVAL_KINDS: tuple[ApprovalKind, ...] = get_args(ApprovalKind)

MOVES: Mapping[ApprovalStatus, frozenset[ApprovalStatus]] = {
    "asked": frozenset({"approved", "refused", "expired"}),
    "approved": frozenset({"carried_out", "failed", "expired"}),
    "carried_out": frozenset(),
    "failed": frozenset(),
    "refused": frozenset(),
    "expired": frozenset(),
}
OPEN: tuple[ApprovalStatus, ...] = tuple(status for status in APPROVAL_STATUSES if MOVES[status])
"""Those from which an approval still moves on."""

EVERY_OTHER_CURRENCY = "*"


def takes_two(limits: Mapping[str, int] | None, currency: str, minor: int) -> bool:
    """Whether an amount needs a second person. `limits`: minor units by currency, above which it does; None: never.

    A currency that isn't named, where `*` isn't either, needs one for any amount.
    """
    if limits is None:
        return False
    limit = limits.get(currency, limits.get(EVERY_OTHER_CURRENCY, -1))
    return minor > limit


def request_digest(kind: ApprovalKind, payment_id: str, version: int, request: Mapping[str, Any]) -> bytes:
    """The SHA-256 of what is asked for: of canonical JSON of kind, payment, its version, and the request itself."""
    asked = {"kind": kind, "payment_id": payment_id, "payment_version": version, "request": dict(request)}
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()
