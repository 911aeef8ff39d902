"""A scenario at one gateway: how many calls each of its rules has seen. Safe from several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from .rules import Rule, Scenario


class Running:
    """It starts with every count at 0, and keeps them in memory: who starts it anew replays it."""

    def __init__(self, scenario: Scenario, gateway: str) -> None:
        self.scenario, self._gateway = scenario, gateway
        self._lock = threading.Lock()
        self._seen = [0] * len(scenario.rules)
        self._claimed = [0] * len(scenario.rules)

    def claimed_by(
        self, operation: str, token: str, amount: int, headers: Mapping[str, str]
    ) -> Iterator[str]:
        """The scripts of the rules that claim this call, in their order. Every call is asked about once."""
        with self._lock:
            return iter(
                [
                    rule.script
                    for index, rule in enumerate(self.scenario.rules)
                    if rule.condition.holds(operation, self._gateway, token, amount, headers)
                    and self._counts(index, rule)
                ]
            )

    def _counts(self, index: int, rule: Rule) -> bool:
        self._seen[index] += 1
        number = self._seen[index]
        if rule.times and self._claimed[index] >= rule.times:
            return False
        if not rule.claims(number, self.scenario.drawn(index, number)):
            return False
        self._claimed[index] += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """The scenario with what its rules have seen and claimed."""
        with self._lock:
            counts = list(zip(self.scenario.rules, self._seen, self._claimed, strict=True))
        return {
            "name": self.scenario.name,
            "about": self.scenario.about,
            "seed": self.scenario.seed,
            "rules": [
                {"script": rule.script, "seen": seen, "claimed": claimed} for rule, seen, claimed in counts
            ],
        }
