"""One rule of a scenario, and which calls it claims. Pure: the same seed and the same calls give the same scripts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Condition:
    """What a call must be: one of these operations, at one of these gateways (empty: any), with this token (`*` for any
    letters), an amount in minor units from `least` to `most`, and these headers. None and empty: whatever it is.
    """

    operations: frozenset[str]
    gateways: frozenset[str] = frozenset()
    token: str = ""
    least: int = 0
    most: int | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def holds(
        self, operation: str, gateway: str, token: str, amount: int, headers: Mapping[str, str]
    ) -> bool:
        """Whether the call is such a one."""
        return (
            operation in self.operations
            and (not self.gateways or gateway in self.gateways)
            and (not self.token or fnmatchcase(token, self.token))
            and self.least <= amount
            and (self.most is None or amount <= self.most)
            and all(fnmatchcase(headers.get(name, ""), value) for name, value in self.headers)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """`script` for the calls on which `condition` holds: of these, counted from 1 as they come, those with one of the
    `numbers` (empty: all), every so-maniest, a share of them (0 … 1) that the seed draws, and at most so many `times`
    (0: always).
    """

    script: str
    condition: Condition
    numbers: frozenset[int] = frozenset()
    every: int = 1
    share: float = 1.0
    times: int = 0

    def claims(self, number: int, drawn: float) -> bool:
        """Whether it claims the call that is this `number`; `drawn`: from 0 to 1, at random."""
        if self.numbers and number not in self.numbers:
            return False
        return number % self.every == 0 and drawn < self.share


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named sequence of behaviours. The first rule that claims a call decides; one of webhooks may add to it."""

    name: str
    about: str
    seed: int
    rules: tuple[Rule, ...]
    text: str = ""

    def drawn(self, rule: int, number: int) -> float:
        """The draw of a rule's so-maniest call: it depends on the seed and nothing else."""
        return random.Random(f"{self.seed} {rule} {number}").random()
