"""The real pipeline of a story: the product's `run` over its tables on PostgreSQL, with gateways from the story."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from msgspec.json import decode
from sqlalchemy import Engine, create_engine

from aegis_worker.domain.card_networks import CardDecline
from aegis_worker.domain.changes import Change
from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Lookup, NotSent, Outcome, Unknown
from aegis_worker.gateways.base import GatewayEvent, PaymentGateway
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest, StatusQuery
from aegis_worker.lab.plants.patching import name_in
from aegis_worker.persistence import migrate
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.persistence.tables import metadata
from aegis_worker.pipeline import effects
from aegis_worker.pipeline.parts import PipelineParts, RunReport
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from aegis_worker.pipeline.writing import Written, persist
from aegis_worker.resilience.permits import BreakerView, CallResult, GatewayHealth, Verdict, Wanted
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.sealing.keys import sealing_keys
from aegis_worker.sealing.ring import KeyRing

from .clock import StoryClock, install_clock, under_story_clock
from .outage import Outage
from .stepped import Halts, SteppedWorker

LEAVING = "gateway.leaving"
"""Where a worker halts between its last look at the clock and the first byte of a call."""

WRITING, WRITTEN, CLAIMED = "story.writing", "story.written", "story.claimed"
"""Around the transactions of a worker: before and after it records a change, and after it has claimed a job."""

ASKING_DISPUTE = "story.asking_dispute"
"""Where whoever asks about a dispute halts before the gateway answers."""

# What a story may write to; the rest is what migrations put there.
_TOLD = tuple(name for name in metadata.tables if name != "schema_compatibility")
# No run of a story ends by itself: a worker may be frozen for as long as the story is told.
_RUN_LIMIT_S = 3600.0
RING = KeyRing(sealing_keys("", "s" * 32))


class StoryLocks:
    """A lock that is always granted, because the guards must hold without it; or never, where another worker has it."""

    def __init__(self, grants: bool) -> None:
        self._grants = grants

    def acquire(self, payment_ids: Sequence[str], *, ttl_ms: int) -> set[str]:
        """All of them, or none."""
        return set(payment_ids) if self._grants else set()

    def release(self, payment_ids: Sequence[str]) -> None:
        """Nothing is held."""


class StoryGates:
    """Gates that answer as the story says, and count nothing."""

    def __init__(self, verdict: Callable[[Wanted], Verdict]) -> None:
        self._verdict = verdict

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        """Whether each call may go out."""
        return [self._verdict(want) for want in wanted]

    def report(self, results: Sequence[CallResult]) -> None:
        """Nothing is counted."""

    def forget(self, wanted: Sequence[Wanted]) -> None:
        """Nothing is held."""

    def health(self) -> Mapping[str, GatewayHealth]:
        """Nothing is known."""
        return {}

    def views(self) -> Mapping[str, Mapping[str, BreakerView]]:
        """Nothing is known."""
        return {}

    def turns(self, count: int) -> int:
        """No round robin."""
        return 0


class StoryGateway:
    """A gateway whose ledger the story keeps. Answers on the thread that calls, so that a worker is one thread."""

    def __init__(
        self,
        config: GatewayConfig,
        capabilities: Capabilities,
        called: Callable[[GatewayRequest], Outcome],
        asked: Callable[[StatusQuery], Lookup],
        come_by: Callable[[str], None],
        disputed: Callable[[DisputeQuery], DisputeLookup] | None = None,
    ) -> None:
        self.config, self.capabilities = config, capabilities
        self._called, self._asked, self._come_by = called, asked, come_by
        self._disputed = disputed

    def send(
        self,
        request: GatewayRequest,
        done: Callable[[Outcome], None],
        may_leave: Callable[[], bool] | None = None,
        note: Note | None = None,
    ) -> None:
        """Look at the clock once more, halt, and let the first byte leave."""
        if may_leave is not None and not may_leave():
            done(NotSent("too late"))
            return
        self._come_by(LEAVING)
        done(self._called(request))

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[GatewayEvent]:
        """The events as the story has them come."""
        return decode(body, type=list[GatewayEvent])

    def ask(self, query: StatusQuery, done: Callable[[Lookup], None], note: Note | None = None) -> None:
        """Answer from the ledger."""
        self._come_by(LEAVING)
        done(self._asked(query))

    def ask_dispute(
        self, query: DisputeQuery, done: Callable[[DisputeLookup], None], note: Note | None = None
    ) -> None:
        """Halt, and answer from the ledger how a dispute stands."""
        self._come_by(ASKING_DISPUTE)
        done(Unknown("no disputes") if self._disputed is None else self._disputed(query))


class OneClaim(PostgresJobs):
    """The product's job store, for a run that takes up what is due once, and halts around what it commits."""

    def __init__(self, database: Database, come_by: Callable[[str], None], outage: Outage) -> None:
        super().__init__(database, RING)
        self._come_by, self._outage = come_by, outage
        self._has_claimed = False

    def claim(self, queue: str, *, limit: int, lease_s: float, worker: str) -> list[ClaimedJob]:
        """The first time what is due, afterwards nothing."""
        if self._has_claimed:
            return []
        self._has_claimed = True
        jobs = super().claim(queue, limit=limit, lease_s=lease_s, worker=worker)
        self._come_by(CLAIMED)
        return jobs

    def record(
        self, changes: Sequence[Change], declines: Mapping[str, CardDecline], *, lease_s: float
    ) -> set[str]:
        """As the product does, where PostgreSQL is there."""
        self._outage.check()
        return super().record(changes, declines, lease_s=lease_s)


