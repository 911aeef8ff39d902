"""A rule, and what all rules come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from aegis_worker.domain.screening import Action
from aegis_worker.matching.conditions import Condition, all_of, condition_document
from aegis_worker.matching.operators import Test

from .velocity import DECLINES, Counter, Velocity, counter_of

RedisLoss = Literal["open", "review", "closed"]
ON_REDIS_LOSS: tuple[RedisLoss, ...] = ("open", "review", "closed")
DEFAULT_ON_REDIS_LOSS: RedisLoss = "review"
"""Neither are payments let through that nobody counted, nor are sales lost because Redis was away for a moment."""

ACTIONS = (Action.FLAG, Action.REQUIRE_3DS, Action.REVIEW, Action.BLOCK)
"""What a rule may do, from mild to severe."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What is done (`action`) or added to the score (`score`) for a payment that meets every condition.

    `on_redis_loss`: what holds where the counters can't be asked. open: as if the rule were not met; review: a person
    decides; closed: as if it were met. `met_by`: tests the conditions that count nothing. `counters`: one a velocity.
    """

    id: str
    conditions: tuple[Condition, ...]
    velocity: tuple[Velocity, ...] = ()
    action: Action | None = None
    score: int | None = None
    enabled: bool = True
    description: str = ""
    on_redis_loss: RedisLoss = DEFAULT_ON_REDIS_LOSS
    met_by: Test = dataclasses.field(init=False, compare=False, repr=False)
    counters: tuple[Counter, ...] = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        tables = [condition_document(condition) for condition in self.conditions]
        object.__setattr__(self, "met_by", all_of([condition.met_by for condition in self.conditions]))
        object.__setattr__(self, "counters", tuple(counter_of(one, tables) for one in self.velocity))

    def document(self) -> dict[str, Any]:
        """The table that describes it."""
        table: dict[str, Any] = {"id": self.id, "enabled": self.enabled}
        table |= {"description": self.description} if self.description else {}
        table |= {"action": self.action.value} if self.action is not None else {"score": self.score}
        table |= {"on_redis_loss": self.on_redis_loss} if self.velocity else {}
        conditions = [condition_document(condition) for condition in self.conditions]
        return table | {"conditions": [*conditions, *(velocity.document for velocity in self.velocity)]}


MOST_ENTRIES = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class RulesConfig:
    """All that screens payments. `thresholds`: from which sum of scores which action holds.

    `built_in`: the tables of the rules that come with AegisPay, by name, as they were given. `most_entries`: how many
    names a counter keeps at most. `on`: what holds, the built-in rules first; `counting_declines`: those of them that
    are to hear of declines.
    """

    on_redis_loss: RedisLoss = DEFAULT_ON_REDIS_LOSS
    most_entries: int = MOST_ENTRIES
    thresholds: Mapping[Action, int] = dataclasses.field(default_factory=dict)
    built_in: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    built: tuple[Rule, ...] = ()
    rules: tuple[Rule, ...] = ()
    on: tuple[Rule, ...] = dataclasses.field(init=False, compare=False, repr=False)
    counting_declines: tuple[Rule, ...] = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        on = tuple(rule for rule in (*self.built, *self.rules) if rule.enabled)
        hearing = tuple(rule for rule in on if any(one.what == DECLINES for one in rule.velocity))
        object.__setattr__(self, "on", on)
        object.__setattr__(self, "counting_declines", hearing)
