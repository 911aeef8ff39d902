"""When to try again, and whether. Pure: these functions decide, the `run_at` column waits."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from aegis_worker.domain.declines import DECLINES, may_fail_over
from aegis_worker.domain.retries import NotSentKind, RetryLimits


def next_delay_s(hop: int, limits: RetryLimits, draw: float) -> float:
    """Seconds to wait after hop number `hop` (from 1) before the next: 0 to `cap_s`. `draw`: from 0 to 1, by chance.

    Full jitter: drawn evenly from 0 to `initial_s` times `multiplier` ** (hop - 1). The cap comes after the draw, so where
    the ceiling is far above the cap most pauses are the cap itself. Source: M. Brooker, "Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015, which caps before the draw.
    """
    try:
        ceiling_s = limits.initial_s * float(limits.multiplier) ** (hop - 1)
    except OverflowError:
        ceiling_s = sys.float_info.max
    return min(limits.cap_s, draw * min(ceiling_s, sys.float_info.max))


def may_try_same_gateway(kind: NotSentKind, hops_there: int, limits: RetryLimits) -> bool:
    """Whether a gateway that was not reached is worth another hop of the payment, after `hops_there` to it.

    `limits` are its own. A gateway that was reached is never tried twice for one payment: a decline stays a decline.
    """
    return kind in limits.retry_on and hops_there < limits.max_attempts


def may_try_after_decline(code: str, times: int, limits: RetryLimits) -> bool:
    """Whether a payment may go on to the next gateway after a decline with `code`, with which `times` of its hops have
    ended by now, this one among them. `limits`: those of the gateway that declined. KeyError for an unclassified code.

    `decline_attempts` says otherwise than the code's default for soft declines only: a hard decline ends the payment.
    """
    most = limits.decline_attempts.get(code, DECLINES[code].attempts)
    return may_fail_over(code) and (most is None or times < most)


def rung_at_s(elapsed_s: float, ladder_s: Sequence[float]) -> float:
    """The rung that a ladder has come to after this time, the last one for ever."""
    begins_at_s = 0.0
    for rung_s in ladder_s:
        begins_at_s += rung_s
        if elapsed_s < begins_at_s:
            return rung_s
    return ladder_s[-1]


def verify_delay_s(checks: int, ladder_s: Sequence[float]) -> float | None:
    """Seconds until the gateway is asked again after `checks` look-ups; None when a person has to be asked instead."""
    return ladder_s[checks] if checks < len(ladder_s) else None
