"""What the pipeline works with, and what it reports."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.marks import Marks
from aegis_worker.domain.payment import Payment
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.resilience.permits import Gates
from aegis_worker.routing.book import RoutingTable

from .exchanges import Exchanges
from .ports import JobStore
from .stage import Stage
from .tail import Tail
from .work import Policy

# Far more than a process can hold: it claims nothing during an outage.
_MOST_OWED = 10_000


def _nobody(queue: str) -> None:
    """For a pipeline whose hints nobody sends."""


def _no_cards(tokens: Sequence[str]) -> None:
    """For a pipeline without a card vault."""


class Locks(Protocol):
    """The lock in front; see `resilience.lock.PaymentLocks`."""

    def acquire(self, payment_ids: Sequence[str], *, ttl_ms: int) -> set[str]:
        """Which of the payments this worker may go on with."""

    def release(self, payment_ids: Sequence[str]) -> None:
        """Let go of the payments."""


# The gateway as it is for one call about this attempt, which may be a look-up (the flag); marks learn what is done to it.
Disturbs: TypeAlias = Callable[[PaymentGateway, Payment, Attempt, bool, Marks], PaymentGateway]


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """What the pipeline works with. `hint(queue)` tells other workers that more is due there. `routing()` is what is
    configured now. `stage` asks hooks and rules, by default nobody.

    `owed`: claims that a run could not give back, because PostgreSQL was away. `hold_hints(queue)` keeps everybody's
    hints for the queue back for 2 s, or until `clear_hint(queue)`. `tail`: the calls that runs left in flight. `exchanges`:
    what went out and came back, by default not noted. `settle_cards(tokens)` has the card vault forget what the payments
    of these cards need no more. `disturbs`: breaks calls on purpose, by a plan; None: nothing does.
    """

    jobs: JobStore
    gateways: Mapping[str, PaymentGateway]
    locks: Locks
    gates: Gates
    routing: Callable[[], RoutingTable]
    policy: Policy
    hint: Callable[[str], None]
    worker: str
    lease_s: float
    batch: int
    calls_in_flight: int
    run_limit_s: float
    hold_hints: Callable[[str], None] = _nobody
    clear_hint: Callable[[str], None] = _nobody
    stage: Stage = field(default_factory=Stage)
    rng: random.Random = field(default_factory=random.Random)
    owed: deque[ClaimedJob] = field(default_factory=lambda: deque(maxlen=_MOST_OWED))
    tail: Tail = field(default_factory=Tail)
    exchanges: Exchanges = field(default_factory=lambda: Exchanges(None))
    settle_cards: Callable[[Sequence[str]], None] = _no_cards
    disturbs: Disturbs | None = None


@dataclass(slots=True)
class RunReport:
    """What one run did, in jobs; `lost` were taken over by another worker meanwhile."""

    claimed: int = 0
    finished: int = 0
    waiting: int = 0
    review: int = 0
    lost: int = 0
    handed_back: int = 0
