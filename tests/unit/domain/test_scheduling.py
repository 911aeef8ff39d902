"""Payments for later: which times are taken, and how long a payment still waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aegis_worker.domain.scheduling import FARTHEST_D, too_early_s, why_not_then

NOW = datetime(2026, 11, 27, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "why_not"),
    [
        (timedelta(milliseconds=1), None),
        (timedelta(days=FARTHEST_D), None),
        (timedelta(0), "in the future"),
        (-timedelta(days=1), "in the future"),
        (timedelta(days=FARTHEST_D, milliseconds=1), "at most 90 days"),
    ],
)
def test_a_time_ahead_is_taken_but_not_too_far(ahead: timedelta, why_not: str | None) -> None:
    said = why_not_then(NOW + ahead, NOW)
    assert (said is None) if why_not is None else (said is not None and why_not in said)


def test_a_payment_waits_until_its_time_and_no_longer() -> None:
    at_s = NOW.timestamp()
    assert [too_early_s(NOW, at_s - 5), too_early_s(NOW, at_s), too_early_s(NOW, at_s + 5)] == [5.0, 0.0, 0.0]
    assert too_early_s(None, at_s) == 0.0
