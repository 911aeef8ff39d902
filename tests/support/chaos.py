"""A plan at work in a test, which says itself how much time has passed since its start."""

from __future__ import annotations

from aegis_worker.chaos.chaos import Chaos
from aegis_worker.chaos.plan import Injection, Plan
from aegis_worker.chaos.tally import Tally


class Struck(Tally):
    """Remembers what has struck."""

    def __init__(self) -> None:
        super().__init__(None)
        self.injections: list[Injection] = []

    def count(self, one: Injection) -> None:
        """It has struck once more."""
        self.injections.append(one)


class TimedChaos(Chaos):
    """At second 0 of its plan until `at_s` is set."""

    def __init__(self, *injections: Injection, seed: int = 1) -> None:
        self.at_s, self.struck = 0.0, Struck()
        super().__init__(Plan(seed, injections), lambda: self.at_s, self.struck)
