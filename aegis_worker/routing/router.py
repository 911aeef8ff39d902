"""Which gateways a payment may go to, and in which order. Pure: what is decided follows from the arguments alone.

Eligibility, then what routing hooks have named, rules, strategy, fallback list, configured order. Each names some gateways,
best first; what it does not name comes after, in the order of the next, so that every eligible gateway is a candidate
once.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence

from aegis_worker.domain.payment import Payment
from aegis_worker.domain.screening import screening_of
from aegis_worker.resilience.permits import GatewayHealth

from .decision import Decision
from .eligibility import Candidate, sort_out
from .policy import RoutingConfig
from .ranking import NOTHING, Ranking, Situation
from .strategies import STRATEGIES

__all__ = ["Decision", "decide", "needs_turn"]


def decide(
    payment: Payment,
    candidates: Sequence[Candidate],
    health: Mapping[str, GatewayHealth],
    config: RoutingConfig,
    rng: random.Random,
    *,
    turn: int = 0,
    paused: Collection[str] = (),
) -> Decision:
    """Every gateway of `candidates` that may take the payment, best first; their own order is the configured one.

    What hooks have named stands in the payment's screening. `turn`: the payment's place in the round robin (see
    `needs_turn`). `paused`: gateways that an operator has taken out.
    """
    eligible, left_out, back_in_s = sort_out(payment, candidates, health, paused)
    if not eligible:
        return Decision((), left_out, back_in_s, config.strategy, "no gateway may take it")
    may = [gateway.name for gateway in eligible]
    rankings, in_vain = _by_hooks(payment, may) if payment.screening is not None else ([], [])
    if config.rules_in_order:
        rankings.append(_by_rule(payment, config, may))
    leads = not any(ranking.names for ranking in rankings)
    situation = Situation(payment, eligible, health, config, rng, turn, leads)
    strategy = STRATEGIES[config.strategy](situation)
    rankings.append(strategy)
    if config.fallback:
        listed = [name for name in config.fallback if name in may]
        rankings.append(Ranking(listed, "first in the fallback list"))
    rankings.append(Ranking(may, "first in configured order"))
    first = next(ranking for ranking in rankings if ranking.names)
    return Decision(
        tuple(dict.fromkeys(name for ranking in rankings for name in ranking.names)),
        left_out,
        back_in_s,
        config.strategy,
        "; ".join([first.because, *in_vain]),
        strategy.scores,
        first.rule,
        first.explored,
        first.experiment,
        first.arm,
    )


def goes_by_eligibility(config: RoutingConfig) -> bool:
    """Whether payments that eligibility treats alike (see `pipeline.routes`), and for which no hook has named a gateway,
    all get the same decision.
    """
    return config.strategy == "RULE_BASED" and not config.rules_in_order


def needs_turn(config: RoutingConfig) -> bool:
    """Whether `decide` looks at `turn`."""
    return config.strategy == "ROUND_ROBIN"


def _by_hooks(payment: Payment, may: Collection[str]) -> tuple[list[Ranking], list[str]]:
    """What each hook has named, and which of them named only gateways that may not take the payment."""
    screening, rankings, in_vain = screening_of(payment), [], []
    for named in screening.named if screening is not None else ():
        names = [name for name in named.gateways if name in may]
        rankings.append(Ranking(names, f"named by {named.source}"))
        if not names:
            in_vain.append(f"{named.source} named no eligible gateway")
    return rankings, in_vain


def _by_rule(payment: Payment, config: RoutingConfig, may: Collection[str]) -> Ranking:
    for rule in config.rules_in_order:
        if rule.gateway in may and rule.met_by(payment):
            return Ranking((rule.gateway,), f'named by rule "{rule.id}"', rule=rule.id)
    return NOTHING
