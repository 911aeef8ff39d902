"""What is known of one call to one gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .outcomes import Operation


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one gateway, as its row tells it. Moments in seconds of this process's clock (`clock.clock_s`).

    `sent_at_s`: when it was written, before its first send, or a little earlier. `first_not_found_at_s`: when a look-up
    since its last send first found nothing, or a little later. `candidates`: the gateways that its hop was decided among,
    best first; empty where it was not routed. `answered_at_s`: of its last answer, a look-up's too; None without any.
    """

    operation: Operation
    number: int
    gateway: str
    gateway_key: str
    request_hash: str
    status: str
    gateway_ref: str | None
    outcome: Mapping[str, Any] | None
    lease_epoch: int
    sends: int
    checks: int
    not_found_count: int
    sent_at_s: float
    first_not_found_at_s: float | None
    candidates: tuple[str, ...] = ()
    answered_at_s: float | None = None

    def sent_ago_s(self, now_s: float) -> float:
        """Since it was sent for the last time, at least."""
        if self.sends == 1:
            return now_s - self.sent_at_s
        return 0.0 if self.answered_at_s is None else now_s - self.answered_at_s
