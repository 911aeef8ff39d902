"""How a time is written: in UTC, never later than it was, and never without knowing whose it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.moments import readable, rfc3339


def test_a_time_is_written_in_utc_and_cut_off_at_the_millisecond() -> None:
    at = datetime(2026, 11, 21, 13, 48, 12, 950_999, timezone(timedelta(hours=2)))
    assert rfc3339(at) == "2026-11-21T11:48:12.950Z"
    assert readable(at.astimezone(UTC)) == "2026-11-21 11:48:12.950"


@given(st.datetimes(timezones=st.timezones()))
def test_people_and_programs_are_told_the_same_time(at: datetime) -> None:
    try:
        at.astimezone(UTC)
    except OverflowError:
        return
    assert rfc3339(at) == readable(at).replace(" ", "T") + "Z"


def test_a_time_without_an_offset_is_not_written() -> None:
    with pytest.raises(ValueError, match="without an offset"):
        rfc3339(datetime(2026, 11, 21, 11, 48))
