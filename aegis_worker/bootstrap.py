"""The one place that wires: settings into databases, Redis clients, gateways and use cases, once per process."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import structlog
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from aegis_worker.audit.run import AuditParts
from aegis_worker.audit.violations import Bounds
from aegis_worker.celery import app as celery_app
from aegis_worker.crash_points import arm
from aegis_worker.crash_points import check as check_crash_point
from aegis_worker.delivery.drain import DrainReport, drain
from aegis_worker.delivery.stream import EventStream
from aegis_worker.delivery.webhooks.afterwards import Afterwards
from aegis_worker.delivery.webhooks.deliver import DeliveryReport, deliver_due
from aegis_worker.delivery.webhooks.fan_out import WebhookFanOut
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.errors import ConfigurationError
from aegis_worker.exchange.loaded import load_gateways
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.registry import IN_PROCESS, variables_of
from aegis_worker.hints import Hints, NoHints
from aegis_worker.observability.errors import configure_error_reports
from aegis_worker.observability.logs import configure_logs, log_the_uncaught
from aegis_worker.persistence.compatibility import SchemaGuard
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.recheck import RecheckParts
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from aegis_worker.queries.gateway_reports import GatewayReport, report_gateways
from aegis_worker.reconcile import ReconcileParts
from aegis_worker.resilience.gates import build_gates
from aegis_worker.resilience.lock import PaymentLocks
from aegis_worker.resilience.monitor import Monitor
from aegis_worker.review.parts import ReviewParts
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.config import RoutingConfig, load_routing
from aegis_worker.routing.hooks import load_hooks
from aegis_worker.settings import Settings, load_settings, unknown_variables

log = structlog.get_logger(__name__)

# Locks, flags and health of a Redis that is slow are worth less than the payment that waits for them.
_REDIS_TIMEOUT_S = 0.3
# A run of the drain ends soon, so that a worker can be stopped. Of webhooks a quarter may be one endpoint's: with fewer
# in hand its threads would wait for the next claim.
_OUTBOX_BATCH, _WEBHOOK_BATCH, _BUDGET_S = 500, 1024, 5.0


@dataclass(frozen=True, slots=True)
class Web:
    """What the HTTP API works with. `gateways()` and `routing_file()` load them when first asked for: after the fork, and
    seldom needed.
    """

    settings: Settings
    database: Database
    hints: Hints
    redis_ready: Callable[[], bool]
    gateways: Callable[[], Mapping[str, PaymentGateway]] = dict
    routing_file: Callable[[], RoutingConfig] = RoutingConfig
    gateway_reports: Callable[[], Sequence[GatewayReport]] = tuple


@dataclass(frozen=True, slots=True)
class Worker:
    """What the tasks, the relay and the command line work with.

    `deliver_webhooks()` waits for endpoints that hang; with `leave=afterwards.leave` it does not.
    """

    settings: Settings
    database: Database
    schema: SchemaGuard
    redis: Redis
    gateways: dict[str, PaymentGateway]
    hints: Hints | NoHints
    pipeline: PipelineParts
    reconcile: ReconcileParts
    recheck: RecheckParts
    review: ReviewParts
    audit: AuditParts
    monitor: Monitor
    drain_outbox: Callable[[], DrainReport]
    deliver_webhooks: Callable[..., DeliveryReport]
    afterwards: Afterwards

    def finish(self) -> None:
        """Wait for the calls and posts that are under way, and settle them; for who ends the process."""
        self.pipeline.tail.finish()
        self.afterwards.finish()


def review_parts(
    settings: Settings,
    database: Database,
    gateways: Callable[[], Mapping[str, PaymentGateway]],
    hint: Callable[[str], None],
) -> ReviewParts:
    """What decisions of people are made and carried out with."""
    return ReviewParts(database, gateways, hint, settings.recheck_ladder_s[0], settings.decision_wait_s)


def web(settings: Settings | None = None) -> Web:
    """The parts of one web process."""
    settings = _observed(settings or load_settings())
    redis = redis_client(settings)
    database = Database.connect(settings, application="web")
    gateways = cache(lambda: load_gateways(settings.config_dir / "gateways.toml"))
    return Web(
        settings=settings,
        database=database,
        hints=Hints(celery_app, redis),
        redis_ready=lambda: _answers(redis),
        gateways=gateways,
        gateway_reports=_gateway_reports(settings, database, redis, gateways),
        routing_file=cache(lambda: load_routing(settings.config_dir / "routing.toml", gateways())),
    )


def check_installation(*, for_worker: bool = False) -> Settings:
    """What every process looks at before it starts: settings, gateways.toml, routing.toml, and whether they fit together.

    `for_worker`: also what only those who work on payments need. Connects to nothing. What nothing reads is a line in the
    log. Raises ConfigurationError.
    """
    settings = load_settings()
    check_crash_point(settings.environment)
    gateways = load_gateways(settings.config_dir / "gateways.toml")
    load_routing(settings.config_dir / "routing.toml", gateways)
    _close(gateways)
    if for_worker:
        parts = build_worker(settings, hints=NoHints())
        _close(parts.gateways)
        parts.redis.close()
        parts.database.dispose()
    if unread := unread_variables(settings):
        configure_logs(settings.log_level)
        for line in unread:
            log.warning(line)
    return settings


def unread_variables(settings: Settings) -> list[str]:
    """A line for each `AEGIS_…` variable that nothing reads. Raises ConfigurationError."""
    return unknown_variables(os.environ, variables_of(settings.config_dir / "gateways.toml"))


def worker() -> Worker:
    """The parts of this worker process. Raises SchemaUnfit while the database has a schema that it can't work with."""
    parts = _worker_of_this_process()
    parts.schema.check()
    return parts


