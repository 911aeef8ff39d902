"""A period is added up of whole days, and of the hours before and after them: each of its hours once, and no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.queries.stretches import Stretch, stretches_of

MIDNIGHT = datetime(
    2026, 3, 29, tzinfo=UTC
)  # the clocks of Berlin go forward on that day; those of UTC don't
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENTS = st.integers(0, 12 * 24 * 60).map(lambda minutes: MIDNIGHT + timedelta(minutes=minutes))


def hours_of(stretch: Stretch, end: datetime) -> list[datetime]:
    """The hours that its steps have. A day counts with all of its hours, so it may not reach beyond the period."""
    step = HOUR if stretch.step == "hour" else DAY
    begins = [MIDNIGHT + number * step for number in range(400)]
    within = [at for at in begins if stretch.since <= at < (stretch.until or end)]
    return [at + number * HOUR for at in within for number in range(step // HOUR)]


@given(MOMENTS, MOMENTS, st.booleans())
def test_each_hour_of_a_period_is_added_up_once(since: datetime, until: datetime, by_hour: bool) -> None:
    found = [
        hour for stretch in stretches_of(since, until, by_hour=by_hour) for hour in hours_of(stretch, until)
    ]
    asked = [MIDNIGHT + number * HOUR for number in range(13 * 24)]
    assert sorted(found) == [hour for hour in asked if since <= hour < until]


@given(MOMENTS)
def test_a_period_without_an_end_has_the_day_that_is_not_over_as_a_whole(since: datetime) -> None:
    end = MIDNIGHT + 20 * DAY
    found = [hour for stretch in stretches_of(since, None, by_hour=False) for hour in hours_of(stretch, end)]
    assert sorted(found) == [hour for n in range(20 * 24) if (hour := MIDNIGHT + n * HOUR) >= since]


def test_a_month_is_days_alone_and_hours_are_read_of_its_ends_only() -> None:
    assert stretches_of(MIDNIGHT, MIDNIGHT + 30 * DAY, by_hour=False) == [
        Stretch("day", MIDNIGHT, MIDNIGHT + 30 * DAY)
    ]
    assert [
        stretch.step for stretch in stretches_of(MIDNIGHT + HOUR, MIDNIGHT + 30 * DAY + HOUR, by_hour=False)
    ] == [
        "hour",
        "day",
        "hour",
    ]


def test_the_last_day_that_can_be_written_is_added_up_as_well() -> None:
    end = datetime(9999, 12, 31, 23, tzinfo=UTC)
    assert stretches_of(end - HOUR, end, by_hour=False) == [Stretch("hour", end - HOUR, end)]
