"""What a monitor reads: every metric, bounded labels, and nothing that isn't known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import isnan

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aegis_api.http.problems import CONFLICTS
from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.cards import Card
from aegis_worker.domain.outcomes import Approved, Declined, NotSent, Unknown, word_of
from aegis_worker.domain.payment import METHODS
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.opening import word_of_opened
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.observability.metrics.table import (
    ALL,
    CALLS,
    FINDINGS,
    HOOK_ENDS,
    IDEMPOTENCY_CONFLICTS,
    PAYMENTS,
    RETRIES,
    VAULT_OPENED,
)
from aegis_worker.persistence.gateway_pauses import Pause
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.queries.metrics import readings
from aegis_worker.queries.metrics_start import from_zero
from aegis_worker.queries.metrics_text import NO_SUMS, Sums, metrics_text
from aegis_worker.reconcile import COUNTED_FINDINGS
from aegis_worker.resilience.health import of_hour, of_recent
from aegis_worker.resilience.health_window import HourCounts, RecentCalls, bucket_of
from aegis_worker.resilience.monitor import Live
from aegis_worker.resilience.permits import ERRORS, STATUS, BreakerView, Counted, GatewayHealth

VISA = Card("4111111111111111", 12, 2030)
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
    latencies = [of_one.pop(f"aegis_gateway_latency_seconds {share}") for share in (0.5, 0.95, 0.99)]
    assert latencies == [pytest.approx(0.097, abs=1e-4)] * 3
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
        **{f"aegis_gateway_errors {word}": 0 for word in ERRORS},
        "aegis_gateway_errors no_answer": 10,
    }
    assert told["aegis_gateway_paused two"] == 1
    assert (told["aegis_jobs_due payments"], told["aegis_jobs_due verify"]) == (12, 0)
    assert (told["aegis_database_up"], told["aegis_gateway_health_up"]) == (1, 1)


def test_what_has_no_value_is_nan_so_that_no_alert_fires() -> None:
    told = samples(
        metrics_text(readings([report("one", live=replace(LIVE, last_hour=of_hour(HourCounts())))], {}))
    )
    latencies = [told[f"aegis_gateway_latency_seconds one {share}"] for share in (0.5, 0.95, 0.99)]
    assert all(isnan(latency) for latency in latencies)


def test_a_hook_that_is_loaded_has_a_time_before_it_was_asked() -> None:
    loaded = Sums({(HOOK_ENDS, ("shop:check", "fraud_check", "failed")): 0}, {})
    told = samples(metrics_text((), from_zero(loaded, ())))
    assert told["aegis_hook_calls_total shop:check failed fraud_check"] == 0
    assert told["aegis_hook_duration_seconds_count shop:check fraud_check"] == 0


def test_what_can_be_known_beforehand_begins_at_0_and_what_was_counted_stays() -> None:
    counted = Sums({(RETRIES, ("one", "repeat")): 3}, {})
    told = samples(metrics_text((), from_zero(counted, ["one", "two"])))
    retries = {name: value for name, value in told.items() if name.startswith("aegis_retries")}
    assert retries == {
        "aegis_retries_total one failover": 0,
        "aegis_retries_total one repeat": 3,
        "aegis_retries_total two failover": 0,
        "aegis_retries_total two repeat": 0,
    }
    assert told["aegis_leases_lost_total"] == told["aegis_accept_duration_seconds_count"] == 0
    assert told["aegis_gateway_call_duration_seconds_count two process unknown"] == 0
    unknown_beforehand = {"aegis_http_request_duration_seconds", "aegis_task_duration_seconds"}
    begun = {
        family.name
        for family in text_string_to_metric_families(metrics_text((), from_zero(NO_SUMS, ["one"])).decode())
    }
    assert {m.name for m in ALL if m.source == "processes" and not m.needs} - begun == unknown_beforehand


def test_metrics_begin_with_the_words_that_the_code_counts_by() -> None:
    assert set(CONFLICTS.values()) == set(IDEMPOTENCY_CONFLICTS.begins["reason"])
    assert set(COUNTED_FINDINGS) == set(FINDINGS.begins["kind"])
    assert set(CALLS.begins["outcome"]) <= {
        word_of(one) for one in (Approved("c"), Declined("do_not_honor", ""), NotSent(""), Unknown(""))
    }
    assert {state.value for state in State} > set(PAYMENTS.begins["state"])
    assert set(PAYMENTS.begins["method"]) <= METHODS
    ended = [Declined(code, "") for code in ("card_gone", "security_code_gone", "vault_misconfigured")]
    opened: list[Card | Declined | NotSent] = [VISA, NotSent(""), *ended]
    told = {word_of_opened(one) for one in opened}
    assert told == set(VAULT_OPENED.begins["outcome"])


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
