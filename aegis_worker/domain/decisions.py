"""What a person decided about a payment in review, where no gateway could confirm it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a payment in review, and on what evidence; a payment has one at a time.

    `sends`: how often a charge had been sent by then. It takes effect when a gateway confirms it, at the latest at
    `takes_effect_at`; once `refused_at`, because of what a gateway said, it is only kept to be read.
    """

    id: str
    payment_id: str
    resolution: str
    reason: str
    evidence: str
    gateway: str | None
    gateway_ref: str | None
    attempt: int | None
    sends: int
    actor: str
    made_at: datetime
    takes_effect_at: datetime
    refused_at: datetime | None
    refused_because: str | None

    @property
    def stands(self) -> bool:
        """Whether it may still take effect."""
        return self.refused_at is None
