"""The operations that can be explored: how the life of a payment begins for each, and what others may do in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from .ledger import Ledger
from .moves import Step
from .rows import Rows
from .setups import Configuration
from .world import World

if TYPE_CHECKING:
    from .explorer import Explorer


class Scenario(Protocol):
    """One operation."""

    def begin(self, configuration: Configuration) -> tuple[Rows, Sequence[Ledger]]:
        """What stands in the tables and at the gateways at the beginning."""

    def steps(self, explorer: Explorer, world: World, left: int) -> Iterable[Step]:
        """What others than workers may do now, for `left` faults or fewer."""

    def judge(self, explorer: Explorer, world: World) -> tuple[str, ...]:
        """What is wrong with a life that ends here, in words."""

    def is_at_rest(self, world: World) -> bool:
        """Whether nothing more happens by itself but that a frozen worker wakes."""


SCENARIOS: dict[str, Scenario] = {}


def scenario_of(operation: str) -> Scenario:
    """The scenario of this name."""
    return SCENARIOS[operation]
