"""What happened in a run, as figures over time: of payments, calls, breakers and injections. Plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from aegis_worker.audit.violations import Violation
from aegis_worker.domain.breakers import BreakerState

from .experiment import Phases


class Paid(Struct, frozen=True):
    """One payment. Times in seconds since the load began; `ended_s` None: it has not ended."""

    state: str
    plain: bool
    began_s: float
    ended_s: float | None
    in_review: bool = False

    @property
    def took_ms(self) -> float | None:
        """From accepted to ended."""
        return None if self.ended_s is None else (self.ended_s - self.began_s) * 1000


class Injected(Struct, frozen=True):
    """One injection, as a worker's log tells it."""

    at_s: float
    injection: str
    kind: str
    gateway: str | None = None


class Sample(Struct, frozen=True):
    """What `/metrics` said at one moment; `breakers` by gateway and operation. None where nobody answered."""

    at_s: float
    breakers: Mapping[tuple[str, str], BreakerState] | None = None
    openings: int | None = None
    injected: int | None = None


class Struck(Struct, frozen=True):
    """A fault that was done to a process."""

    at_s: float
    until_s: float
    kind: str


class Facts(Struct, frozen=True):
    """All of a run. `posted` counts requests that were begun, `refused` those that were never accepted."""

    phases: Phases
    paid: Sequence[Paid]
    injected: Sequence[Injected]
    samples: Sequence[Sample]
    struck: Sequence[Struck] = ()
    marked_attempts: int = 0
    violations: Sequence[Violation] = ()
    came_to_rest: bool = True
    rested_after_s: float = 0.0
    openings: int = 0
    reviews: int = 0
    by_state: Mapping[str, int] = field(default_factory=dict)

    def posted_in(self, from_s: float, until_s: float) -> list[Paid]:
        """The payments that were accepted in this part of the run."""
        return [one for one in self.paid if from_s <= one.began_s < until_s]


def success_rate(paid: Iterable[Paid]) -> float | None:
    """The share of the plain payments that were charged; None without any."""
    plain = [one.state == "SUCCESS" for one in paid if one.plain]
    return sum(plain) / len(plain) if plain else None


def p95_ms(paid: Iterable[Paid]) -> float | None:
    """The time in which 95 % of the plain payments ended. One that has not ended counts as slower than all others."""
    took = sorted(float("inf") if one.took_ms is None else one.took_ms for one in paid if one.plain)
    return took[max(0, -(-95 * len(took) // 100) - 1)] if took else None


def opened(samples: Iterable[Sample]) -> int:
    """How often breakers opened between the first look and the last.

    Where Redis was flushed or lost in between, its counts begin at 0 again.
    """
    total, before = 0, None
    for sample in samples:
        if sample.openings is None:
            continue
        if before is not None:
            total += sample.openings - before if sample.openings >= before else sample.openings
        before = sample.openings
    return total


def by_second(moments: Iterable[float], seconds: int) -> list[int]:
    """How many of the moments fall into each second."""
    counts = Counter(int(at_s) for at_s in moments if at_s >= 0)
    return [counts[second] for second in range(seconds)]
