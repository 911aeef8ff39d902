"""An experiment: what is normal, what is broken, and what must hold all the same. Plain values."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.chaos.plan import Injection


class Phases(Struct, frozen=True):
    """How long each part lasts, in seconds: undisturbed, disturbed, and healed while the load goes on."""

    steady_s: float
    faults_s: float
    recovery_s: float

    @property
    def whole_s(self) -> float:
        """The length of all phases together."""
        return self.steady_s + self.faults_s + self.recovery_s

    @property
    def faults_end_s(self) -> float:
        """When the faults end, in seconds from the start of the load."""
        return self.steady_s + self.faults_s


class Traffic(Struct, frozen=True):
    """So many plain payments a second: cards in one currency that every gateway takes. `mixed`: beside them the load of
    `aegis crashtest`, of which many go differently by themselves.
    """

    payments_per_s: float
    kind: Literal["plain", "mixed"] = "plain"


class Strike(Struct, frozen=True):
    """A fault done to a process from outside, as `aegis crashtest --mix` does them. Seconds since the faults began."""

    kind: str
    at_s: float
    lasts_s: float


class Steady(Struct, frozen=True):
    """What must hold before anything is broken; else the experiment says nothing."""

    success_rate: float
    p95_ms: float


class Criteria(Struct, frozen=True):
    """What must come out; None: nothing is demanded. The invariants I1 to I7 always are.

    `success_rate`, `p95_ms`: of the payments that were posted while things were broken, in the end. `recovered_…`: of those
    posted after. `breaker_openings`, `breaker_openings_at_most`: over all gateways and operations. `injections`: so many at
    least, or nothing was tried. `reviews_at_most`: payments that wait for a person in the end.
    """

    success_rate: float | None = None
    p95_ms: float | None = None
    recovered_success_rate: float | None = None
    recovered_p95_ms: float | None = None
    breaker_openings: int | None = None
    breaker_openings_at_most: int | None = None
    injections: int | None = None
    reviews_at_most: int | None = None


class Experiment(Struct, frozen=True):
    """`name`: of its file. Times are those of a run as long as the file says; `lasting` stretches all of them alike."""

    name: str
    about: str
    hypothesis: str
    seed: int
    phases: Phases
    traffic: Traffic
    steady: Steady
    criteria: Criteria
    injections: tuple[Injection, ...] = ()
    strikes: tuple[Strike, ...] = ()

    def lasting(self, minutes: float | None) -> Experiment:
        """The experiment, stretched to so many minutes; unchanged with None."""
        if minutes is None:
            return self
        factor = minutes * 60 / self.phases.whole_s
        phases = Phases(
            *(factor * part for part in (self.phases.steady_s, self.phases.faults_s, self.phases.recovery_s))
        )
        strikes = tuple(Strike(one.kind, one.at_s * factor, one.lasts_s * factor) for one in self.strikes)
        return replace(
            self,
            phases=phases,
            strikes=strikes,
            injections=tuple(_stretched(one, factor, phases.faults_s) for one in self.injections),
        )

    @property
    def bounded(self) -> tuple[Injection, ...]:
        """The injections, each cut off at the end of the faults."""
        return tuple(_stretched(one, 1.0, self.phases.faults_s) for one in self.injections)


def _stretched(one: Injection, factor: float, ends_s: float) -> Injection:
    return replace(
        one,
        from_s=one.from_s * factor,
        until_s=min(one.until_s * factor, ends_s),
        step_s=one.step_s * factor,
        every_s=None if one.every_s is None else one.every_s * factor,
        lasts_s=None if one.lasts_s is None else one.lasts_s * factor,
    )