def forget_worker() -> None:
    """After a fork: connections of the parent must not be used by its children."""
    _worker_of_this_process.cache_clear()


def finish_worker() -> None:
    """Wait for what this worker process has under way, and settle it; nothing to do where it never worked."""
    if _worker_of_this_process.cache_info().currsize:
        _worker_of_this_process().finish()


@cache
def _worker_of_this_process() -> Worker:
    return build_worker(_observed(load_settings()))


def build_worker(settings: Settings, *, hints: Hints | NoHints | None = None) -> Worker:
    """The parts of a worker with the given settings. Raises ConfigurationError when they contradict each other."""
    gateways = load_gateways(settings.config_dir / "gateways.toml")
    sender = HttpSender(timeout_s=settings.webhook_timeout_s, allow_private=settings.webhook_allow_private)
    _check_leases(settings, gateways, sender)
    _check_production(settings, gateways)
    redis = redis_client(settings)
    database = Database.connect(settings, application="worker")
    hints = hints or Hints(celery_app, redis)
    name = f"{socket.gethostname()}:{os.getpid()}"
    calls_at_once = _calls_at_once(settings, gateways)
    gates = build_gates(redis, gateways, call_threads=calls_at_once)
    book = RoutingBook(database, load_routing(settings.config_dir / "routing.toml", gateways), gateways)
    pipeline = PipelineParts(
        jobs=PostgresJobs(database),
        gateways=gateways,
        locks=PaymentLocks(redis, token=name),
        gates=gates,
        routing=book.current,
        policy=Policy(
            max_attempts=settings.max_attempts,
            verify_ladder_s=settings.verify_ladder_s,
            poison_cap=settings.poison_cap,
            late_charge=settings.late_charge_policy,
            recheck_after_s=settings.recheck_ladder_s[0],
            route_wait_s=settings.route_wait_s,
        ),
        hint=hints.notify,
        worker=name,
        lease_s=settings.lease_s,
        batch=settings.batch,
        call_threads=calls_at_once,
        run_limit_s=settings.run_limit_s,
        hold_hints=hints.hold,
        clear_hint=hints.clear,
        routing_hooks=load_hooks(settings.routing_hooks),
    )
    stream = EventStream(redis, maxlen=settings.stream_maxlen)
    return Worker(
        settings=settings,
        database=database,
        schema=SchemaGuard(database),
        redis=redis,
        gateways=gateways,
        hints=hints,
        pipeline=pipeline,
        reconcile=ReconcileParts(database, gateways, hints, verify_now=lambda: run(pipeline, "verify")),
        recheck=RecheckParts(database, gateways, hints, settings.recheck_ladder_s),
        review=review_parts(settings, database, lambda: gateways, hints.notify),
        audit=AuditParts(
            database,
            gateways,
            Bounds(
                overdue_after_s=settings.audit_overdue_s,
                undelivered_after_s=settings.audit_undelivered_s,
                keys_kept_s=settings.idempotency_keep_h * 3600.0,
            ),
            batch=settings.audit_batch,
            budget_s=settings.audit_budget_s,
        ),
        monitor=Monitor(redis, gates, gateways),
        drain_outbox=partial(
            drain,
            database,
            [WebhookFanOut(), stream],
            limit=_OUTBOX_BATCH,
            lease_s=settings.outbox_lease_s,
            budget_s=_BUDGET_S,
            fanned_out=partial(hints.notify, "webhooks"),
        ),
        deliver_webhooks=partial(
            deliver_due,
            database,
            sender,
            settings,
            limit=_WEBHOOK_BATCH,
            lease_s=settings.outbox_lease_s,
            budget_s=_BUDGET_S,
        ),
        afterwards=Afterwards(),
    )


