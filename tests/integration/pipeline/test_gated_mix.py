"""Two workers, three gateways that fail in every way, Redis emptied halfway; then all is well, and everything ends.

A run prints nothing and can't be repeated exactly, since threads race; its seed decides how gateways fail.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis
from support.payments import POLICY, accept_one, payment_of, pipeline, rows, story_of
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.outcomes import Approved, Declined, Lookup, NotFound, NotSent, Operation, Unknown
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.gates import SharedGates, build_gates
from aegis_worker.resilience.lock import PaymentLocks
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.config import parse_routing

ALL_STEPS = (Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS)
TOUCHY = BreakerLimits(
    consecutive_failures=3, open_s=0.3, max_open_s=0.6, unknown_min_calls=20, unknown_rate=0.2, probes=2
)
IMPATIENT = replace(POLICY, verify_ladder_s=(0.1, 0.2, *[0.3] * 40), route_wait_s=30.0, max_attempts=4)
_NEVER_SENT = (
    NotSent("connection refused"),
    NotSent("connect timeout", kind=NotSentKind.TIMEOUT),
    NotSent("rate limited", retry_after_s=0.1, kind=NotSentKind.RATE_LIMIT),
)


class MoodyGateway(ScriptedGateway):
    """Each call is done or not, and answered or not, as it is drawn, until all is `well`."""

    def __init__(self, name: str, rng: random.Random, well: threading.Event, **config: Any) -> None:
        retry = RetryLimits(initial_s=0.05, cap_s=0.2)
        super().__init__(name, absence_window_s=0.2, breaker=TOUCHY, retry=retry, **config)
        self._rng, self._well = rng, well
        self._made: set[str] = set()
        self._script = lambda request: self._moody(request, self.charge)
        self.look_up = self._moody_look_up

    def initiate(self, request: GatewayRequest) -> Any:
        return self._moody(request, self._make)

    def authenticate(self, request: GatewayRequest) -> Any:
        return self._moody(request, self._make)

    def _make(self, request: GatewayRequest) -> Approved:
        self._made.add(request.idempotency_key)
        return Approved(f"made_{request.idempotency_key}")

    def _moody(self, request: GatewayRequest, do: Any) -> Any:
        mood = 0.0 if self._well.is_set() else self._rng.random()
        if mood < 0.5:
            return do(request)
        if mood < 0.65:
            return self._rng.choice(_NEVER_SENT)
        if mood < 0.75:
            do(request)
            return Unknown("reset")
        if mood < 0.85:
            return Unknown("lost on the way")
        if mood < 0.92:
            return Declined("do_not_honor", "05")
        time.sleep(self._rng.random() / 5)
        return do(request)

    def _moody_look_up(self, query: StatusQuery) -> Lookup:
        if not self._well.is_set() and self._rng.random() < 0.3:
            return Unknown("status is down")
        if query.operation is Operation.PROCESS:
            return self.by_ledger(query)
        return Approved(f"made_{query.reference}") if query.reference in self._made else NotFound()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["RULE_BASED", "METRICS_BASED", "ROUND_ROBIN"])
def test_whatever_gateways_do_every_payment_ends_charged_once_or_not_at_all_and_nothing_is_left_over(
    database: Database, redis_url: str, strategy: str
) -> None:
    redis, rng, well = Redis.from_url(redis_url), random.Random(strategy), threading.Event()
    gateways = [
        MoodyGateway("a", rng, well, steps=ALL_STEPS, max_concurrent=3),
        MoodyGateway("b", rng, well, steps=ALL_STEPS),
        MoodyGateway("c", rng, well, max_concurrent=2),
    ]
    config = parse_routing({"strategy": strategy}, gateways=("a", "b", "c"), where="test")
    table = RoutingTable(config, 1, "put", frozenset())

    def worker(name: str) -> PipelineParts:
        return pipeline(
            database,
            *gateways,
            gates=gates_of(redis, gateways),
            locks=PaymentLocks(redis, token=name),
            routing=lambda: table,
            policy=IMPATIENT,
            worker=name,
            run_limit_s=0.5,
        )

    ids = [accept_one(database, f"k{number}").payment.id for number in range(100)]
    workers, stopped = [worker("w1"), worker("w2")], threading.Event()
    threads = [
        threading.Thread(target=works, args=(one, queue, stopped))
        for one in workers
        for queue in ("payments", "verify")
    ]
    for thread in threads:
        thread.start()
    stopped.wait(1.5)
    redis.flushall()
    redis.script_flush()
    stopped.wait(1.5)
    well.set()
    for _ in range(200):
        if stopped.wait(0.1) or not rows(database, "SELECT FROM jobs WHERE finished_at IS NULL"):
            break
    stopped.set()
    for thread in threads:
        thread.join()
    assert rows(database, "SELECT id, status, reason FROM jobs WHERE finished_at IS NULL") == []
    for payment_id in ids:
        charges = sum(gateway.charges_of(payment_id) for gateway in gateways)
        assert charges == (payment_of(database, payment_id).state is State.SUCCESS)
        story_of(database, payment_id)
    for gates in (gates_of(redis, gateways), *(one.gates for one in workers)):
        views = [view for of_one in gates.views().values() for view in of_one.values()]
        assert [view for view in views if view.calls_out or view.probes_out] == []
    assert [key for key in redis.scan_iter("aegis:gate:*") if redis.pttl(key) < 0] == []


def gates_of(redis: Redis, gateways: list[MoodyGateway]) -> SharedGates:
    return build_gates(redis, {one.config.name: one for one in gateways}, calls_in_flight=8)


def works(parts: PipelineParts, queue: str, stopped: threading.Event) -> None:
    try:
        while not stopped.wait(0.02):
            run(parts, queue)
    finally:
        stopped.set()
