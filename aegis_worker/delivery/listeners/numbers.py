"""Metrics hooks as a sink: told what each batch of events came to. Best effort: nothing waits for them or is told again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import structlog

from aegis_worker.delivery.sink import Sink
from aegis_worker.hooks import Hooks, Point, Said
from aegis_worker.persistence.published import PublishedEvent

from .contexts import numbers_of

log = structlog.get_logger(__name__)

# Batches that hooks have not answered yet. While there are as many, further ones are not told.
_MOST_UNDER_WAY = 8
_WITHIN_S = 10.0
# A batch that another sink didn't take is told again; of so many events this process knows that it told their numbers.
_MOST_KNOWN = 10_000


class MetricsHooks(Sink):
    """Tells the metrics hooks of this process, and goes on at once."""

    name = "metrics hooks"

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._under_way = threading.BoundedSemaphore(_MOST_UNDER_WAY)
        self._known: OrderedDict[str, None] = OrderedDict()

    def tell(self, events: Sequence[PublishedEvent]) -> None:
        """Tell what the events came to that were not told before. Never waits and never raises."""
        if not events or not self._hooks.has(Point.METRICS):
            return
        new = [event for event in events if event.id not in self._known]
        if not new:
            return
        self._known.update((event.id, None) for event in new)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        if not self._under_way.acquire(blocking=False):
            log.warning("metrics hooks are behind; numbers dropped", events=len(new))
            return
        self._hooks.begin(Point.METRICS, numbers_of(new), self._told, within_s=_WITHIN_S)

    def _told(self, said: Sequence[Said]) -> None:
        self._under_way.release()
        for one in said:
            if one.failed is not None:
                log.warning("metrics hook not told; numbers dropped", hook=one.hook, error=one.failed)
