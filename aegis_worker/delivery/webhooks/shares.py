"""Who gets how much of a run: nobody's endpoints that hang, however many there are, hold up somebody else's.

What an endpoint is like shows when it is posted to. Until it has taken something it is on trial, and so is its merchant: a
thread and a few deliveries for the endpoint, some of each for all that a merchant has on trial.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from aegis_worker.persistence.delivery_rows import ClaimShares

from .lanes import Lane, Line

THREADS = 256
_ENDPOINT_THREADS, _MERCHANT_THREADS = 8, 32
_TRIAL_THREADS = 16  # of all endpoints that a merchant has on trial; each has one
_TRIAL_DELIVERIES, _MERCHANT_TRIAL_DELIVERIES = 4, 64


class Shares:
    """The lines of a run, by endpoint. At most `limit` deliveries are in hand, so many that each share is some of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: dict[str, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines.values())

    def put(self, lane: Lane) -> None:
        """Another lane is in hand."""
        first = lane.deliveries[0]
        line = self._lines.setdefault(first.endpoint_id, Line(first.endpoint_id, first.event.merchant_id))
        line.in_hand += len(lane.deliveries)
        line.lanes.append(lane)

    def of_next_claim(self) -> ClaimShares:
        """What a claim may take of each endpoint and merchant now."""
        proven = {line.merchant_id for line in self if line.takes}
        in_hand: Counter[str] = Counter()
        for line in self:
            in_hand[line.merchant_id] += line.in_hand
        return ClaimShares(
            per_endpoint=self._of_limit(4, _TRIAL_DELIVERIES),
            per_merchant=self._of_limit(4, _MERCHANT_TRIAL_DELIVERIES),
            per_proven=self._of_limit(4),
            proven=[line.endpoint_id for line in self if line.takes],
            skip=[line.endpoint_id for line in self if line.closed or line.in_hand >= self._share(line)],
            skip_merchants=[
                merchant_id
                for merchant_id, count in in_hand.items()
                if count >= self._of_limit(4, None if merchant_id in proven else _MERCHANT_TRIAL_DELIVERIES)
            ],
        )

    def to_start(self) -> Iterator[Line]:
        """Lines for which another thread may begin, each as often as it may; first those of merchants that have least."""
        all_of, trial_of = Counter[str](), Counter[str]()
        by_merchant: defaultdict[str, list[Line]] = defaultdict(list)
        for line in self:
            by_merchant[line.merchant_id].append(line)
            all_of[line.merchant_id] += line.threads
            trial_of[line.merchant_id] += 0 if line.takes else line.threads
        free = THREADS - all_of.total()
        for merchant_id in sorted(by_merchant, key=lambda merchant_id: all_of[merchant_id]):
            for line in by_merchant[merchant_id]:
                most = min(
                    len(line.lanes),
                    (_ENDPOINT_THREADS if line.takes else 1) - line.threads,
                    _MERCHANT_THREADS - all_of[merchant_id],
                    _MERCHANT_THREADS if line.takes else _TRIAL_THREADS - trial_of[merchant_id],
                    free,
                )
                for _ in range(most):
                    line.threads += 1
                    all_of[merchant_id] += 1
                    trial_of[merchant_id] += not line.takes
                    free -= 1
                    yield line

    def _share(self, line: Line) -> int:
        return self._of_limit(4, None if line.takes else _TRIAL_DELIVERIES)

    def _of_limit(self, part: int, most: int | None = None) -> int:
        share = max(1, self._limit // part)
        return share if most is None else min(share, most)
