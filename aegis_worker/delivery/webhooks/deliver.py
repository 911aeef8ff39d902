"""Deliver what is due: claim, post side by side, settle in groups as answers come, and claim again meanwhile.

The deliveries of one payment to one endpoint are a series and go one after the other. Series go side by side, bounded in
all, per merchant and per endpoint (see `shares`). An endpoint that doesn't answer once gets nothing more in this run, and
rests. A run whose time is over doesn't wait for posts that hang: they are finished apart from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue

import structlog
from sqlalchemy import Connection

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.telling import trail_fields
from aegis_worker.persistence import delivery_rows, endpoint_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.delivery_rows import Settlement
from aegis_worker.settings import Settings

from .queues import EndpointQueue, Posted, Poster, Series, SeriesInFlight
from .schedule import Answer
from .sender import HttpSender
from .shares import Shares

log = structlog.get_logger(__name__)

# While posts are under way, a run looks this often for deliveries that have become due for other endpoints.
_LOOK_AGAIN_S = 0.2
# Seconds to wait for more answers before claiming or settling, because one statement serves many.
_GATHER_S = 0.01
# A post that is still under way this many seconds after its run's time is over counts as hanging.
_GRACE_S = 0.5


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one run did. `failed`: will be tried again; `dead`: given up; `more`: it stopped with something left to do."""

    claimed: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    more: bool = False


def _at_once(finish: Callable[[], None]) -> None:
    finish()


def deliver_due(
    database: Database,
    sender: HttpSender,
    settings: Settings,
    *,
    limit: int,
    lease_s: float,
    budget_s: float = 20.0,
    leave: Callable[[Callable[[], None]], None] = _at_once,
) -> DeliveryReport:
    """Deliver until nothing is due, or begin nothing more after `budget_s`; at most `limit` deliveries are in hand.

    Where posts hang at the end, what waits for them and settles them is handed to `leave`; they are not in the report.
    Raises DatabaseUnavailable, and ConfigurationError for a lease that could end during a post.
    """
    if lease_s <= sender.longest_s:
        raise ConfigurationError(
            f"a lease of {lease_s:g} s must be longer than the slowest webhook post ({sender.longest_s:g} s)"
        )
    run = _Run(database, sender, settings, limit, lease_s, stop_at=time.monotonic() + budget_s)
    hanging = False
    try:
        hanging = run.until_nothing_is_due()
    finally:
        run.stop_at = 0.0  # whatever went wrong, lanes begin nothing new
        if not hanging:
            run.close()
    if hanging:
        leave(run.finish)
    return run.report()


@dataclass(frozen=True, slots=True)
class _Left:
    """A lane found no more series in this queue, or broke."""

    error: BaseException | None = None


