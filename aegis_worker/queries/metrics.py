"""What monitors are told, as readings of the metrics in the table: asked of what all processes share, so that any process
can tell it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import NamedTuple

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.reviews import REVIEW_KINDS
from aegis_worker.observability.metrics import table
from aegis_worker.observability.metrics.table import Metric
from aegis_worker.resilience.monitor import Live
from aegis_worker.resilience.permits import ERRORS, Counted

from .gateway_reports import GatewayReport
from .overdue import OverdueNumbers
from .people import PeopleNumbers
from .waiting import WaitingNumbers

MOST_DUE = 1000
_JOB_QUEUES = ("payments", "verify")


class Reading(NamedTuple):
    """What a metric stands at. Labels in the order of its table row."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


def readings(
    reports: Sequence[GatewayReport] | None,
    jobs_due: Mapping[str, int] | None,
    waiting: WaitingNumbers | None = None,
    injected: Mapping[tuple[str, str], int] | None = None,
    overdue: OverdueNumbers | None = None,
    broker: Mapping[str, int] | None = None,
    people: PeopleNumbers | None = None,
) -> Iterator[Reading]:
    """All that is known. An argument is None if its store could not be asked: then its figures are left out. What is
    unknown to a store that answers is NaN, never 0.

    `injected`: what was broken on purpose, by injection and kind. `broker`: how many messages wait, by queue.
    """
    yield from _stores(reports)
    yield from _gateways(reports or ())
    if jobs_due is not None:
        for queue in _JOB_QUEUES:
            yield Reading(table.JOBS_DUE, (queue,), jobs_due.get(queue, 0))
    for (name, kind), count in (injected or {}).items():
        yield Reading(table.INJECTIONS, (name, kind), count)
    for queue, count in (broker or {}).items():
        yield Reading(table.BROKER, (queue,), count)
    if waiting is not None:
        yield from _waiting(waiting)
    if overdue is not None:
        yield from _overdue(overdue)
    if people is not None:
        yield from _people(people)


def _stores(reports: Sequence[GatewayReport] | None) -> Iterator[Reading]:
    yield Reading(table.DATABASE_UP, (), reports is not None)
    if reports:
        yield Reading(table.GATEWAY_HEALTH_UP, (), any(report.live for report in reports))


def _waiting(numbers: WaitingNumbers) -> Iterator[Reading]:
    for sink, count, age_s in (
        ("stream", numbers.stream_pending, numbers.stream_oldest_age_s),
        ("webhooks", numbers.webhooks_pending, numbers.webhooks_oldest_age_s),
        ("hooks", numbers.hooks_pending, numbers.hooks_oldest_age_s),
    ):
        yield Reading(table.OUTBOX_PENDING, (sink,), count)
        yield Reading(table.OUTBOX_OLDEST, (sink,), age_s)
    yield Reading(table.WEBHOOK_DELIVERIES, ("pending",), numbers.webhooks_pending)
    yield Reading(table.WEBHOOK_DELIVERIES, ("failing",), numbers.webhooks_failing)
    yield Reading(table.WEBHOOK_DELIVERIES, ("dead",), numbers.webhooks_dead)
    yield Reading(table.WEBHOOK_DELIVERIES, ("cancelled",), numbers.webhooks_cancelled)
    yield Reading(table.HOOK_DELIVERIES, ("pending",), numbers.hooks_pending)
    yield Reading(table.HOOK_DELIVERIES, ("failing",), numbers.hooks_failing)
    yield Reading(table.HOOK_DELIVERIES, ("dead",), numbers.hooks_dead)
    for kind in REVIEW_KINDS:
        yield Reading(table.REVIEWS, (kind,), numbers.reviews[kind])
        yield Reading(table.REVIEWS_OLDEST, (kind,), numbers.reviews_oldest_age_s[kind])
    yield Reading(table.DISPUTES, (), numbers.disputes)
    yield Reading(table.DISPUTES_DEADLINE, (), _or_nan(numbers.disputes_soonest_s))
    yield Reading(table.FROZEN, (), numbers.frozen)


def _overdue(numbers: OverdueNumbers) -> Iterator[Reading]:
    for queue in _JOB_QUEUES:
        yield Reading(table.JOBS_OLDEST, (queue,), numbers.jobs_oldest_age_s.get(queue, 0.0))
    yield Reading(table.IN_DOUBT, (), numbers.in_doubt)
    yield Reading(table.IN_DOUBT_OLDEST, (), numbers.in_doubt_oldest_age_s)
    yield Reading(table.INCIDENTS, (), numbers.incidents)
    yield Reading(table.MISMATCHES, (), _or_nan(numbers.mismatches))
    yield Reading(table.UNANSWERED, (), numbers.unanswered)


def _people(numbers: PeopleNumbers) -> Iterator[Reading]:
    for kind, count in numbers.waiting.items():
        yield Reading(table.APPROVALS, (kind,), count)
        yield Reading(table.APPROVALS_OLDEST, (kind,), numbers.oldest_age_s[kind])
    for (role, status), count in numbers.users.items():
        yield Reading(table.CONSOLE_USERS, (role, status), count)


def _gateways(reports: Sequence[GatewayReport]) -> Iterator[Reading]:
    for report in reports:
        yield Reading(table.PAUSED, (report.config.name,), report.paused is not None)
    for report in reports:
        if report.live is not None:
            yield from _live(report.config.name, report.live)


def _live(name: str, gateway: Live) -> Iterator[Reading]:
    yield Reading(table.SCORE, (name,), gateway.health.score)
    yield Reading(table.IN_FLIGHT, (name,), gateway.in_flight)
    for operation, view in sorted(gateway.breakers.items()):
        yield Reading(table.BREAKER_OPENINGS, (name, operation), view.opened)
        for one in BreakerState:
            yield Reading(table.BREAKER, (name, operation, one.value), view.state is one)
    hour = gateway.last_hour
    for counted in Counted:
        yield Reading(table.LAST_HOUR_CALLS, (name, counted.value), hour.counts.get(counted, 0))
    for word, rate in (dict.fromkeys(ERRORS, 0.0) | dict(hour.error_rates)).items():
        yield Reading(table.LAST_HOUR_ERRORS, (name, word), round(rate * hour.volume))
    shares = {"0.5": hour.latency.p50_ms, "0.95": hour.latency.p95_ms, "0.99": hour.latency.p99_ms}
    for share, latency_ms in shares.items():
        yield Reading(table.LAST_HOUR_LATENCY, (name, share), round(_or_nan(latency_ms) / 1000, 4))


def _or_nan(value: float | None) -> float:
    return nan if value is None else value
