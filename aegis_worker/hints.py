"""Hints tell workers that work is due. Sending one never blocks the sender and never fails it.

A background thread of the process publishes the hints. They are coalesced twice: the thread looks at Redis only now and
then, and a flag in Redis says that a hint for a queue is already on its way. The task clears the flag before it claims,
so no committed job is missed. If a hint gets lost, the sweep finds the job.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

import structlog
from celery import Celery
from redis import Redis, RedisError

from aegis_worker.celery import ENOUGH_WAIT, QUEUE_OF, TASK_OF

log = structlog.get_logger(__name__)

# If a hint's message is lost, its flag holds back further hints for at most this long.
_FLAG_MS = 2000
# Seconds to wait before a drain is told of new events, or who follows gateways' events of those, because twenty cost about
# as much as one.
_GATHER_S = {"outbox": 0.05, "gateway_events": 0.05}
# The thread rests this long after it has looked at the flags. Under load one look then serves many payments; a thread
# that ran for each request would cost more CPU than Redis does. The first hint after a quiet time goes out at once.
_REST_S = 0.02
# After a failure nothing is published for this long, so that a dead broker isn't hammered. The sweep finds what is due.
_PAUSE_AFTER_FAILURE_S = 1.0


class Notifier(Protocol):
    """What can be told that a queue has due work."""

    def notify(self, queue: str) -> None:
        """Never blocks and never raises."""


class Hints:
    """Publishes coalesced hints from a thread of its own, started on first use in each process."""

    def __init__(self, app: Celery, redis: Redis) -> None:
        self._app = app
        self._redis = redis
        self._wanted: dict[str, float] = {}  # by queue: when to publish, on the monotonic clock
        self._wake = threading.Condition()
        self._thread_of: tuple[int, threading.Thread] | None = None

    def notify(self, queue: str) -> None:
        """Have a hint for `queue` published soon. Never blocks and never raises."""
        with self._wake:
            if queue not in self._wanted:
                self._wanted[queue] = time.monotonic() + _GATHER_S.get(queue, 0.0)
                self._wake.notify()
            if self._thread_of is None or self._thread_of[0] != os.getpid():  # threads don't survive a fork
                thread = threading.Thread(target=self._publish_forever, name="hints", daemon=True)
                self._thread_of = (os.getpid(), thread)
                thread.start()

    def clear(self, queue: str) -> None:
        """Called by the task before it claims: from now on a new hint may be sent."""
        try:
            self._redis.delete(_flag(queue))
        except RedisError:
            log.debug("hint flag not cleared", queue=queue)

    def hold(self, queue: str) -> None:
        """Hold hints back for 2 s: the caller looks by itself until then, or until it clears the flag and looks again."""
        try:
            self._redis.set(_flag(queue), "1", px=_FLAG_MS)
        except RedisError:
            log.debug("hints not held back", queue=queue)

    def send(self, queue: str) -> None:
        """Publish now, flag or no flag, unless enough wait already. Raises what the broker raises."""
        if self._redis.llen(QUEUE_OF[queue]) < ENOUGH_WAIT:
            self._app.send_task(TASK_OF[queue], queue=QUEUE_OF[queue], ignore_result=True)

    def _next(self) -> list[str]:
        """The queues to publish for; waits for the first."""
        with self._wake:
            while True:
                now = time.monotonic()
                if due := sorted(queue for queue, at in self._wanted.items() if at <= now):
                    for queue in due:
                        del self._wanted[queue]
                    return due
                self._wake.wait(min(self._wanted.values()) - now if self._wanted else None)

    def _publish_forever(self) -> None:
        pause = threading.Event()
        while True:
            for queue in self._next():
                try:
                    if self._redis.set(_flag(queue), "1", nx=True, px=_FLAG_MS):
                        self.send(queue)
                except Exception as error:
                    # Whatever the broker does, the job is committed and the sweeper finds it.
                    log.warning("hint not published", queue=queue, error=f"{type(error).__name__}: {error}")
                    pause.wait(_PAUSE_AFTER_FAILURE_S)
            pause.wait(_REST_S)


class NoHints:
    """Sends nothing. For processes that look for due work by themselves, such as `aegis relay`."""

    def notify(self, queue: str) -> None:
        """Nobody needs to be told."""

    def clear(self, queue: str) -> None:
        """There is no flag."""

    def hold(self, queue: str) -> None:
        """There is nothing to hold back."""


def _flag(queue: str) -> str:
    return f"aegis:hint:{queue}"
