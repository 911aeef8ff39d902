"""What an A/B test has come to, by arm. Pure.

The test divides customers, and the intervals count payments. Where some customers pay often, the true rate is less certain
than the intervals say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from aegis_worker.resilience.permits import Counted

from .past import PastHop

# The 97.5 % point of the standard normal distribution: 95 of 100 such intervals hold the true rate.
_Z = 1.959964


@dataclass(slots=True)
class ArmOutcome:
    """The first hops of the payments of one arm. `undecided`: pending, or nobody knows yet.

    `failed` were not sent. `latency_ms` sums over the `answered`, of those whose latency is known.
    """

    payments: int = 0
    approved: int = 0
    declined: int = 0
    failed: int = 0
    undecided: int = 0
    answered: int = 0
    latency_ms: float = 0.0

    def add(self, hop: PastHop, payments: int = 1) -> None:
        """So many payments whose first hop came to this, `hop.latency_ms` the mean of their latencies."""
        self.payments += payments
        if hop.approved is None:
            self.undecided += payments
        elif hop.approved:
            self.approved += payments
        elif hop.counted in (Counted.ERROR, Counted.RATE_LIMITED):
            self.failed += payments
        else:
            self.declined += payments
        if hop.latency_ms is not None:
            self.answered += payments
            self.latency_ms += hop.latency_ms * payments

    @property
    def decided(self) -> int:
        """Payments that were approved, declined or not sent."""
        return self.approved + self.declined + self.failed

    @property
    def success_rate(self) -> float | None:
        """Approved of the decided, the payer's own declines among them: arms are drawn, so each has as many of those."""
        return self.approved / self.decided if self.decided else None

    @property
    def success_interval(self) -> tuple[float, float] | None:
        """Where the true rate is, at 95 %."""
        return wilson(self.approved, self.decided) if self.decided else None

    @property
    def latency_mean_ms(self) -> float | None:
        """Of the answered."""
        return self.latency_ms / self.answered if self.answered else None


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a rate, after E. B. Wilson (1927): also good for few trials and for rates near 0 and 1.

    (p + z²/2n ± z · √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    """
    rate, z2n = successes / trials, _Z**2 / trials
    middle = (rate + z2n / 2) / (1 + z2n)
    reach = _Z * math.sqrt(rate * (1 - rate) / trials + z2n / (4 * trials)) / (1 + z2n)
    return max(0.0, middle - reach), min(1.0, middle + reach)
