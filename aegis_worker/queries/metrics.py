"""Metrics in the text format of Prometheus, made from what all workers share, so that any process can serve them.

Labels are bounded: configured gateways times words that this module or the breakers know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.reviews import REVIEW_KINDS
from aegis_worker.resilience.monitor import Live
from aegis_worker.resilience.permits import Counted

from .gateway_reports import GatewayReport
from .waiting import MOST_COUNTED, WaitingNumbers

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_DUE = 1000
_JOB_QUEUES = ("payments", "verify")


def metrics_text(
    reports: Sequence[GatewayReport] | None,
    jobs_due: Mapping[str, int] | None,
    waiting: WaitingNumbers | None = None,
    injected: Mapping[tuple[str, str], int] | None = None,
) -> bytes:
    """All metrics. An argument is None if the database could not be asked. Unknown figures are left out, never 0.

    `injected`: what was broken on purpose, by injection and kind.
    """
    told = [*_stores(reports), *_gateways(reports or ()), *_jobs(jobs_due), *_injected(injected or {})]
    return generate_latest(_Once([*told, *(_waiting(waiting) if waiting else ())]))


class _Once(Collector):
    """A collector of metrics that exist already."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """The metrics that were given."""
        return iter(self._metrics)


def _stores(reports: Sequence[GatewayReport] | None) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "aegis_database_up", "Whether PostgreSQL could be asked", value=reports is not None
    )
    if reports:
        shared = any(report.live for report in reports)
        yield GaugeMetricFamily(
            "aegis_gateway_health_up", "Whether Redis could be asked about the gateways", value=shared
        )


def _jobs(jobs_due: Mapping[str, int] | None) -> Iterator[Metric]:
    if jobs_due is None:
        return
    due = GaugeMetricFamily(
        "aegis_jobs_due", f"Jobs due now, counted up to {MOST_DUE} a queue", labels=["queue"]
    )
    for queue in _JOB_QUEUES:
        due.add_metric([queue], jobs_due.get(queue, 0))
    yield due


def _injected(counts: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    if not counts:
        return
    told = CounterMetricFamily(
        "aegis_chaos_injections",
        "How often each injection of a chaos plan has struck in the last week",
        labels=["injection", "kind"],
    )
    for (name, kind), count in counts.items():
        told.add_metric([name, kind], count)
    yield told


def _waiting(numbers: WaitingNumbers) -> Iterator[Metric]:
    up_to = f"counted up to {MOST_COUNTED}"
    pending = GaugeMetricFamily(
        "aegis_outbox_pending", f"Events not delivered yet, {up_to} a sink", labels=["sink"]
    )
    oldest = GaugeMetricFamily(
        "aegis_outbox_oldest_age_seconds",
        "How old the oldest of them is; 0 where none waits",
        labels=["sink"],
    )
    for sink, count, age_s in (
        ("stream", numbers.stream_pending, numbers.stream_oldest_age_s),
        ("webhooks", numbers.webhooks_pending, numbers.webhooks_oldest_age_s),
        ("hooks", numbers.hooks_pending, numbers.hooks_oldest_age_s),
    ):
        pending.add_metric([sink], count)
        oldest.add_metric([sink], age_s)
    deliveries = GaugeMetricFamily(
        "aegis_webhook_deliveries",
        f"Deliveries by how they stand, {up_to} each: pending, failing (of the pending, those that were tried), and of the "
        "last 7 days dead (given up) and cancelled (their endpoint was deleted)",
        labels=["status"],
    )
    deliveries.add_metric(["pending"], numbers.webhooks_pending)
    deliveries.add_metric(["failing"], numbers.webhooks_failing)
    deliveries.add_metric(["dead"], numbers.webhooks_dead)
    deliveries.add_metric(["cancelled"], numbers.webhooks_cancelled)
    hooks = GaugeMetricFamily(
        "aegis_hook_deliveries",
        f"Events for hooks by how they stand, {up_to} in all: pending, failing (of the pending, those that were tried), "
        "and dead (given up)",
        labels=["status"],
    )
    hooks.add_metric(["pending"], numbers.hooks_pending)
    hooks.add_metric(["failing"], numbers.hooks_failing)
    hooks.add_metric(["dead"], numbers.hooks_dead)
    yield from (pending, oldest, deliveries, hooks)
    reviews = GaugeMetricFamily(
        "aegis_reviews_waiting",
        f"Payments that wait for a person, {up_to} in all: doubt (a gateway's doing is in question) and fraud (held back"
        " before anything was sent)",
        labels=["kind"],
    )
    reviews_oldest = GaugeMetricFamily(
        "aegis_reviews_oldest_age_seconds",
        "How long the oldest of them has waited; 0 where none waits",
        labels=["kind"],
    )
    for kind in REVIEW_KINDS:
        reviews.add_metric([kind], numbers.reviews[kind])
        reviews_oldest.add_metric([kind], numbers.reviews_oldest_age_s[kind])
    yield from (reviews, reviews_oldest)
    yield GaugeMetricFamily(
        "aegis_disputes_waiting", f"Disputes that wait for evidence, {up_to}", value=numbers.disputes
    )
    if numbers.disputes_soonest_s is not None:
        yield GaugeMetricFamily(
            "aegis_disputes_deadline_seconds",
            "Until the next of their deadlines; left out where there is none",
            value=numbers.disputes_soonest_s,
        )
    yield GaugeMetricFamily(
        "aegis_payments_frozen", "Payments among them that the audit froze", value=numbers.frozen
    )


def _gateways(reports: Sequence[GatewayReport]) -> Iterator[Metric]:
    paused = GaugeMetricFamily(
        "aegis_gateway_paused", "Whether an operator paused the gateway", labels=["gateway"]
    )
    for report in reports:
        paused.add_metric([report.config.name], report.paused is not None)
    yield paused
    live = {report.config.name: report.live for report in reports if report.live is not None}
    yield from _healths(live)
    yield from _breakers(live)
    yield from _last_hours(live)


def _healths(live: Mapping[str, Live]) -> Iterator[Metric]:
    score = GaugeMetricFamily("aegis_gateway_score", "Health, 0 to 1", labels=["gateway"])
    in_flight = GaugeMetricFamily(
        "aegis_gateway_in_flight", "Calls out over all workers, without look-ups", labels=["gateway"]
    )
    for name, gateway in live.items():
        score.add_metric([name], gateway.health.score)
        in_flight.add_metric([name], gateway.in_flight)
    yield from (score, in_flight)


def _breakers(live: Mapping[str, Live]) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "aegis_gateway_breaker_state",
        "1 for the state that the breaker is in",
        labels=["gateway", "operation", "state"],
    )
    opened = CounterMetricFamily(
        "aegis_gateway_breaker_openings", "How often the breaker has opened", labels=["gateway", "operation"]
    )
    for name, gateway in live.items():
        for operation, view in sorted(gateway.breakers.items()):
            opened.add_metric([name, operation], view.opened)
            for one in BreakerState:
                state.add_metric([name, operation, one.value], view.state is one)
    yield from (state, opened)


def _last_hours(live: Mapping[str, Live]) -> Iterator[Metric]:
    calls = GaugeMetricFamily(
        "aegis_gateway_calls", "Calls of the last hour by outcome", labels=["gateway", "outcome"]
    )
    errors = GaugeMetricFamily(
        "aegis_gateway_errors", "Calls of the last hour that ended so", labels=["gateway", "error"]
    )
    latency = GaugeMetricFamily(
        "aegis_gateway_latency_ms",
        "How long answered calls of the last hour took, in milliseconds",
        labels=["gateway", "quantile"],
    )
    for name, gateway in live.items():
        hour = gateway.last_hour
        for counted in Counted:
            calls.add_metric([name, counted.value], hour.counts.get(counted, 0))
        for word, rate in hour.error_rates.items():
            errors.add_metric([name, word], round(rate * hour.volume))
        quantiles = {"0.5": hour.latency.p50_ms, "0.95": hour.latency.p95_ms, "0.99": hour.latency.p99_ms}
        for quantile, latency_ms in quantiles.items():
            if latency_ms is not None:
                latency.add_metric([name, quantile], round(latency_ms, 1))
    yield from (calls, errors, latency)
