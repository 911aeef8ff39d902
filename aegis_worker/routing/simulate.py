"""Past payments through a draft of the configuration: what would have gone where, and what that would have come to. Pure.

Nobody knows what another gateway would have answered. `ASSUMPTIONS` says what is taken instead; every answer carries it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.resilience.permits import Counted, GatewayHealth

from .eligibility import Candidate
from .past import Measured, PastHop, PastPayment, health_of
from .policy import RoutingConfig
from .router import decide
from .strategies.cost import fee_minor
from .strategies.success import expected_success

ASSUMPTIONS = (
    "Only the first gateway of each payment is compared: what failover does afterwards is left out on both sides.",
    "Each gateway is taken to have been all along as it was over the whole period, every breaker closed, nobody paused, "
    "no hook asked; fees, limits and what a gateway takes are those of config/gateways.toml now.",
    "A payment that stays with its gateway has the outcome and the latency that it had.",
    "A payment that moves is approved as often as its new gateway approved others over the period, with the draft's prior "
    "for a gateway with little data, and takes that gateway's mean latency.",
    "A payment that was declined for a reason that lies with the payer is declined anywhere.",
    "Fees are those of every payment if it were charged; it is left out where either gateway has none configured.",
    "Shares, exploration and turns are drawn anew, so two seeds differ a little.",
)

_MOST_MOVES = _MOST_REASONS = 20


@dataclass(slots=True)
class Compared:
    """A sum over payments for which it is known on both sides: as it was, and as it would have been."""

    payments: int = 0
    was: float = 0.0
    would_be: float = 0.0

    def add(self, was: float, would_be: float) -> None:
        """One more payment."""
        self.payments += 1
        self.was += was
        self.would_be += would_be


@dataclass(slots=True)
class Simulation:
    """The payments that were replayed so far, and what came of it. `gateways` in configured order.

    `success` sums approvals, `latency_ms` milliseconds, `fees` minor units by currency. `was` and `would_be` count payments
    by their first gateway; `moves` by both, None for no gateway. `left_out`: how often each gateway was no candidate, by
    name and reason, in the words of a payment's own decision; `reasons`: the same, of the payments that no gateway would
    have taken. `rules`: how often each enabled rule decided.
    """

    gateways: Sequence[Candidate]
    measured: Mapping[str, Measured]
    config: RoutingConfig
    seed: int = 1
    payments: int = 0
    never_sent: int = 0
    explored: int = 0
    fees_unknown: int = 0
    was: Counter[str] = field(default_factory=Counter)
    would_be: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    success: Compared = field(default_factory=Compared)
    latency_ms: Compared = field(default_factory=Compared)
    fees: dict[str, Compared] = field(default_factory=dict)
    _rng: random.Random = field(init=False)
    _by_name: dict[str, GatewayConfig] = field(init=False)
    _health: dict[str, GatewayHealth] = field(init=False)
    _rates: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._by_name = {gateway.config.name: gateway.config for gateway in self.gateways}
        self._health = {
            name: health_of(config, self.measured.get(name, Measured()))
            for name, config in self._by_name.items()
        }
        self._rates = {
            name: expected_success(health, self.config.prior) for name, health in self._health.items()
        }
        self.rules.update({rule.id: 0 for rule in self.config.rules_in_order})

    @property
    def moved(self) -> int:
        """Payments that went somewhere and would have gone somewhere else."""
        return sum(count for (was, would_be), count in self.moves.items() if was and would_be)

    @property
    def no_gateway(self) -> int:
        """Payments that no gateway would have taken."""
        return self.payments - self.would_be.total()

    def expected_rate(self, gateway: str) -> float:
        """How often a payment that moves to the gateway is taken to be approved, 0 to 1."""
        return self._rates[gateway]

    def add(self, past: PastPayment) -> None:
        """Replay one payment."""
        decision = decide(
            past.payment, self.gateways, self._health, self.config, self._rng, turn=self.payments
        )
        self.payments += 1
        self.left_out.update(decision.left_out.items())
        chosen = decision.candidates[0] if decision.candidates else None
        was = past.hop.gateway if past.hop else None
        if was is None:
            self.never_sent += 1
        else:
            self.was[was] += 1
        if chosen is None:
            self.reasons.update(f"{name} {why}" for name, why in decision.left_out.items())
        else:
            self.would_be[chosen] += 1
        if was != chosen:
            self.moves[was, chosen] += 1
        if decision.rule is not None:
            self.rules[decision.rule] += 1
        self.explored += decision.explored
        if chosen is not None and past.hop is not None:
            self._compare(past, past.hop, chosen)

    def most_moves(self) -> list[tuple[tuple[str | None, str | None], int]]:
        """The most frequent moves."""
        return self.moves.most_common(_MOST_MOVES)

    def most_left_out(self) -> list[tuple[tuple[str, str], int]]:
        """The most frequent reasons why a gateway would have been no candidate, by gateway and reason."""
        return self.left_out.most_common(_MOST_REASONS)

    def most_reasons(self) -> list[tuple[str, int]]:
        """The most frequent reasons why a gateway would not have taken a payment that none would have taken."""
        return self.reasons.most_common(_MOST_REASONS)

    def _compare(self, past: PastPayment, hop: PastHop, chosen: str) -> None:
        stays = hop.gateway == chosen
        if hop.approved is not None:
            was = float(hop.approved)
            declined_anywhere = hop.counted is Counted.PAYER
            self.success.add(was, was if stays or declined_anywhere else self._rates[chosen])
        would_take_ms = hop.latency_ms if stays else self._health[chosen].latency_mean_ms
        if hop.latency_ms is not None and would_take_ms is not None:
            self.latency_ms.add(hop.latency_ms, would_take_ms)
        amount = past.payment.amount
        known = self._by_name.get(hop.gateway)
        was_fee = fee_minor(known, amount.minor) if known else None
        fee = fee_minor(self._by_name[chosen], amount.minor)
        if was_fee is None or fee is None:
            self.fees_unknown += 1
        else:
            self.fees.setdefault(amount.currency, Compared()).add(was_fee, fee)
