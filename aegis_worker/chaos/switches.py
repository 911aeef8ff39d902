"""What a worker works with, as the plan has it disturbed: Redis, PostgreSQL, hints, gates. All from this process's side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import psycopg2
import structlog
from celery import Celery
from psycopg2.extensions import connection as DriverConnection
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout
from sqlalchemy import Connection

from aegis_worker.hints import Hints
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.prepared import Prepared
from aegis_worker.resilience.permits import (
    STATUS,
    BreakerView,
    CallResult,
    Gates,
    GatewayHealth,
    Verdict,
    Wanted,
)

from .chaos import Chaos
from .plan import LOOK_UP, Kind

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LOST = "injected: the connection to PostgreSQL was lost"
_REFUSED_FOR_S = 0.5


def disturb_redis(redis: Redis, chaos: Chaos) -> Redis:
    """Have this client's connections slow or down while the plan says so; returns the client."""
    if not chaos.plan.of(Kind.REDIS_SLOW, Kind.REDIS_DOWN):
        return redis
    pool = redis.connection_pool
    plain = pool.connection_class

    class Disturbed(plain):  # type: ignore[misc, valid-type]
        """A connection of this client."""

        def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            """Wait, or fail, before anything is sent."""
            if chaos.strike(Kind.REDIS_DOWN) is not None:
                self.disconnect()
                raise RedisConnectionError("injected: Redis is down")
            if (slow := chaos.strike(Kind.REDIS_SLOW)) is not None:
                timeout_s = self.socket_timeout or float("inf")
                late_s = chaos.delay_s(slow)
                time.sleep(min(late_s, timeout_s))
                if late_s >= timeout_s:
                    self.disconnect()
                    raise RedisTimeout("injected: Redis does not answer in time")
            super().send_packed_command(command, check_health)

    pool.connection_class = Disturbed
    return redis


class DisturbedDatabase(Database):
    """A database whose connections are slow, or lost before or after a COMMIT, while the plan says so."""

    chaos: Chaos

    def run(self, work: Callable[[Connection], T]) -> T:
        """As in Database."""

        def disturbed(connection: Connection) -> T:
            self._slow_down()
            result = work(connection)
            lost = self._loss()
            if lost is not None:
                driver: Any = connection.connection.dbapi_connection
                if lost is Kind.POSTGRES_LOST_AFTER_COMMIT:
                    driver.commit()
                driver.close()  # the COMMIT that follows finds the connection gone
            return result

        return super().run(disturbed)

    def run_alone(
        self, statement: Prepared, *values: Any, lock_timeout_ms: int | None = None
    ) -> list[tuple[Any, ...]]:
        """As in Database."""
        self._slow_down()
        lost = self._loss()
        if lost is not None:
            statement = _losing(statement, lost)
        return super().run_alone(statement, *values, lock_timeout_ms=lock_timeout_ms)

    def _loss(self) -> Kind | None:
        struck = self.chaos.strike(Kind.POSTGRES_LOST_BEFORE_COMMIT, Kind.POSTGRES_LOST_AFTER_COMMIT)
        return None if struck is None else struck.kind

    def _slow_down(self) -> None:
        if (slow := self.chaos.strike(Kind.POSTGRES_SLOW)) is not None:
            time.sleep(self.chaos.delay_s(slow))


class _Losing(Prepared):
    """A statement that loses its connection the first time that it runs."""

    __slots__ = ("lost",)
    lost: list[Kind]

    def run_alone(
        self,
        connection: DriverConnection,
        info: MutableMapping[Any, Any],
        *values: Any,
        lock_timeout_ms: int | None,
    ) -> list[tuple[Any, ...]]:
        """As in Prepared. Raises psycopg2.OperationalError."""
        lost = self.lost.pop() if self.lost else None
        rows: list[tuple[Any, ...]] = []
        if lost is not Kind.POSTGRES_LOST_BEFORE_COMMIT:
            rows = super().run_alone(connection, info, *values, lock_timeout_ms=lock_timeout_ms)
        if lost is not None:
            connection.close()
            raise psycopg2.OperationalError(_LOST)
        return rows


def _losing(statement: Prepared, lost: Kind) -> _Losing:
    losing = _Losing(**{field.name: getattr(statement, field.name) for field in fields(statement)})
    object.__setattr__(losing, "lost", [lost])
    return losing


class DisturbedHints(Hints):
    """Hints that are lost, come twice or come late, while the plan says so. None is needed for a payment to be done."""

    def __init__(self, app: Celery, redis: Redis, chaos: Chaos) -> None:
        super().__init__(app, redis)
        self._chaos = chaos

    def send(self, queue: str) -> None:
        """As in Hints."""
        struck = self._chaos.strike(Kind.MESSAGE_LOST, Kind.MESSAGE_DUPLICATED, Kind.MESSAGE_DELAYED)
        if struck is None:
            super().send(queue)
        elif struck.kind is Kind.MESSAGE_DUPLICATED:
            super().send(queue)
            super().send(queue)
        elif struck.kind is Kind.MESSAGE_DELAYED:
            timer = threading.Timer(self._chaos.delay_s(struck), self._send_late, (queue,))
            timer.daemon = True
            timer.start()

    def _send_late(self, queue: str) -> None:
        try:
            super().send(queue)
        except Exception as error:
            # As for any hint: the job is committed and the sweep finds it.
            log.warning("hint not published", queue=queue, error=f"{type(error).__name__}: {error}")


class DisturbedGates:
    """Gates that have no permit for a call, while the plan says so."""

    def __init__(self, gates: Gates, chaos: Chaos) -> None:
        self._gates, self._chaos = gates, chaos

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        """As in Gates: one verdict for each, in order."""
        refused = {place for place, one in enumerate(wanted) if self._is_refused(one)}
        let_on = iter(self._gates.admit([one for place, one in enumerate(wanted) if place not in refused]))
        none = Verdict(
            False, refused_by="limit", reason="has no permit left (injected)", retry_in_s=_REFUSED_FOR_S
        )
        return [none if place in refused else next(let_on) for place in range(len(wanted))]

    def report(self, results: Sequence[CallResult]) -> None:
        """As in Gates."""
        self._gates.report(results)

    def forget(self, wanted: Sequence[Wanted]) -> None:
        """As in Gates."""
        self._gates.forget(wanted)

    def health(self) -> Mapping[str, GatewayHealth]:
        """As in Gates."""
        return self._gates.health()

    def views(self) -> Mapping[str, Mapping[str, BreakerView]]:
        """As in Gates."""
        return self._gates.views()

    def turns(self, count: int) -> int:
        """As in Gates."""
        return self._gates.turns(count)

    def _is_refused(self, one: Wanted) -> bool:
        operation = LOOK_UP if one.operations[0] == STATUS else one.operations[0]
        return self._chaos.strike(Kind.NO_PERMITS, gateway=one.gateway, operation=operation) is not None
