"""When to try again. Pure: these functions decide, the `run_at` column waits."""

from __future__ import annotations

from collections.abc import Sequence


def retry_delay_s(tries: int, *, initial_s: float, cap_s: float) -> float:
    """Seconds before try number `tries + 1`: `initial_s` doubled for each try after the first, at most `cap_s`."""
    return float(min(cap_s, initial_s * 2 ** min(tries - 1, 30)))


def verify_delay_s(checks: int, ladder_s: Sequence[float]) -> float | None:
    """Seconds until the gateway is asked again after `checks` look-ups; None when a person has to be asked instead."""
    return ladder_s[checks] if checks < len(ladder_s) else None