def _close(gateways: Mapping[str, PaymentGateway]) -> None:
    for gateway in gateways.values():
        gateway.close()


def redis_client(settings: Settings) -> Redis:
    """A client for locks, flags and streams: short waits, no retries (a retried INCR counts twice)."""
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=_REDIS_TIMEOUT_S,
        socket_connect_timeout=_REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def _gateway_reports(
    settings: Settings,
    database: Database,
    redis: Redis,
    gateways: Callable[[], Mapping[str, PaymentGateway]],
) -> Callable[[], Sequence[GatewayReport]]:
    @cache
    def monitor() -> Monitor:
        gates = build_gates(redis, gateways(), call_threads=_calls_at_once(settings, gateways()))
        return Monitor(redis, gates, gateways())

    return lambda: report_gateways(database, gateways(), monitor())


def _calls_at_once(settings: Settings, gateways: Mapping[str, PaymentGateway]) -> int:
    """Of one process. Any of several gateways gets half (see `resilience.gate`), which is what one alone would have."""
    return settings.call_threads if len(gateways) == 1 else 2 * settings.call_threads


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


def _observed(settings: Settings) -> Settings:
    configure_logs(settings.log_level)
    log_the_uncaught()
    configure_error_reports(settings.sentry_dsn, settings.environment)
    arm(settings.environment)
    return settings


def _check_leases(settings: Settings, gateways: dict[str, PaymentGateway], sender: HttpSender) -> None:
    slowest_s = max(gateway.config.slowest_call_s for gateway in gateways.values())
    if settings.lease_s <= slowest_s:
        # A lease that ends during a call would have another worker ask about a charge that is still being made.
        raise ConfigurationError(
            f"AEGIS_LEASE_S ({settings.lease_s:g} s) must be longer than the slowest gateway call ({slowest_s:g} s)"
        )
    if settings.outbox_lease_s <= sender.longest_s:
        raise ConfigurationError(
            f"AEGIS_OUTBOX_LEASE_S ({settings.outbox_lease_s:g} s) must be longer than the slowest webhook post "
            f"({sender.longest_s:g} s, AEGIS_WEBHOOK_TIMEOUT_S)"
        )


def _check_production(settings: Settings, gateways: dict[str, PaymentGateway]) -> None:
    unreal = [name for name, gateway in gateways.items() if gateway.config.adapter in IN_PROCESS]
    if settings.is_production and unreal:
        # It would call every payment charged.
        raise ConfigurationError(
            f"gateways.toml: production refuses {', '.join(unreal)}: no money moves there"
        )
