"""The picture of payments over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aegis_api.console.step_picture import HEIGHT, WIDTH, picture
from aegis_worker.queries.analytics import Summary

NOON, HOUR = datetime(2026, 11, 28, 12, tzinfo=UTC), timedelta(hours=1)


def counted(
    at: datetime, *, charged: int = 0, failed: int = 0, open: int = 0, currency: str = "USD"
) -> Summary:
    return Summary(at, {}, currency, charged + failed + open, charged, failed, 0, open, 0, 0, 0, 0)


def test_each_step_has_its_place_and_the_fullest_is_as_high_as_the_picture() -> None:
    rows = [counted(NOON, charged=2, failed=1, open=1), counted(NOON + 3 * HOUR, charged=2)]
    drawn = picture(rows, NOON, NOON + 3.5 * HOUR, HOUR)
    assert drawn is not None
    assert drawn.label == "4 payments charged, 1 not charged, 1 open; 4 in the fullest step"
    first, last = drawn.parts[:3], drawn.parts[3]
    assert [part.kind for part in first] == ["a", "d", "o"]
    assert (first[-1].y, sum(part.high for part in first)) == (0, HEIGHT)
    assert last.high == HEIGHT / 2
    assert 0 < first[0].x < WIDTH / 4 < WIDTH * 3 / 4 < last.x < last.x + last.wide < WIDTH


def test_payments_of_several_currencies_are_counted_together() -> None:
    drawn = picture([counted(NOON, charged=2), counted(NOON, charged=3, currency="EUR")], NOON, NOON, HOUR)
    assert drawn is not None
    assert (len(drawn.parts), drawn.most) == (1, 5)


def test_nothing_is_drawn_of_nothing() -> None:
    assert picture([], NOON, NOON + HOUR, HOUR) is None
