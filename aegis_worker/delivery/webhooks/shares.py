"""How a run is shared among merchants, so that one merchant's hanging endpoints, however many, hold up no other's.

Only posting to an endpoint shows whether it answers. Until it has taken a delivery, it and its merchant are on trial: the
endpoint gets one lane and a few deliveries, and all endpoints that a merchant has on trial share a bound on both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from aegis_worker.persistence.delivery_rows import ClaimShares

from .queues import EndpointQueue, Series

_LANES = 256
_ENDPOINT_LANES, _MERCHANT_LANES = 8, 32
_TRIAL_LANES = 16  # of all endpoints that a merchant has on trial; each has one
_TRIAL_DELIVERIES, _MERCHANT_TRIAL_DELIVERIES = 4, 64


class Shares:
    """The queues of a run, by endpoint. At most `limit` deliveries are in hand; each share is a part of that."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[str, EndpointQueue] = {}

    def __iter__(self) -> Iterator[EndpointQueue]:
        return iter(self._queues.values())

    def put(self, series: Series) -> None:
        """Add a series that the run has claimed."""
        first = series.deliveries[0]
        queue = self._queues.setdefault(
            first.endpoint_id, EndpointQueue(first.endpoint_id, first.event.merchant_id)
        )
        queue.in_hand += len(series.deliveries)
        queue.waiting.append(series)

    def of_next_claim(self) -> ClaimShares:
        """What a claim may take of each endpoint and merchant now."""
        proven = {queue.merchant_id for queue in self if queue.takes}
        in_hand: Counter[str] = Counter()
        for queue in self:
            in_hand[queue.merchant_id] += queue.in_hand
        return ClaimShares(
            per_endpoint=self._of_limit(4, _TRIAL_DELIVERIES),
            per_merchant=self._of_limit(4, _MERCHANT_TRIAL_DELIVERIES),
            per_proven=self._of_limit(4),
            proven=[queue.endpoint_id for queue in self if queue.takes],
            skip=[queue.endpoint_id for queue in self if queue.closed or queue.in_hand >= self._share(queue)],
            skip_merchants=[
                merchant_id
                for merchant_id, count in in_hand.items()
                if count >= self._of_limit(4, None if merchant_id in proven else _MERCHANT_TRIAL_DELIVERIES)
            ],
        )

    def to_start(self) -> Iterator[EndpointQueue]:
        """Queues for which lanes may begin, each once for every lane; merchants that have the fewest come first."""
        all_of, trial_of = Counter[str](), Counter[str]()
        by_merchant: defaultdict[str, list[EndpointQueue]] = defaultdict(list)
        for queue in self:
            by_merchant[queue.merchant_id].append(queue)
            all_of[queue.merchant_id] += queue.lanes
            trial_of[queue.merchant_id] += 0 if queue.takes else queue.lanes
        free = _LANES - all_of.total()
        for merchant_id in sorted(by_merchant, key=lambda merchant_id: all_of[merchant_id]):
            for queue in by_merchant[merchant_id]:
                most = min(
                    len(queue.waiting),
                    (_ENDPOINT_LANES if queue.takes else 1) - queue.lanes,
                    _MERCHANT_LANES - all_of[merchant_id],
                    _MERCHANT_LANES if queue.takes else _TRIAL_LANES - trial_of[merchant_id],
                    free,
                )
                for _ in range(most):
                    queue.lanes += 1
                    all_of[merchant_id] += 1
                    trial_of[merchant_id] += not queue.takes
                    free -= 1
                    yield queue

    def _share(self, queue: EndpointQueue) -> int:
        return self._of_limit(4, None if queue.takes else _TRIAL_DELIVERIES)

    def _of_limit(self, part: int, most: int | None = None) -> int:
        share = max(1, self._limit // part)
        return share if most is None else min(share, most)
