"""Wires the pipeline of a worker process."""

from __future__ import annotations

import os
import socket

from redis import Redis

from aegis_worker.chaos.chaos import Chaos
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hints import Hints, NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.exchange_rows import PostgresExchanges
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.exchanges import Exchanges
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.stage import Stage
from aegis_worker.pipeline.work import Policy
from aegis_worker.resilience.lock import PaymentLocks
from aegis_worker.resilience.permits import Gates
from aegis_worker.routing.book import RoutingBook
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import Settings
from aegis_worker.vault.vault import Vault

from .gateways import calls_at_once, configured_routing
from .vault import settling


def policy_of(settings: Settings) -> Policy:
    """How often and how long to try, as it is set."""
    return Policy(
        max_attempts=settings.max_attempts,
        verify_ladder_s=settings.verify_ladder_s,
        poison_cap=settings.poison_cap,
        late_charge=settings.late_charge_policy,
        recheck_after_s=settings.recheck_ladder_s[0],
        route_wait_s=settings.route_wait_s,
        payer_wait_s=settings.payer_wait_s,
    )


def pipeline_parts(
    settings: Settings,
    database: Database,
    redis: Redis,
    gateways: dict[str, PaymentGateway],
    gates: Gates,
    hints: Hints | NoHints,
    vault: Vault | None,
    chaos: Chaos | None = None,
    stage: Stage | None = None,
) -> PipelineParts:
    """The parts that the pipeline works with. `stage` asks hooks and rules; None: nobody is asked.

    Raises ConfigurationError if routing can't be loaded.
    """
    name = f"{socket.gethostname()}:{os.getpid()}"
    book = RoutingBook(database, configured_routing(settings, gateways), gateways)
    return PipelineParts(
        jobs=PostgresJobs(database, KeyRing(settings.sealing_keys)),
        gateways=gateways,
        locks=PaymentLocks(redis, token=name),
        gates=gates,
        routing=book.current,
        policy=policy_of(settings),
        hint=hints.notify,
        worker=name,
        lease_s=settings.lease_s,
        batch=settings.batch,
        calls_in_flight=calls_at_once(settings, gateways),
        run_limit_s=settings.run_limit_s,
        hold_hints=hints.hold,
        clear_hint=hints.clear,
        settle_cards=settling(vault),
        exchanges=Exchanges(PostgresExchanges(database) if settings.exchange_keep_d else None),
        stage=stage or Stage(),
        disturbs=None if chaos is None else chaos.around,
    )
