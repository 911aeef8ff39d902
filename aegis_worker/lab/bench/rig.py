"""The rig: an installation that is thrown away, with a gateway of the bench's choice, and what the modes do with it."""

from __future__ import annotations

import os
import secrets
import string
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
from redis import Redis
from sqlalchemy import make_url

from aegis_worker.celery import app as celery_app
from aegis_worker.hints import Hints
from aegis_worker.ids import new_id
from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.lab.embedded.processes import Processes
from aegis_worker.lab.embedded.stack import temporary_data_dir
from aegis_worker.lab.local.emulated import emulated
from aegis_worker.lab.local.programs import answers
from aegis_worker.lab.local.stack import LocalStack, Running
from aegis_worker.lab.local.stopping import Stopped
from aegis_worker.terminal.output import remark

from . import floor
from .load import Plan, Sent
from .loads import run_loads
from .meter import Meter, Reading, spent
from .payers import CheckoutPayers
from .setup import Setup

_POLL_S = 0.1
# Longer than a retry waits, and than a lost hint costs: what has not moved for this long will not move.
_PATIENCE_S = 60.0
# Posts before the first round, so that imports, connections and a key's first use are not measured.
_WARM_UP_POSTS, _WARM_UP_CONNECTIONS = 64, 8

_PART_OF = {"web": "web", "worker": "worker", "beat": "beat", "postgres": "PostgreSQL", "valkey": "Redis"}
_LEFT = """
SELECT (SELECT count(*) FROM jobs WHERE finished_at IS NULL AND NOT in_review)
    + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending')
"""

# The seconds that a reason tells differ from job to job.
_WHY = r"""
SELECT count(*), regexp_replace(reason, '\d+ s\M', 'some time') FROM jobs
WHERE finished_at IS NULL AND NOT in_review AND reason IS NOT NULL
GROUP BY 2 ORDER BY 1 DESC LIMIT 1
"""


