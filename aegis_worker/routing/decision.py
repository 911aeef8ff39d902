"""What routing decided for one payment, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace


class Decision(Struct, frozen=True):
    """Gateways to try, best first, and why each of the others was left out.

    `back_in_s`: in how many seconds to ask again for those that are out only for now. `because` is about the first
    candidate; so are `rule`, `explored`, and `experiment` with its `arm`. `scores`: what the strategy looked at.
    """

    candidates: tuple[str, ...]
    left_out: dict[str, str]
    back_in_s: Mapping[str, float] = field(default_factory=dict)
    strategy: str = "RULE_BASED"
    because: str = "first in configured order"
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rule: str | None = None
    explored: bool = False
    experiment: str | None = None
    arm: str | None = None

    @property
    def wait_s(self) -> float | None:
        """Where there is no candidate, but only for now: in how many seconds to ask again. Otherwise None."""
        if self.candidates or not self.back_in_s:
            return None
        return min(self.back_in_s.values())

    def without(self, gateway: str, why: str, retry_in_s: float) -> Decision:
        """This decision less a candidate that may not be called for `retry_in_s` seconds; `why` follows its name."""
        candidates = tuple(name for name in self.candidates if name != gateway)
        changes: dict[str, Any] = {
            "candidates": candidates,
            "left_out": self.left_out | {gateway: why},
            "back_in_s": {**self.back_in_s, gateway: retry_in_s},
        }
        if candidates != self.candidates[1:]:
            return replace(self, **changes)
        return replace(self.for_later_hops(), **changes, because=f"next after {gateway}, which {why}")

    def without_all(self, why: Mapping[str, str]) -> Decision:
        """This decision less some candidates that may not be called for this payment; `why`, by name, follows it."""
        candidates = tuple(name for name in self.candidates if name not in why)
        changes: dict[str, Any] = {
            "candidates": candidates,
            "left_out": {**self.left_out, **why},
            "back_in_s": {name: back_in_s for name, back_in_s in self.back_in_s.items() if name not in why},
        }
        if candidates[:1] == self.candidates[:1]:
            return replace(self, **changes)
        first = self.candidates[0]
        return replace(self.for_later_hops(), **changes, because=f"next after {first}, which {why[first]}")

    def for_later_hops(self) -> Decision:
        """This decision without what is said of its first candidate only."""
        return replace(self, rule=None, explored=False, experiment=None, arm=None)

    def document(self) -> dict[str, Any]:
        """What is kept with an attempt: JSON, without what is empty."""
        document: dict[str, Any] = {
            "candidates": list(self.candidates),
            "because": self.because,
            "strategy": self.strategy,
        }
        if self.left_out:
            document["left_out"] = self.left_out
        if self.scores:
            document["scores"] = self.scores
        if self.rule is not None:
            document["rule"] = self.rule
        if self.explored:
            document["explored"] = True
        if self.experiment is not None:
            document["experiment"], document["arm"] = self.experiment, self.arm
        return document