class _Run:
    def __init__(
        self,
        database: Database,
        sender: HttpSender,
        settings: Settings,
        limit: int,
        lease_s: float,
        stop_at: float,
    ) -> None:
        self.stop_at = stop_at
        self._database, self._poster = database, Poster(sender, settings)
        self._limit, self._lease_s, self._longest_s = limit, lease_s, sender.longest_s
        self._shares = Shares(limit)
        self._done: SimpleQueue[tuple[EndpointQueue, list[Posted] | _Left]] = SimpleQueue()
        self._in_hand = self._claimed = self._delivered = self._failed = self._dead = 0
        self._look_at, self._found = 0.0, True

    def report(self) -> DeliveryReport:
        """What the run has done so far."""
        return DeliveryReport(self._claimed, self._delivered, self._failed, self._dead, more=self._found)

    def until_nothing_is_due(self) -> bool:
        """Deliver until nothing is due or the time is over; returns whether posts still hang then."""
        while self._in_hand or (self._found and time.monotonic() < self.stop_at):
            self._claim_where_there_is_room()
            if time.monotonic() < self.stop_at:
                self._start_lanes()
            else:
                self._put_back()
            if self._in_hand:
                self._settle(self._finished())
            if self._in_hand and time.monotonic() > self.stop_at + _GRACE_S:
                self._let_rest()
                return True
        return False

    def finish(self) -> None:
        """Wait for the posts that are under way, and settle them."""
        try:
            while self._in_hand:
                self._settle(self._finished())
        finally:
            self.close()

    def close(self) -> None:
        """Return when all lanes have ended, whose posts take a bounded time."""
        while any(queue.lanes for queue in self._shares):
            queue, result = self._done.get()
            queue.lanes -= isinstance(result, _Left)

    def _claim_where_there_is_room(self) -> None:
        now = time.monotonic()
        is_full = self._in_hand > self._limit * 7 // 8
        if now >= self.stop_at or is_full or (self._in_hand and now < self._look_at):
            return
        send_before_s = clock_s() + self._lease_s - self._longest_s
        claim = self._database.run(
            partial(
                delivery_rows.claim,
                limit=self._limit - self._in_hand,
                lease_s=self._lease_s,
                **self._shares.of_next_claim(),
            )
        )
        self._found = claim.moved > 0
        self._look_at = now + (_GATHER_S if self._found else _LOOK_AGAIN_S)
        self._claimed += len(claim.deliveries)
        self._in_hand += len(claim.deliveries)
        if claim.deliveries:
            crash_point("webhook.claimed")
        for _, deliveries in groupby(
            claim.deliveries, key=lambda delivery: (delivery.event.payment_id, delivery.endpoint_id)
        ):
            self._shares.put(Series(list(deliveries), send_before_s))

    def _start_lanes(self) -> None:
        for queue in self._shares.to_start():
            self._work(queue)

    def _put_back(self) -> None:
        """Give back the deliveries that no lane has begun, so that they are due as before."""
        for queue in self._shares:
            while (series := queue.next_series()) is not None:
                not_begun = [Posted(Settlement(delivery, "pending")) for delivery in series.deliveries]
                self._done.put((queue, not_begun))

    def _let_rest(self) -> None:
        """Let endpoints that hang rest, so that no other run posts to them before this run's posts are over."""
        hanging = {queue.endpoint_id: self._longest_s for queue in self._shares if queue.in_hand}
        self._database.run(lambda connection: endpoint_rows.rest(connection, hanging))

    def _finished(self) -> list[tuple[EndpointQueue, list[Posted]]]:
        """The results of lanes since the last call. Waits a little for the first one, and for others to join it."""
        finished: list[tuple[EndpointQueue, list[Posted]]] = []
        try:
            queue, result = self._done.get(timeout=_LOOK_AGAIN_S)
            time.sleep(_GATHER_S)
            while True:
                if not isinstance(result, _Left):
                    finished.append((queue, result))
                elif result.error is not None:
                    raise result.error
                else:
                    queue.lanes -= 1
                queue, result = self._done.get_nowait()
        except Empty:
            return finished

    def _settle(self, finished: Sequence[tuple[EndpointQueue, list[Posted]]]) -> None:
        posted = [item for _, series in finished for item in series]
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
            # The deliveries that waited behind these are due now.
            self._found, self._look_at = True, min(self._look_at, time.monotonic() + _GATHER_S)
        self._in_hand -= len(posted)
        for queue, series in finished:
            queue.in_hand -= len(series)
            for item in series:
                self._count(queue, item)

    def _count(self, queue: EndpointQueue, item: Posted) -> None:
        if item.verdict is None:
            return
        queue.takes = item.verdict.status == "delivered"
        self._delivered += item.verdict.status == "delivered"
        self._failed += item.verdict.status == "pending"
        if item.verdict.status == "dead":
            self._dead += 1
            delivery = item.settlement.delivery
            log.warning(
                "webhook given up",
                **trail_fields(delivery.trail),
                event_id=delivery.event.id,
                endpoint_id=delivery.endpoint_id,
                error=item.verdict.error,
            )

    def _work(self, queue: EndpointQueue) -> None:
        """In a lane: one series after the other, until none is left in the queue. Returns when a post is in flight."""
        try:
            while (series := queue.next_series()) is not None:
                in_flight = SeriesInFlight(self._poster, queue, series, self.stop_at)
                posted = in_flight.go_on(partial(self._answered, queue, in_flight))
                if posted is None:
                    return
                self._done.put((queue, posted))
        except BaseException as error:
            self._done.put((queue, _Left(error)))
        else:
            self._done.put((queue, _Left()))

    def _answered(self, queue: EndpointQueue, in_flight: SeriesInFlight, answer: Answer) -> None:
        """On the engine's thread: go on with the lane."""
        try:
            in_flight.take(answer)
            posted = in_flight.go_on(partial(self._answered, queue, in_flight))
        except BaseException as error:
            self._done.put((queue, _Left(error)))
            return
        if posted is not None:
            self._done.put((queue, posted))
            self._work(queue)
