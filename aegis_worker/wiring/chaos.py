"""What disturbs a worker process on purpose, where AEGIS_CHAOS says so."""

from __future__ import annotations

import os

import structlog
from celery import Celery
from redis import Redis

from aegis_worker.chaos.chaos import Chaos, since_start
from aegis_worker.chaos.loading import wanted_plan
from aegis_worker.chaos.plan import Kind, Plan
from aegis_worker.chaos.switches import DisturbedDatabase, DisturbedGates, DisturbedHints, disturb_redis
from aegis_worker.chaos.tally import Tally
from aegis_worker.clock import put_off
from aegis_worker.gateways.gateways_file import load_configs
from aegis_worker.hints import Hints
from aegis_worker.persistence.database import Database
from aegis_worker.resilience.permits import Gates
from aegis_worker.settings import Settings

from .stores import redis_client

log = structlog.get_logger(__name__)


def chaos_plan(settings: Settings) -> Plan | None:
    """The plan that AEGIS_CHAOS names, or None. Raises ConfigurationError, also where production has not allowed it."""
    if settings.chaos is None:
        return None
    configs = load_configs(settings.config_dir / "gateways.toml", os.environ)
    return wanted_plan(
        settings.chaos,
        [config.name for config in configs],
        production=settings.is_production,
        allowed=settings.chaos_allow_production,
        sha256=settings.chaos_sha256,
    )


def configured_chaos(settings: Settings) -> Chaos | None:
    """What disturbs this process from now on; None where nothing is to. Raises ConfigurationError as `chaos_plan` does."""
    plan = chaos_plan(settings)
    if plan is None:
        return None
    log.warning("this process is disturbed on purpose", plan=str(settings.chaos), seed=plan.seed)
    chaos = Chaos(plan, since_start(plan), Tally(redis_client(settings)))
    put_off(chaos.clock_offset_s if plan.of(Kind.CLOCK_OFFSET) else None)
    return chaos


def worker_database(settings: Settings, chaos: Chaos | None) -> Database:
    """The database of a worker, disturbed where the plan says so."""
    if chaos is None or not chaos.plan.of(*_OF_POSTGRES):
        return Database.connect(settings, application="worker")
    database = DisturbedDatabase.connect(settings, application="worker")
    assert isinstance(database, DisturbedDatabase)
    database.chaos = chaos
    return database


def worker_redis(settings: Settings, chaos: Chaos | None) -> Redis:
    """The client of a worker for locks, flags and streams."""
    redis = redis_client(settings)
    return redis if chaos is None else disturb_redis(redis, chaos)


def worker_hints(app: Celery, redis: Redis, chaos: Chaos | None) -> Hints:
    """The hints of a worker."""
    return Hints(app, redis) if chaos is None else DisturbedHints(app, redis, chaos)


def worker_gates(gates: Gates, chaos: Chaos | None) -> Gates:
    """The gates as the pipeline asks them."""
    return gates if chaos is None or not chaos.plan.of(Kind.NO_PERMITS) else DisturbedGates(gates, chaos)


_OF_POSTGRES = (Kind.POSTGRES_SLOW, Kind.POSTGRES_LOST_BEFORE_COMMIT, Kind.POSTGRES_LOST_AFTER_COMMIT)
