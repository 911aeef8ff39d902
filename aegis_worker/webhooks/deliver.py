"""Deliver what is due: claim, post side by side, settle in groups as answers come, and claim again meanwhile.

Lanes go side by side, bounded in all and per endpoint. An endpoint starts with a single thread and gets more once it has
taken something, so one that hangs holds one thread; after one silence it gets nothing more and rests.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import structlog
from sqlalchemy import Connection

from aegis_worker.chaos.points import crash_point
from aegis_worker.clock import clock_s
from aegis_worker.errors import ConfigurationError
from aegis_worker.persistence import delivery_rows, endpoint_rows
from aegis_worker.persistence.database import Database
from aegis_worker.settings import Settings

from .lanes import Lane, LanePoster, Line, Posted
from .sender import HttpSender

log = structlog.get_logger(__name__)

_THREADS = 32
_LANES_PER_ENDPOINT = 8
# While answers are awaited, what has become due for other endpoints is looked for this often.
_LOOK_AGAIN_S = 0.2
# While there is something to do, neither a claim nor a settlement for every single answer.
_GATHER_S = 0.01


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one run did. `failed`: will be tried again; `dead`: given up; `more`: it stopped with something left to do."""

    claimed: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    more: bool = False


def deliver_due(
    database: Database,
    sender: HttpSender,
    settings: Settings,
    *,
    limit: int,
    lease_s: float,
    budget_s: float = 20.0,
) -> DeliveryReport:
    """Deliver until nothing is due, or begin nothing more after `budget_s`; at most `limit` deliveries are in hand.

    Raises DatabaseUnavailable, and ConfigurationError for a lease that could end during a post.
    """
    if lease_s <= sender.longest_s:
        raise ConfigurationError(
            f"a lease of {lease_s:g} s must be longer than the slowest webhook post ({sender.longest_s:g} s)"
        )
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook") as pool:
        run = _Run(database, sender, settings, pool, limit, lease_s, stop_at=time.monotonic() + budget_s)
        try:
            return run.until_nothing_is_due()
        finally:
            run.stop_at = 0.0  # whatever went wrong, threads begin nothing new


@dataclass(frozen=True, slots=True)
class _Left:
    """A thread has no more lanes in this line, or broke."""

    error: BaseException | None = None


class _Run:
    def __init__(
        self,
        database: Database,
        sender: HttpSender,
        settings: Settings,
        pool: ThreadPoolExecutor,
        limit: int,
        lease_s: float,
        stop_at: float,
    ) -> None:
        self.stop_at = stop_at
        self._database, self._pool, self._poster = database, pool, LanePoster(sender, settings)
        self._limit, self._lease_s, self._longest_s = limit, lease_s, sender.longest_s
        # Three other endpoints always find room in a run, however long the backlog of one is.
        self._share = max(1, limit // 4)
        self._lines: dict[str, Line] = {}
        self._done: queue.SimpleQueue[tuple[Line, list[Posted] | _Left]] = queue.SimpleQueue()
        self._in_hand = self._claimed = self._delivered = self._failed = self._dead = 0
        self._look_at, self._found = 0.0, True

    def until_nothing_is_due(self) -> DeliveryReport:
        while self._in_hand or (self._found and time.monotonic() < self.stop_at):
            self._claim_where_there_is_room()
            self._start_threads()
            if self._in_hand:
                self._settle(self._finished())
        return DeliveryReport(self._claimed, self._delivered, self._failed, self._dead, more=self._found)

    def _claim_where_there_is_room(self) -> None:
        now = time.monotonic()
        if now >= self.stop_at or self._in_hand > self._limit // 2 or (self._in_hand and now < self._look_at):
            return
        full = [id for id, line in self._lines.items() if line.closed or line.in_hand >= self._share]
        send_before_s = clock_s() + self._lease_s - self._longest_s
        claim = self._database.run(
            partial(
                delivery_rows.claim,
                limit=self._limit - self._in_hand,
                per_endpoint=self._share,
                skip=full,
                lease_s=self._lease_s,
            )
        )
        self._found = claim.moved > 0
        self._look_at = now + (_GATHER_S if self._found else _LOOK_AGAIN_S)
        self._claimed += len(claim.deliveries)
        self._in_hand += len(claim.deliveries)
        if claim.deliveries:
            crash_point("webhook.claimed")
        for (_, endpoint_id), deliveries in groupby(
            claim.deliveries, key=lambda delivery: (delivery.event.payment_id, delivery.endpoint_id)
        ):
            line = self._lines.setdefault(endpoint_id, Line())
            lane = Lane(list(deliveries), send_before_s)
            line.in_hand += len(lane.deliveries)
            line.lanes.append(lane)

    def _start_threads(self) -> None:
        for line in self._lines.values():
            allowed = (_LANES_PER_ENDPOINT if line.takes else 1) - line.threads
            for _ in range(min(allowed, len(line.lanes))):
                line.threads += 1
                self._pool.submit(self._work, line)

    def _finished(self) -> list[tuple[Line, list[Posted]]]:
        """What threads have done since; waits a little for the first, and for others to join it."""
        finished: list[tuple[Line, list[Posted]]] = []
        try:
            line, result = self._done.get(timeout=_LOOK_AGAIN_S)
            time.sleep(_GATHER_S)
            while True:
                if not isinstance(result, _Left):
                    finished.append((line, result))
                elif result.error is not None:
                    raise result.error
                else:
                    line.threads -= 1
                line, result = self._done.get_nowait()
        except queue.Empty:
            return finished

    def _settle(self, finished: Sequence[tuple[Line, list[Posted]]]) -> None:
        posted = [item for _, lane in finished for item in lane]
        if not posted:
            return
        rests_s = {
            item.settlement.delivery.endpoint_id: item.verdict.rest_s
            for item in posted
            if item.verdict is not None and item.verdict.rest_s
        }
        gone = [item.settlement.delivery.endpoint_id for item in posted if item.verdict and item.verdict.gone]

        def write(connection: Connection) -> None:
            delivery_rows.settle(connection, [item.settlement for item in posted])
            if rests_s:
                endpoint_rows.rest(connection, rests_s)
            if gone:
                endpoint_rows.disable(connection, gone)

        crash_point("webhook.posted")
        self._database.run(write)
        crash_point("webhook.settled")
        if any(item.settlement.status != "pending" for item in posted):
            # What was behind them is due now.
            self._found, self._look_at = True, min(self._look_at, time.monotonic() + _GATHER_S)
        self._in_hand -= len(posted)
        for line, lane in finished:
            line.in_hand -= len(lane)
            for item in lane:
                self._count(line, item)

    def _count(self, line: Line, item: Posted) -> None:
        if item.verdict is None:
            return
        line.takes = item.verdict.status == "delivered"
        self._delivered += item.verdict.status == "delivered"
        self._failed += item.verdict.status == "pending"
        if item.verdict.status == "dead":
            self._dead += 1
            delivery = item.settlement.delivery
            log.warning(
                "webhook given up",
                event_id=delivery.event.id,
                endpoint_id=delivery.endpoint_id,
                error=item.verdict.error,
            )

    def _work(self, line: Line) -> None:
        """In a thread of the pool: one lane after the other, until none is left in the line."""
        try:
            while (lane := line.next_lane()) is not None:
                self._done.put((line, self._poster.post_lane(line, lane, stop_at=self.stop_at)))
        except BaseException as error:
            self._done.put((line, _Left(error)))
        else:
            self._done.put((line, _Left()))
