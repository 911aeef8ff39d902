"""What hooks did, over all processes: each adds its counts to Redis's every few seconds, for whoever looks.

Counted by the hour, and kept for the hour before: a hook has as many fields as `counts.FIELDS`, and there are at most
`loading.MOST_HOOKS`. What can't be added now is added later; a process that dies takes its last seconds with it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from redis import Redis, RedisError

from .asked import Hook

_EVERY_S = 2.0
_HOUR_S = 3600
# A hash of counts for each hour, and one sorted set: which process has which breaker open, scored by when it ends.
_COUNTS, _OPEN = "aegis:hooks:counts:{hour}", "aegis:hooks:open"
_MOST_OPEN = 10_000


@dataclass(frozen=True, slots=True)
class HookStatistics:
    """`counts` of this hour and the one before, by the names of `counts.FIELDS`. `open_in`: how many processes have its
    breaker open now.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    open_in: int = 0


class Reporter:
    """Adds the counts of one pool's hooks, in a thread of its own, because Redis may make it wait."""

    def __init__(self, redis: Redis, hooks: Sequence[Hook]) -> None:
        self._redis, self._hooks = redis, hooks
        self._added: Mapping[str, Mapping[str, int]] = {}
        self._name = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hooks-statistics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Add what is left, and end the thread."""
        self._is_over.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._is_over.wait(_EVERY_S):
            self._add()
        self._add()

    def _add(self) -> None:
        so_far = {hook.name: hook.counts.so_far() for hook in self._hooks}
        more = {
            f"{name}|{what}": count - self._added.get(name, {}).get(what, 0)
            for name, counts in so_far.items()
            for what, count in counts.items()
        }
        now_ns = time.monotonic_ns()
        left_alone = {
            f"{hook.name}|{self._name}": time.time() + open_ms / 1000
            for hook in self._hooks
            if (open_ms := hook.breaker.open_for_ms(now_ns))
        }
        if not (any(more.values()) or left_alone):
            return
        key = _key(time.time())
        pipeline = self._redis.pipeline(transaction=False)
        for name, count in more.items():
            if count:
                pipeline.hincrby(key, name, count)
        pipeline.expire(key, 2 * _HOUR_S)
        pipeline.zremrangebyscore(_OPEN, 0, time.time())
        if left_alone:
            pipeline.zadd(_OPEN, left_alone)
            pipeline.expire(_OPEN, _HOUR_S)
        try:
            pipeline.execute()
        except RedisError:
            return
        self._added = so_far


def read_statistics(redis: Redis) -> Mapping[str, HookStatistics]:
    """By hook. Raises RedisError."""
    now = time.time()
    pipeline = redis.pipeline(transaction=False)
    pipeline.hgetall(_key(now - _HOUR_S))
    pipeline.hgetall(_key(now))
    pipeline.zrangebyscore(_OPEN, now, "+inf", start=0, num=_MOST_OPEN)
    before, current, left_alone = cast(
        "tuple[dict[bytes, bytes], dict[bytes, bytes], list[bytes]]", pipeline.execute()
    )
    counts: dict[str, Counter[str]] = {}
    for found in (before, current):
        for name, count in found.items():
            hook, _, what = name.decode().rpartition("|")
            counts.setdefault(hook, Counter())[what] += int(count)
    open_in = Counter(member.decode().rpartition("|")[0] for member in left_alone)
    return {
        hook: HookStatistics(counts.get(hook, Counter()), open_in[hook])
        for hook in counts.keys() | open_in.keys()
    }


def _key(at: float) -> str:
    return _COUNTS.format(hour=int(at // _HOUR_S))
