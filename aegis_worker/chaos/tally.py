"""Counts what was injected, for `/metrics`: in Redis, because any process may be asked about all of them.

Counts are kept in memory and added to Redis's once a second. What can't be added is kept until it can: a Redis that is
away, also on purpose, loses no count; a process that dies takes its last second with it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import cast

from redis import Redis, RedisError

from .plan import Injection

KEY = "aegis:chaos:injected"
_KEPT_S = 7 * 86_400
_EVERY_S = 1.0
# Fields are names of injections, of which a file has at most 64; several files follow each other within a week.
MOST_TOLD = 256


class Tally:
    """Those of one process. Threads may share it. `redis`: a client that nothing disturbs."""

    def __init__(self, redis: Redis | None) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._thread_of: tuple[int, threading.Thread] | None = None

    def count(self, one: Injection) -> None:
        """Count one strike of an injection. Neither waits nor raises."""
        if self._redis is None:
            return
        with self._lock:
            self._counts[f"{one.id}|{one.kind}"] += 1
            if self._thread_of is None or self._thread_of[0] != os.getpid():  # threads don't survive a fork
                thread = threading.Thread(target=self._write_forever, name="chaos-tally", daemon=True)
                self._thread_of = (os.getpid(), thread)
                thread.start()

    def write(self) -> None:
        """Add what was counted to Redis's counts, if Redis answers."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if self._redis is None or not counts:
            return
        try:
            pipeline = self._redis.pipeline()
            for field, more in counts.items():
                pipeline.hincrby(KEY, field, more)
            pipeline.expire(KEY, _KEPT_S)
            pipeline.execute()
        except RedisError:
            with self._lock:
                self._counts += counts

    def _write_forever(self) -> None:
        while True:
            time.sleep(_EVERY_S)
            self.write()


def injected(redis: Redis) -> Mapping[tuple[str, str], int]:
    """How often each injection (id, kind) has struck in the last week, over all processes; none while Redis is away."""
    try:
        found = cast("dict[bytes, bytes]", redis.hgetall(KEY))
    except RedisError:
        return {}
    told: dict[tuple[str, str], int] = {}
    for field, count in sorted(found.items())[:MOST_TOLD]:
        name, _, kind = field.decode().partition("|")
        told[name, kind] = int(count)
    return told
