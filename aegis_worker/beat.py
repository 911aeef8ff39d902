"""Celery beat's schedule, which keeps going when the host's clock is set back.

Celery compares the wall clock with the time at which a tick was last sent, and keeps that time in a file. So if the clock
is set back by an hour, Celery's own beat sends nothing for an hour, even if it is restarted. Our ticks go by the
monotonic clock. The wall clock is read only once, at the start, to see how long ago each tick was sent.
With each tick, beat writes to Redis when every tick was last sent, by Redis's own clock. `aegis doctor` reads that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from celery.beat import PersistentScheduler, ScheduleEntry
from celery.schedules import schedstate
from redis import RedisError

from aegis_worker.celery import ENOUGH_WAIT

log = structlog.get_logger(__name__)

# A hash in Redis: when each tick was last sent, in milliseconds by Redis's clock, and under `STARTED` when beat started.
TICKS_KEY, STARTED = "aegis:beat:ticks", "started"
_KEPT_S = 7 * 86_400
_REST_AFTER_FAILURE_S = 2.0

_NOTE = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f', now_ms - ARGV[i + 1]))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""


class Tick(ScheduleEntry):
    """A schedule entry that becomes due by the monotonic clock. Its schedule is a number of seconds."""

    last_run_at: datetime

    def __init__(self, *args: Any, **more: Any) -> None:
        self.last_s = more.pop("last_s", time.monotonic())
        super().__init__(*args, **more)

    @property
    def every_s(self) -> float:
        """Seconds from one tick to the next."""
        return float(self.schedule.run_every.total_seconds())

    def resume(self) -> float:
        """Count from the last tick's time by the wall clock. Returns by how many seconds that is ahead of now."""
        last_run_at: datetime = self.schedule.maybe_make_aware(self.last_run_at)
        ago_s: float = (self.default_now() - last_run_at).total_seconds()
        if ago_s < 0:
            self.last_run_at = self.default_now()
        self.last_s = time.monotonic() - (self.every_s if ago_s < 0 else min(ago_s, self.every_s))
        return max(0.0, -ago_s)

    def is_due(self) -> schedstate:
        """Whether the tick is due, and in how many seconds to look again."""
        left_s = self.last_s + self.every_s - time.monotonic()
        return schedstate(left_s <= 0, self.every_s if left_s <= 0 else left_s)

    def _next_instance(self, last_run_at: Any = None) -> Tick:
        following: Tick = super()._next_instance(last_run_at)
        # Missed ticks are not sent later, because one look finds everything that is due.
        following.last_s = time.monotonic()
        return following

    __next__ = next = _next_instance


class TickScheduler(PersistentScheduler):
    """Celery's own scheduler, whose entries are `Tick`s."""

    Entry = Tick
    _rests_until_s = 0.0

    def setup_schedule(self) -> None:
        """Read the file, correct times in it that are ahead of now, and begin to count."""
        super().setup_schedule()
        self._started_s = time.monotonic()
        ahead_s = {}
        for name, entry in list(self.schedule.items()):
            if not isinstance(entry, Tick):  # a file of Celery's own scheduler
                entry = self.schedule[name] = Tick(**dict(entry))
            entry.app = self.app
            ahead_s[name] = entry.resume()
        if any(ahead_s.values()):
            late = sorted(name for name in ahead_s if ahead_s[name])
            log.warning(
                "the schedule was ahead of the clock, which went back; what it kept waiting is sent now",
                ahead_s=round(max(ahead_s.values()), 1),
                ticks=late,
            )

    def apply_entry(self, entry: Tick, producer: Any = None) -> None:
        """Send the tick unless `ENOUGH_WAIT` are waiting, and write to Redis when each was last sent. Never raises."""
        if time.monotonic() < self._rests_until_s:
            return
        try:
            redis = producer.channel.client
            if _waiting(redis, entry.options["queue"]) < ENOUGH_WAIT:
                self.apply_async(entry, producer=producer, advance=False)
            self._note(redis)
        except Exception as error:  # Redis is away; the next tick finds all that this one would have found
            log.warning("tick not sent", tick=entry.name, error=f"{type(error).__name__}: {error}")
            self._rests_until_s = time.monotonic() + _REST_AFTER_FAILURE_S

    def _note(self, redis: Any) -> None:
        arguments: list[str | int] = [_KEPT_S]
        for name, ago_s in self._ages_s().items():
            arguments += [name, round(ago_s * 1000)]
        redis.eval(_NOTE, 1, TICKS_KEY, *arguments)

    def _ages_s(self) -> Mapping[str, float]:
        now_s = time.monotonic()
        return {STARTED: now_s - self._started_s} | {
            name: now_s - entry.last_s for name, entry in self.schedule.items()
        }

    def _when(self, entry: Tick, next_time_to_run: float, mktime: Any = None) -> float:
        # Celery sorts its heap of ticks by this value and compares it with the monotonic clock.
        return time.monotonic() + (self.adjust(next_time_to_run) or 0)


def _waiting(redis: Any, queue: str) -> int:
    try:
        return int(redis.llen(queue))
    except RedisError:
        return 0  # sending the tick will fail in the same way, and that makes beat connect again
