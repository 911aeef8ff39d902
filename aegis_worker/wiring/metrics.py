"""Wires the metrics: where a process hands on what it counted, and what is asked of the shared state."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from redis import Redis, RedisError

from aegis_worker import __version__
from aegis_worker.celery import QUEUES
from aegis_worker.chaos.tally import injected
from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.metrics.meter import METER, Sink
from aegis_worker.observability.metrics.shared import SharedSums, read_sums
from aegis_worker.observability.metrics.statsd import StatsD
from aegis_worker.observation_settings import ObservationSettings, SinkName
from aegis_worker.persistence.claims import due_by_queue
from aegis_worker.queries.gateway_reports import report_gateways
from aegis_worker.queries.metrics import MOST_DUE, Reading, readings
from aegis_worker.queries.metrics_start import from_zero
from aegis_worker.queries.metrics_text import NO_SUMS, Sums
from aegis_worker.queries.overdue import overdue_numbers
from aegis_worker.queries.people import people_numbers
from aegis_worker.queries.waiting import waiting_numbers
from aegis_worker.settings import Settings

from .stores import redis_client

if TYPE_CHECKING:
    from .worker import Worker


_EXTRA = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.common.trace_encoder")


def measured(settings: Settings) -> None:
    """Have this process measure for the configured sinks. Raises ConfigurationError where one can't be had."""
    sinks = [_sink(name, settings) for name in settings.observation.sinks]
    METER.configure(sinks, settings.observation.every_s)


def check_extra(settings: Settings) -> None:
    """Raises ConfigurationError where the settings want what only the extra `otel` has, and it is not installed."""
    observation = settings.observation
    wants = ["AEGIS_METRICS_SINKS has otlp"] if "otlp" in observation.sinks else []
    if observation.traces == "otlp":
        wants.append("AEGIS_TRACES is otlp")
    if wants and any(not _is_installed(name) for name in _EXTRA):
        raise ConfigurationError(f"{' and '.join(wants)}, which needs pip install aegispay[otel]")


def _is_installed(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def sums(redis: Redis, gateways: Iterable[str]) -> Sums:
    """What all processes counted, from 0 on; nothing where Redis can't be asked. `gateways`: those that are configured."""
    try:
        counts, distributions = read_sums(redis)
    except RedisError:
        return NO_SUMS
    return from_zero(Sums(counts, distributions), gateways)


def broker_messages(redis: Redis) -> Mapping[str, int] | None:
    """How many messages wait, by Celery's queue; None where Redis can't be asked."""
    pipeline = redis.pipeline(transaction=False)
    for queue in QUEUES:
        pipeline.llen(queue)
    try:
        counts: Sequence[int] = pipeline.execute()
    except RedisError:
        return None
    return dict(zip(QUEUES, counts, strict=True))


def shared_readings(parts: Worker) -> Iterator[Reading]:
    """What is asked of the shared state now. Raises DatabaseUnavailable."""
    reports = report_gateways(parts.database, parts.gateways, parts.monitor)
    with parts.database.read() as connection:
        due = due_by_queue(connection, limit=MOST_DUE)
        waiting, overdue = waiting_numbers(connection), overdue_numbers(connection)
        people = people_numbers(connection)
    struck, messages = injected(parts.redis), broker_messages(parts.redis)
    return readings(reports, due, waiting, struck, overdue, messages, people)


def resource(settings: Settings) -> dict[str, str]:
    """What a collector calls this process."""
    return {
        "service.name": "aegispay",
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "deployment.environment.name": settings.environment,
    }


def _sink(name: SinkName, settings: Settings) -> Sink:
    observation = settings.observation
    if name == "prometheus":
        return SharedSums(redis_client(settings))
    if name == "otlp":
        return _otlp(observation, resource(settings))
    host, port = observation.statsd
    return StatsD(host, port, tagged=name == "dogstatsd")


def _otlp(observation: ObservationSettings, about: Mapping[str, str]) -> Sink:
    try:
        from aegis_worker.observability.metrics.otlp import Otlp
    except ImportError as error:
        raise ConfigurationError(
            f"AEGIS_METRICS_SINKS has otlp, which needs pip install aegispay[otel] ({error})"
        ) from error
    return Otlp(observation.otlp_endpoint, observation.otlp_headers, about)
