"""The parts of a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from aegis_worker.audit.run import AuditParts
from aegis_worker.audit.violations import Bounds
from aegis_worker.celery import app as celery_app
from aegis_worker.delivery.drain import DrainReport
from aegis_worker.delivery.listeners.listening import Listening
from aegis_worker.delivery.webhooks.afterwards import Afterwards
from aegis_worker.delivery.webhooks.deliver import DeliveryReport
from aegis_worker.gateway_events.follow import FollowParts
from aegis_worker.gateway_events.verify import VerifyParts
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hints import Hints, NoHints
from aegis_worker.hooks.asking import InstalledHooks
from aegis_worker.people.parts import TwoPersonParts
from aegis_worker.persistence.compatibility import SchemaGuard
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.exchanges import Exchanges
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.recheck import RecheckParts
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.stage import Stage
from aegis_worker.reconcile import ReconcileParts
from aegis_worker.resilience.monitor import Monitor
from aegis_worker.review.parts import ReviewParts
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import Settings
from aegis_worker.vault.vault import Vault

from .chaos import configured_chaos, worker_database, worker_gates, worker_hints, worker_redis
from .checks import check_leases, check_production
from .delivery import hook_delivery, outbox_drain, webhook_delivery, webhook_sender
from .gateways import close_gateways, configured_gateways, gates_of
from .hooks import built_hooks
from .pipeline import pipeline_parts
from .review import review_parts, two_person_parts
from .rules import built_rules
from .vault import built_vault, opening

# Listening hooks have processes of their own, so that one that is slow is in no fraud check's way.
_LISTENING = 2


@dataclass(frozen=True, slots=True)
class Worker:
    """The parts that the tasks, the relay and the command line work with.

    `deliver_webhooks()` waits for slow endpoints; with `leave=afterwards.leave` it leaves their posts to finish later.
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
    webhooks: VerifyParts
    gateway_events: FollowParts
    review: ReviewParts
    two_person: TwoPersonParts
    audit: AuditParts
    monitor: Monitor
    drain_outbox: Callable[[], DrainReport]
    deliver_webhooks: Callable[..., DeliveryReport]
    afterwards: Afterwards
    listening: Listening
    vault: Vault | None
    hooks: InstalledHooks

    def finish(self) -> None:
        """Wait for the calls and posts that are under way, and settle them. For the end of a process."""
        self.pipeline.tail.finish()
        self.pipeline.exchanges.write()
        self.afterwards.finish()
        self.listening.finish()
        self.hooks.close()

    def close(self) -> None:
        """Close the connections to gateways and stores. Call this only when nothing is under way any more."""
        close_gateways(self.gateways)
        self.hooks.close()
        if self.vault is not None:
            self.vault.close()
        self.redis.close()
        self.database.dispose()


def build_worker(
    settings: Settings, *, hints: Hints | NoHints | None = None, disturbed: bool = False
) -> Worker:
    """Build the parts of a worker from the given settings. Raises ConfigurationError if they contradict each other.

    `disturbed`: by the plan of AEGIS_CHAOS, where it names one; for what works on payments all by itself.
    """
    chaos = configured_chaos(settings) if disturbed else None
    database = worker_database(settings, chaos)
    vault = built_vault(settings)
    gateways = configured_gateways(settings, database, opens_card=opening(vault))
    sender = webhook_sender(settings)
    check_leases(settings, gateways, sender.longest_s)
    check_production(settings, gateways)
    redis = worker_redis(settings, chaos)
    hints = hints or worker_hints(celery_app, redis, chaos)
    hooks = built_hooks(settings, redis)
    listeners = hooks.beside(processes=_LISTENING)
    gates = gates_of(settings, redis, gateways)
    stage = Stage(hooks, built_rules(settings, database, redis))
    pipeline = pipeline_parts(
        settings, database, redis, gateways, worker_gates(gates, chaos), hints, vault, chaos, stage
    )
    review = review_parts(settings, database, lambda: gateways, hints.notify)
    kept = pipeline.exchanges
    return Worker(
        settings=settings,
        database=database,
        schema=SchemaGuard(database),
        redis=redis,
        gateways=gateways,
        hints=hints,
        pipeline=pipeline,
        reconcile=ReconcileParts(database, gateways, hints, lambda: run(pipeline, "verify"), kept),
        recheck=RecheckParts(database, gateways, hints, settings.recheck_ladder_s, kept),
        webhooks=VerifyParts(database, gateways, KeyRing(settings.sealing_keys)),
        gateway_events=FollowParts(database, gateways, hints, kept),
        review=review,
        two_person=two_person_parts(settings, review),
        audit=_audit_parts(settings, database, gateways, kept),
        monitor=Monitor(redis, gates, gateways),
        drain_outbox=outbox_drain(settings, database, redis, hints, listeners),
        deliver_webhooks=webhook_delivery(settings, database, sender),
        afterwards=Afterwards(),
        listening=hook_delivery(settings, database, listeners),
        vault=vault,
        hooks=hooks,
    )


def _audit_parts(
    settings: Settings, database: Database, gateways: dict[str, PaymentGateway], kept: Exchanges
) -> AuditParts:
    bounds = Bounds(
        overdue_after_s=settings.audit_overdue_s,
        undelivered_after_s=settings.audit_undelivered_s,
        keys_kept_s=settings.idempotency_keep_h * 3600.0,
    )
    return AuditParts(database, gateways, bounds, settings.audit_batch, settings.audit_budget_s, kept)
