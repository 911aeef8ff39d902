"""What the log tells of a payment at INFO: its events, calls and retries, each with the request's correlation id."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.payments import a_command, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.outcomes import Approved, NotSent
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.trails import Trail
from aegis_worker.intake import Accepted, Intake
from aegis_worker.observability.telling import TELLING
from aegis_worker.observation_settings import ObservationSettings, load_observation_settings
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

TRAIL = Trail("checkout-77", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
REFUSED = NotSent("connect timeout", kind=NotSentKind.TIMEOUT)


@pytest.fixture(autouse=True)
def told() -> Iterator[list[Any]]:
    logger = logging.getLogger("aegis")
    logger.setLevel(logging.INFO)
    TELLING.configure(load_observation_settings({"AEGIS_LOG_LINES_PER_S": "100000"}))
    with capture_logs() as lines:
        yield lines
    TELLING.configure(ObservationSettings(log_lines_per_s=0))
    logger.setLevel(logging.NOTSET)


def accepted(database: Database, **command: Any) -> Accepted:
    return Intake(database, wait_s=10.0).accept(replace(a_command(**command), trail=TRAIL))


def about(lines: list[Any], event: str, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(line.get(name) for name in names) for line in lines if line["event"] == event]


def test_a_payment_is_told_from_the_request_to_its_end(database: Database, told: list[Any]) -> None:
    gateway = ScriptedGateway("sandbox_a", answering(Approved("ch_1")))
    payment = accepted(database)
    run_until_quiet(pipeline(database, gateway))
    assert about(told, "payment event", "kind", "state") == [
        ("payment.initiated", "INITIATED"),
        ("payment.processing", "PROCESSING"),
        ("payment.succeeded", "SUCCESS"),
    ]
    call = ("sandbox_a", "process", "send", "approved", 1)
    assert about(told, "gateway answered", "gateway", "operation", "call", "outcome", "attempt") == [call]
    for line in told:
        assert (line["correlation_id"], line["payment_id"], line["job_id"]) == (
            "checkout-77",
            payment.payment.id,
            payment.job_id,
        )
        assert (line["trace_id"], line["span_id"]) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert about(told, "gateway answered", "duration_ms")[0][0] >= 0


def test_a_failover_is_told_as_a_retry(database: Database, told: list[Any]) -> None:
    down, well = ScriptedGateway("a", answering(REFUSED)), ScriptedGateway("b", answering(Approved("ch_1")))
    accepted(database)
    run_until_quiet(pipeline(database, down, well))
    assert about(told, "payment tried again", "gateway", "attempt") == [("b", 2)]
    assert about(told, "gateway answered", "gateway", "outcome", "why") == [
        ("a", "not_sent", REFUSED.kind.value),
        ("b", "approved", None),
    ]


def test_a_repeated_request_is_told_as_a_replay(database: Database, told: list[Any]) -> None:
    first, again = accepted(database), accepted(database)
    assert again.replayed
    assert about(told, "request replayed", "payment_id") == [(first.payment.id,)]


def test_a_breaker_is_told_of_when_it_opens(database: Database, told: list[Any], gated: Any) -> None:
    touchy = BreakerLimits(consecutive_failures=2, open_s=3600, max_open_s=3600)
    parts = gated(ScriptedGateway("a", answering(REFUSED), breaker=touchy), ScriptedGateway("b"))
    for number in range(3):
        accepted(database, key=f"key-{number}")
        run(parts, "payments")
    assert ("a", "process", "OPEN") in about(told, "breaker moved", "gateway", "operation", "state")
