"""How disputes stand, which status may follow which, and what each means for the payment's amounts: tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Protocol

from .money import Money


class DisputeStatus(StrEnum):
    """How a dispute stands at its gateway, which alone decides it. What each means: `MEANINGS`."""

    WARNING = "warning"
    CLOSED = "closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    ACCEPTED = "accepted"
    WON = "won"
    LOST = "lost"


_S = DisputeStatus
DISPUTE_TRANSITIONS: Mapping[DisputeStatus, frozenset[DisputeStatus]] = {
    _S.WARNING: frozenset(_S) - {_S.WARNING},
    _S.CLOSED: frozenset({_S.NEEDS_RESPONSE, _S.UNDER_REVIEW, _S.ACCEPTED, _S.WON, _S.LOST}),
    _S.NEEDS_RESPONSE: frozenset({_S.UNDER_REVIEW, _S.ACCEPTED, _S.WON, _S.LOST}),
    _S.UNDER_REVIEW: frozenset({_S.NEEDS_RESPONSE, _S.ACCEPTED, _S.WON, _S.LOST}),
    _S.ACCEPTED: frozenset({_S.WON, _S.LOST}),
    # Either side may appeal, and then it goes on.
    _S.WON: frozenset({_S.NEEDS_RESPONSE, _S.UNDER_REVIEW, _S.ACCEPTED, _S.LOST}),
    _S.LOST: frozenset({_S.NEEDS_RESPONSE, _S.UNDER_REVIEW, _S.WON}),
}
OPEN = frozenset({_S.NEEDS_RESPONSE, _S.UNDER_REVIEW})
"""The statuses of a dispute over money that the gateway has taken back for now."""
UNDECIDED = OPEN | {_S.WARNING}
"""The statuses in which the gateway is asked again from time to time."""

# The payment's sum that a dispute counts in. A warning takes no money, and neither does one that is won.
_COUNTED_IN: Mapping[DisputeStatus, str] = {
    **dict.fromkeys(OPEN, "disputed_minor"),
    _S.ACCEPTED: "charged_back_minor",
    _S.LOST: "charged_back_minor",
}

MEANINGS: Mapping[DisputeStatus, str] = {
    _S.WARNING: "the payer's bank asks; no money is taken, and a refund may end it",
    _S.CLOSED: "a warning that ended without a dispute",
    _S.NEEDS_RESPONSE: "the gateway has taken the money back, and takes evidence until `respond_by`",
    _S.UNDER_REVIEW: "the evidence is with the payer's bank",
    _S.ACCEPTED: "given back without a contest, by the merchant or by a service that prevents disputes",
    _S.WON: "the merchant keeps the money",
    _S.LOST: "the payer keeps it",
}


class Contested(Protocol):
    """A payment's amounts, in minor units, as far as disputes move them."""

    @property
    def amount(self) -> Money:
        """What was asked for."""

    @property
    def disputed_minor(self) -> int:
        """What open disputes are about."""

    @property
    def charged_back_minor(self) -> int:
        """What disputes have given back to the payer for good."""


def contested(payment: Contested, data: Mapping[str, Any]) -> dict[str, int]:
    """The amounts that an event of a dispute changes, as they are after it; empty where it is about another charge.

    The event tells how the dispute stood before and how it stands, so that several disputes add up in any order.
    """
    if not data["own_charge"]:
        return {}
    after, before = sums(payment, [data]), sums(payment, [data["before"]] if data["before"] else [])
    return {name: getattr(payment, name) + after[name] - before[name] for name in after}


def sums(payment: Contested, standing: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What disputes of the payment's own charge come to, each as `status`, `amount_minor` and `dispute_currency`.

    In another currency nobody can say for which part of the payment one is, so it counts for all of it.
    """
    found = {"disputed_minor": 0, "charged_back_minor": 0}
    for one in standing:
        counted_in = _COUNTED_IN.get(DisputeStatus(one["status"]))
        if counted_in is not None:
            is_ours = one["dispute_currency"] == payment.amount.currency
            found[counted_in] += one["amount_minor"] if is_ours else payment.amount.minor
    return found