class Rig:
    """A running installation under measurement. `cursor` is the superuser's, with autocommit."""

    def __init__(
        self, setup: Setup, merchant_id: str, stack: LocalStack, running: Running, stopping: threading.Event
    ) -> None:
        self.merchant_id = merchant_id
        self._setup, self._stack, self._running, self._stopping = setup, stack, running, stopping
        self._admin = make_url(running.database_url).set(drivername="postgresql", username="postgres")
        role = make_url(running.database_url).username or ""
        self._connections = [self._connect("aegis"), self._connect("postgres")]
        self.cursor, meters_cursor = (connection.cursor() for connection in self._connections)
        self._payers = self._checkout_payers() if emulated(setup.gateway).checkout else None
        self._parts = _parts(stack.pids())
        ours = [connection.get_backend_pid() for connection in self._connections]
        self.meter = Meter(self._parts, meters_cursor, role, not_counted=ours)
        self._processes = Processes()
        self._redis = Redis.from_url(running.redis_url)
        celery_app.conf.update(broker_url=running.redis_url)
        self._hints = Hints(celery_app, self._redis)
        self.port = make_url(running.api_url).port or 0

    def close(self) -> None:
        """Stop what the rig started beside the installation."""
        if self._payers:
            self._payers.stop()
        self._processes.stop_all()
        self._redis.close()
        for connection in self._connections:
            connection.close()

    def posts(self, connections: int, **pace: Any) -> Plan:
        """A plan for posting payments; `pace` is `count`, or `rate` and `seconds`."""
        return Plan(
            port=self.port,
            paths=["/v1/payments"],
            headers=self._headers(),
            ok=202,
            connections=connections,
            body=self._setup.order(),
            key=new_key(),
            **pace,
        )

    def batches(self, connections: int, *, count: int, batch: int) -> Plan:
        """A plan for posting `count` payments, `batch` of them in each request."""
        plan = self.posts(connections, count=count)
        return replace(plan, paths=["/v1/payments/batches"], ok=200, batch=batch)

    def gets(self, paths: Sequence[str], connections: int, seconds: float) -> Plan:
        """A plan for reading, one path after the other."""
        return Plan(self.port, paths, self._headers(), 200, connections, seconds=seconds)

    def run_load(self, *plans: Plan) -> list[Sent]:
        """Each plan in a process of its own, all at once; what came of them. Raises Stopped, OperatorError."""
        return run_loads(plans, self._stopping)

    def hint(self, queue: str) -> None:
        """Tell a worker that there is something to do."""
        self._hints.send(queue)

    def wait_until_quiet(self) -> str | None:
        """Until every job has ended and every event is delivered; or, after a minute without change, what is left."""
        left, changed_at = self._left(), time.monotonic()
        while left:
            # Look less often while much is left, because counting many rows would slow down what is measured.
            if self._stopping.wait(min(1.0, _POLL_S + left / 20_000)):
                raise Stopped
            left, before = self._left(), left
            if left != before:
                changed_at = time.monotonic()
            if time.monotonic() - changed_at > _PATIENCE_S:
                return f"{left} jobs, events or webhooks were not done with{self._why()}"
        return None

    def go_on(self) -> None:
        """Raises Stopped when this is to end."""
        if self._stopping.is_set():
            raise Stopped

    def cost(self, before: Reading, count: int, unit: str, **cpu_ms_of_ended: float) -> dict[str, Any]:
        """What was spent since `before`, for each of `count` units of work, and the memory in use now."""
        figures = spent(before, self.meter.read(), count, unit, cpu_ms_of_ended)
        return figures | {"memory_mb": self.meter.memory_mb()}

    def start_floor(self) -> int:
        """The bare Flask application under the API's server; gives its port."""
        self.cursor.execute(floor.TABLE)
        self.cursor.execute("GRANT ALL ON bench_floor TO aegis")
        port = free_port()
        argv = ["-m", "aegis_api.server", "aegis_worker.lab.bench.floor:create_app"]
        url = make_url(self._running.database_url).set(drivername="postgresql")
        self.start(
            "floor",
            argv,
            lambda: answers(port, "/healthz"),
            DATABASE_URL=url.render_as_string(hide_password=False),
            AEGIS_BIND=f"127.0.0.1:{port}",
        )
        return port

    def start_sink(self) -> str:
        """A server that takes everything that is posted; gives its URL. What it costs is the part `sink`."""
        port = free_port()
        argv = ["-m", "aegis_worker.lab.bench.sink", str(port), "0"]
        self.start("sink", argv, lambda: answers(port, "/healthz"))
        self._parts["sink"] = [self._processes.pid("sink")]
        return f"http://127.0.0.1:{port}/webhooks"

    def warm_up(self, *more: Plan) -> None:
        """Some payments that count for nothing, to their end where there is a worker."""
        # So many hints that every process of the worker gets one, because it sets up its parts with its first task.
        for _ in range(4 * self._setup.workers):
            self.hint("payments")
        self.run_load(self.posts(_WARM_UP_CONNECTIONS, count=_WARM_UP_POSTS), *more)
        if self._setup.workers:
            self.wait_until_quiet()

    def events_told(self) -> tuple[int, float]:
        """How many entries the stream ever got, and when the last one came, in seconds since the epoch."""
        stream = self._redis.xinfo_stream("aegis:events")
        return int(stream["entries-added"]), int(stream["last-generated-id"].split(b"-")[0]) / 1000

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._running.api_key}"}

    def _left(self) -> int:
        self.cursor.execute(_LEFT)
        return int((self.cursor.fetchone() or (0,))[0])

    def _why(self) -> str:
        """What most of the jobs that are left wait for."""
        self.cursor.execute(_WHY)
        row = self.cursor.fetchone()
        return f"; {row[0]} jobs wait: {row[1]}" if row else ""

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        url = self._admin.set(database=database)
        connection = psycopg2.connect(url.render_as_string(hide_password=False))
        connection.autocommit = True
        return connection

    def _checkout_payers(self) -> CheckoutPayers:
        """Payers who pay from now on, and whose session is not counted."""
        self._connections.append(self._connect("aegis"))
        place = self._running.sandboxes[self._setup.gateway]
        payers = CheckoutPayers(self._connections[-1], place["url"], self._setup.token)
        payers.start()
        return payers

    @property
    def folder(self) -> Path:
        """Of the installation, and thrown away with it."""
        return self._stack.folder.path

    def start(self, name: str, argv: Sequence[str], ready: Callable[[], bool], **more: str) -> None:
        """A Python process beside the installation, with `more` in its environment; returns when it is `ready`."""
        self._processes.start(
            name,
            [sys.executable, *argv],
            {**os.environ, **more},
            self._stack.folder.logs / f"{name}.log",
            ready=ready,
        )


@contextmanager
def running_rig(setup: Setup, stopping: threading.Event) -> Iterator[Rig]:
    """An installation with the given setup, warmed by nothing yet. Raises what `LocalStack.start` does."""
    with temporary_data_dir() as data_dir:
        environ = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")
        }
        merchant_id = new_id("bench")
        stack = LocalStack(
            data_dir,
            port=0,
            workers=setup.workers,
            merchant_id=merchant_id,
            environ=environ,
            say=lambda text: remark(f"aegis bench: {text}"),
            without=() if setup.workers else ("worker", "beat"),
            choose=setup.tables,
        )
        with stack:
            rig = Rig(setup, merchant_id, stack, stack.start(stopping), stopping)
            try:
                yield rig
            finally:
                rig.close()


def new_key() -> str:
    """Begins idempotency keys and references that nobody used before. Letters only: digits may look like a card."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))


def _parts(pids: Mapping[str, int]) -> dict[str, list[int]]:
    """The main processes of each part; whatever is none of ours is a gateway."""
    parts = {part: [pids[name]] for name, part in _PART_OF.items() if name in pids}
    if gateways := [pid for name, pid in pids.items() if name not in _PART_OF]:
        parts["gateway"] = gateways
    return parts
