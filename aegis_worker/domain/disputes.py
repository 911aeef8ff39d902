"""Disputes: a payer's bank questions a charge. Entities that come from the gateway only (design D15). Pure.

The gateway is asked how a dispute stands, and its newest answer counts. Evidence is given at the gateway and stays there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from .dispute_statuses import DISPUTE_TRANSITIONS, DisputeStatus
from .modes import Mode
from .moments import rfc3339
from .money import Money
from .outcomes import Unknown
from .payment import Fact, Payment
from .transitions import EventType

REASONS: Mapping[str, str] = {
    "fraudulent": "the payer says that they did not make the payment",
    "unrecognized": "the payer does not know the name on their statement",
    "duplicate": "the payer was charged twice",
    "product_not_received": "the goods did not come",
    "product_unacceptable": "the goods are not as described, or broken",
    "subscription_canceled": "the payer had cancelled the subscription",
    "credit_not_processed": "a refund that was promised did not come",
    "authorization": "the bank says that it had not agreed to the charge, or can't carry it out",
    "general": "anything else",
}
"""Why a payer disputes a charge, in our words."""


class DisputeReport(Struct, frozen=True):
    """A dispute as its gateway shows it. `gateway_ref`: the dispute's own id there; `charge_ref`: that of the charge.

    `status`: None for a word that the adapter does not know, which stands in `gateway_status`. `reason`: of `REASONS`;
    `gateway_reason`: the gateway's own code. `respond_by`: until when it takes evidence, None where it wants none.
    """

    gateway_ref: str
    charge_ref: str
    amount: Money
    status: DisputeStatus | None
    gateway_status: str
    reason: str = "general"
    gateway_reason: str | None = None
    respond_by: datetime | None = None

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"{self.reason!r} is no reason of a dispute")


DisputeLookup = DisputeReport | Unknown


class Dispute(Struct, frozen=True):
    """A dispute as we know it. `own_charge`: it is about the charge that its payment stands on."""

    id: str
    payment_id: str
    gateway: str
    own_charge: bool
    status: DisputeStatus
    shown: DisputeReport

    def standing(self) -> dict[str, Any]:
        """How it counts for its payment."""
        amount = self.shown.amount
        return {
            "status": self.status.value,
            "amount_minor": amount.minor,
            "dispute_currency": amount.currency,
        }

    def told(self, before: Dispute | None) -> dict[str, Any]:
        """What its events say of it; `before`: as it was known until then."""
        shown = self.shown
        return {
            "dispute_id": self.id,
            "gateway": self.gateway,
            "gateway_ref": shown.gateway_ref,
            **self.standing(),
            "before": before and before.standing(),
            "own_charge": self.own_charge,
            "reason": shown.reason,
            "gateway_reason": shown.gateway_reason,
            "respond_by": shown.respond_by and rfc3339(shown.respond_by),
        }


class KnownDispute(Struct, frozen=True):
    """A dispute as its row tells it, and when its gateway was asked for that."""

    dispute: Dispute
    asked_at: datetime


class DisputedCharge(Struct, frozen=True):
    """Where a dispute is to be asked about: by its own id at the gateway, under the account that the charge was made with.

    `charge_ref`: the gateway's id of the charge that it has to be about.
    """

    dispute_ref: str
    charge_ref: str
    gateway: str
    account: str | None
    payment_id: str
    mode: Mode


class StandingDispute(Struct, frozen=True):
    """A dispute to compare with what its gateway shows."""

    charge: DisputedCharge
    status: DisputeStatus
    amount: Money


_ENDS = {DisputeStatus.WON: EventType.DISPUTE_WON, DisputeStatus.LOST: EventType.DISPUTE_LOST}


def opened(payment: Payment, gateway: str, shown: DisputeReport, new_id: str) -> tuple[Dispute, list[Fact]]:
    """A dispute that was not known, with the facts of it. An unknown word of the gateway's counts as open, lest money be
    given back twice.
    """
    others = payment.gateway_ref is not None and payment.gateway_ref != shown.charge_ref
    is_own = not others and payment.gateway in (None, gateway)
    status = shown.status or DisputeStatus.NEEDS_RESPONSE
    dispute = Dispute(new_id, payment.id, gateway, is_own, status, shown)
    facts = [Fact(EventType.DISPUTE_OPENED, dispute.told(None))]
    if status in _ENDS:
        facts.append(Fact(_ENDS[status], dispute.told(dispute)))
    return dispute, facts


def may_follow(known: Dispute, shown: DisputeReport) -> bool:
    """Whether the gateway can show this of a dispute that stood as known."""
    return shown.status in (None, known.status) or shown.status in DISPUTE_TRANSITIONS[known.status]


def moved(known: Dispute, shown: DisputeReport) -> tuple[Dispute, list[Fact]]:
    """The dispute as it is shown now, with what is to be told of it; no fact where the merchant learns nothing new."""
    now = replace(known, status=shown.status or known.status, shown=shown)
    before, after = known.told(None), now.told(None)
    if before == after:
        return now, []
    ended = _ENDS.get(now.status) if now.status is not known.status else None
    return now, [Fact(ended or EventType.DISPUTE_UPDATED, now.told(known))]
