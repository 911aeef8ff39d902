"""The load of a run: plain payments at a steady rate and, where asked for, special ones beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from itertools import count

from aegis_worker.lab.crash.load import Answered, Load
from aegis_worker.lab.crash.mix import LOT
from aegis_worker.lab.crash.stage import Stage
from aegis_worker.lab.demo.cast import Order, posts

from .experiment import Traffic
from .orders import plain_orders

# While more posts than this wait, because the API is away, no more are added.
_MOST_WAITING = 400
# In mixed traffic a batch of payments that go differently by themselves is posted so often.
_SPECIAL_EVERY_S = 6.0
_LOTS_PER_S = 4


class Posting:
    """What is posted, and what becomes of it: `posted`. The same seed gives the same orders."""

    def __init__(self, stage: Stage, traffic: Traffic, seed: int, elapsed_s: Callable[[], float]) -> None:
        self._stage, self._traffic, self._seed, self._elapsed_s = stage, traffic, seed, elapsed_s
        self.posted: list[Future[Answered]] = []

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Posts for the length of the block, and waits for the answers after it. Raises Stopped."""
        over, running = threading.Event(), self._stage.running
        # Plain payments have their own threads, because those of special payments wait for their payers.
        with closing(Load(running.api_url, running.api_key, {}, (), (), self._stage.stopping)) as plain:
            threads = [
                threading.Thread(target=self._repeat, args=(over, *load), name="chaos-load", daemon=True)
                for load in self._loads(plain)
            ]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                over.set()
                for thread in threads:
                    thread.join()
            self._stage.results(self.posted)

    def _loads(self, plain: Load) -> Iterator[tuple[float, Callable[[int], None]]]:
        """The streams of orders: the pause between two posts in seconds, and what makes the order of a number."""
        lot = max(1, round(self._traffic.payments_per_s / _LOTS_PER_S))

        def post_plain(number: int) -> None:
            self._post(plain, plain_orders(lot, f"{self._seed}-{number}", self._stage.issuers))

        def post_special(number: int) -> None:
            seed = f"{self._seed}-special-{number}"
            self._post(self._stage.load, posts(self._stage.cast(LOT, seed), seed))

        yield lot / self._traffic.payments_per_s, post_plain
        if self._traffic.kind == "mixed":
            yield _SPECIAL_EVERY_S, post_special

    def _repeat(self, over: threading.Event, every_s: float, post: Callable[[int], None]) -> None:
        for number in count():
            if over.wait(max(0.0, number * every_s - self._elapsed_s())):
                return
            post(number)

    def _post(self, load: Load, orders: Sequence[Order]) -> None:
        waiting = sum(not future.done() for future in self.posted[-2 * _MOST_WAITING :])
        if waiting < _MOST_WAITING:
            self.posted += load.start(orders, pause_s=0.0)
