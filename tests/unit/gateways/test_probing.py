"""What an answer to a probe says of credentials and clocks."""

from __future__ import annotations

import pytest

from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.kit.probing import Standing, clock_ahead_s, probed

# 21 October 2015, 07:28:00 UTC.
AT = 1_445_412_480.0


def answer(status: int = 200, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, headers, b"")


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (200, Standing.TAKEN),
        (404, Standing.TAKEN),
        (401, Standing.REFUSED),
        (403, Standing.REFUSED),
        (302, Standing.UNCLEAR),
        (503, Standing.UNCLEAR),
    ],
)
def test_an_answer_says_how_credentials_stand(status: int, standing: Standing) -> None:
    assert probed(answer(status), 200, 404).standing is standing


@pytest.mark.parametrize(
    ("asked_at", "answered_at", "ahead_s"),
    [
        (AT, AT + 0.2, 0.0),
        (AT + 0.9, AT + 1.1, 0.0),
        (AT - 45.0, AT - 44.0, 44.0),
        (AT + 61.0, AT + 62.0, -60.0),
        (AT - 5.0, AT + 5.0, 0.0),
    ],
)
def test_a_clock_is_off_only_as_far_as_the_time_of_the_call_leaves_no_doubt(
    asked_at: float, answered_at: float, ahead_s: float
) -> None:
    told = answer(date="Wed, 21 Oct 2015 07:28:00 GMT")
    assert clock_ahead_s(told, asked_at, answered_at) == pytest.approx(ahead_s)


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}, {"Date": ""}])
def test_who_tells_no_time_has_no_clock(headers: dict[str, str]) -> None:
    assert clock_ahead_s(HttpAnswer(200, headers, b""), AT, AT) is None
