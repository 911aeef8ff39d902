"""What a monitor reads: every metric, bounded labels, and nothing that isn't known."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.persistence.gateway_pauses import Pause
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.queries.metrics import readings
from aegis_worker.queries.metrics_text import metrics_text
from aegis_worker.resilience.health import of_hour, of_recent
from aegis_worker.resilience.health_window import HourCounts, RecentCalls, bucket_of
from aegis_worker.resilience.monitor import Live
from aegis_worker.resilience.permits import STATUS, BreakerView, Counted, GatewayHealth

PAUSE = Pause("two", "maintenance", "cli:asha", datetime(2026, 11, 21, tzinfo=UTC))
HOUR = HourCounts(
    elapsed_s=600.0,
    counts={Counted.APPROVED: 90, Counted.ERROR: 10},
    errors={"no_answer": 10},
    latency_ms=9000,
    buckets={bucket_of(100): 90},
)
LIVE = Live(
    health=GatewayHealth(state=BreakerState.OPEN, score=0.47),
    breakers={
        "process": BreakerView(BreakerState.OPEN, retry_in_s=30, opened=3, calls_out=7),
        STATUS: BreakerView(calls_out=2),
    },
    recent=of_recent(RecentCalls()),
    last_hour=of_hour(HOUR),
)


def report(name: str, paused: Pause | None = None, live: Live | None = None) -> GatewayReport:
    return GatewayReport(GatewayConfig(name, "sandbox", base_url="", api_key=""), paused, live)


def samples(text: bytes) -> dict[str, float]:
    """By name and labels, as the format has them."""
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_all_that_is_known_is_told() -> None:
    told = samples(
        metrics_text(readings([report("one", live=LIVE), report("two", PAUSE, LIVE)], {"payments": 12}))
    )
    of_one = {name.replace(" one", ""): value for name, value in told.items() if " one" in name}
    assert [of_one.pop(f"aegis_gateway_latency_ms {share}") for share in (0.5, 0.95, 0.99)] == [97.0] * 3
    assert of_one == {
        "aegis_gateway_paused": 0,
        "aegis_gateway_score": 0.47,
        "aegis_gateway_in_flight": 7,
        "aegis_gateway_breaker_state process CLOSED": 0,
        "aegis_gateway_breaker_state process OPEN": 1,
        "aegis_gateway_breaker_state process HALF_OPEN": 0,
        "aegis_gateway_breaker_state status CLOSED": 1,
        "aegis_gateway_breaker_state status OPEN": 0,
        "aegis_gateway_breaker_state status HALF_OPEN": 0,
        "aegis_gateway_breaker_openings_total process": 3,
        "aegis_gateway_breaker_openings_total status": 0,
        "aegis_gateway_calls approved": 90,
        "aegis_gateway_calls declined": 0,
        "aegis_gateway_calls payer": 0,
        "aegis_gateway_calls pending": 0,
        "aegis_gateway_calls rate_limited": 0,
        "aegis_gateway_calls error": 10,
        "aegis_gateway_errors no_answer": 10,
    }
    assert told["aegis_gateway_paused two"] == 1
    assert (told["aegis_jobs_due payments"], told["aegis_jobs_due verify"]) == (12, 0)
    assert (told["aegis_database_up"], told["aegis_gateway_health_up"]) == (1, 1)


def test_without_redis_only_what_the_database_knows_is_told() -> None:
    told = samples(metrics_text(readings([report("one"), report("two", PAUSE)], {})))
    assert told == {
        "aegis_database_up": 1,
        "aegis_gateway_health_up": 0,
        "aegis_gateway_paused one": 0,
        "aegis_gateway_paused two": 1,
        "aegis_jobs_due payments": 0,
        "aegis_jobs_due verify": 0,
    }


def test_without_a_database_nothing_is_told_but_that() -> None:
    assert samples(metrics_text(readings(None, None))) == {"aegis_database_up": 0}
