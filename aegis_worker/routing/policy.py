"""What is set for routing, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .rules import Rule


@dataclass(frozen=True, slots=True)
class Weights:
    """How much success, latency and cost count for METRICS_BASED; only their proportions matter."""

    success: float = 0.6
    latency: float = 0.3
    cost: float = 0.1


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected of a gateway before it has shown anything: as if it had been tried `strength` times, with
    `success_rate` (0 to 1) of them approved. Each real outcome counts as much as one of these.
    """

    success_rate: float = 0.9
    strength: float = 10.0


@dataclass(frozen=True, slots=True)
class Arm:
    """One gateway of an experiment and its share of the customers, in proportion to the other arms' shares."""

    gateway: str
    share: int


@dataclass(frozen=True, slots=True)
class AbTest:
    """An experiment: each customer always meets the same arm, until the experiment gets another name."""

    experiment: str
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class RoutingConfig:
    """How a payment's gateways are put in order; the default is the order of config/gateways.toml.

    `exploration`: the share (0 to 1) of payments that try another gateway first than the one that the record favours.
    `shares` of payments by gateway, for WEIGHTED. `countries`: gateways by customer's country, "*" for all others, for
    GEOGRAPHIC. `fallback`: the order of gateways that nothing else has named. `rules_in_order`: the enabled ones, by
    priority.
    """

    strategy: str = "RULE_BASED"
    fallback: tuple[str, ...] = ()
    exploration: float = 0.05
    weights: Weights = field(default_factory=Weights)
    prior: Prior = field(default_factory=Prior)
    shares: Mapping[str, int] = field(default_factory=dict)
    countries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ab_test: AbTest | None = None
    rules: tuple[Rule, ...] = ()
    rules_in_order: tuple[Rule, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        enabled = (rule for rule in self.rules if rule.enabled)
        object.__setattr__(self, "rules_in_order", tuple(sorted(enabled, key=lambda rule: rule.priority)))