class _Writing:
    """Stands for `writing.persist`: a worker halts before it begins to write, and after. What it decides anew because of
    what it found there is the same writing.
    """

    def __init__(self, come_by: Callable[[str], None]) -> None:
        self._come_by = come_by
        self._anew: set[str] = set()

    def __call__(self, parts: PipelineParts, changes: list[Change], report: RunReport) -> Written:
        if not changes:
            return persist(parts, changes, report)
        if parts.worker not in self._anew:
            self._come_by(WRITING)
        written = persist(parts, changes, report)
        if written.taken or written.cancelled:
            self._anew.add(parts.worker)
        else:
            self._anew.discard(parts.worker)
            self._come_by(WRITTEN)
        return written


class _OneDraw(random.Random):
    """What is left to chance comes out as the story says."""

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__(0)
        self._draw = draw

    def random(self) -> float:
        return self._draw()


class StoryTables:
    """The product's tables in a schema of their own, under a story's clock."""

    def __init__(self, engine: Engine, schema: str) -> None:
        self._engine, self._schema = engine, schema
        self.database = Database(engine)

    @contextmanager
    def begun(self) -> Iterator[StoryInstallation]:
        """Empty tables at the beginning of a story. Within it the story's clock rules this process, and workers halt."""
        self._empty()
        clock, halts = StoryClock(self._engine, self._schema), Halts()
        persisting = name_in(effects, "persist", _Writing(halts.come_by))
        with clock.ruling(), halts.listening(), persisting:
            yield StoryInstallation(self.database, clock, halts)

    def _empty(self) -> None:
        # A session remembers where its last claim began, which is a moment of an earlier story.
        self._engine.dispose()
        with self._engine.begin() as connection:
            # A worker of an earlier story that halts for ever holds no transaction, so nothing is waited for here.
            for table in _TOLD:
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            connection.exec_driver_sql(f"TRUNCATE {', '.join(_TOLD)}")
            for table in _TOLD:
                connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@dataclass(frozen=True, slots=True)
class StoryInstallation:
    """What the workers of one story work with."""

    database: Database
    clock: StoryClock
    halts: Halts

    def worker(
        self,
        name: str,
        queue: str,
        gateways: Mapping[str, StoryGateway],
        verdict: Callable[[Wanted], Verdict],
        *,
        policy: Policy,
        lease_s: float,
        draw: Callable[[], float],
        outage: Outage | None = None,
        lock_grants: bool = True,
    ) -> SteppedWorker:
        """A worker that has not begun: it takes up one job of the queue. `draw`: what is left to chance."""
        parts = PipelineParts(
            jobs=OneClaim(self.database, self.halts.come_by, outage or Outage()),
            gateways=cast("Mapping[str, PaymentGateway]", gateways),
            locks=StoryLocks(lock_grants),
            gates=StoryGates(verdict),
            routing=lambda: RoutingTable(RoutingConfig(), 0, "file", frozenset()),
            policy=policy,
            hint=lambda queue: None,
            worker=name,
            lease_s=lease_s,
            batch=1,
            calls_in_flight=1,
            run_limit_s=_RUN_LIMIT_S,
            rng=_OneDraw(draw),
        )
        return self.halts.worker(name, lambda: _run(parts, queue))


def _run(parts: PipelineParts, queue: str) -> None:
    run(parts, queue)


@contextmanager
def story_tables(database_url: str, schema: str) -> Iterator[StoryTables]:
    """Tables in a schema of this name, which is removed at the end."""
    engine = create_engine(under_story_clock(database_url, schema), pool_size=8, max_overflow=0)
    try:
        install_clock(engine, schema)
        migrate.upgrade(under_story_clock(database_url, schema))
        yield StoryTables(engine, schema)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        engine.dispose()
