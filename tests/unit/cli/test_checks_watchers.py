"""`aegis doctor` about whoever is told how the installation does."""

from __future__ import annotations

import pytest
from support.otlp_collector import a_collector

from aegis_worker.cli.checks_watchers import watchers
from aegis_worker.observation_settings import ObservationSettings


def test_a_collector_that_takes_posts_is_well() -> None:
    with a_collector() as collector:
        seen = ObservationSettings(
            sinks=("otlp",),
            traces="otlp",
            otlp_endpoint=collector.endpoint,
            otlp_headers={"authorization": "Bearer k"},
        )
        assert [(check.name, check.verdict) for check in watchers(seen)] == [
            ("metrics by OTLP", "ok"),
            ("traces", "ok"),
        ]
    assert [headers["authorization"] for headers in collector.headers] == ["Bearer k"] * 2


@pytest.mark.parametrize(
    ("observation", "seen"),
    [
        (ObservationSettings(traces="otlp", otlp_endpoint="http://127.0.0.1:1"), "takes nothing"),
        (ObservationSettings(sinks=("otlp",), otlp_endpoint="http://no-host.invalid"), "takes nothing"),
        (ObservationSettings(sinks=("dogstatsd",), statsd=("no-host.invalid", 8125)), "can't be found"),
    ],
)
def test_one_that_is_not_there_is_a_warning(observation: ObservationSettings, seen: str) -> None:
    (check,) = watchers(observation)
    assert check.verdict == "warn"
    assert seen in check.seen


def test_nobody_is_looked_for_who_is_told_nothing() -> None:
    assert not list(watchers(ObservationSettings()))
