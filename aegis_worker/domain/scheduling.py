"""Payments for later: how far ahead, and whether the time has come. Pure; the clock is PostgreSQL's."""

from __future__ import annotations

from datetime import datetime, timedelta

FARTHEST_D = 90
"""How many days ahead a payment may be scheduled."""


def why_not_then(scheduled_at: datetime, now: datetime) -> str | None:
    """Why a payment can't be scheduled for then; None where it can. Both aware."""
    if scheduled_at <= now:
        return "Must be in the future, by the clock of the database."
    if scheduled_at > now + timedelta(days=FARTHEST_D):
        return f"Must be at most {FARTHEST_D} days ahead."
    return None


def too_early_s(scheduled_at: datetime | None, now_s: float) -> float:
    """For how many more seconds the payment waits; 0 once its time has come. `now_s`: seconds since 1970."""
    return 0.0 if scheduled_at is None else max(0.0, scheduled_at.timestamp() - now_s)
