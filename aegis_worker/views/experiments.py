"""The JSON form of the results of an A/B test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.past_payments import Span
from aegis_worker.routing.experiment import ArmOutcome
from aegis_worker.routing.policy import RoutingConfig

from .values import rounded


def experiment_body(
    experiment: str, config: RoutingConfig, outcomes: Mapping[str, ArmOutcome], span: Span
) -> dict[str, Any]:
    """The results by arm: first the arms that are configured now, then others that had payments."""
    shares = _shares(experiment, config)
    names = [*shares, *sorted(set(outcomes) - set(shares))]
    return {
        "object": "experiment",
        "experiment": experiment,
        "running": bool(shares) and config.strategy == "AB_TEST",
        "since": rfc3339(span.since),
        "looked_at": span.payments,
        "arms": [_arm(name, shares.get(name), outcomes.get(name, ArmOutcome())) for name in names],
    }


def _shares(experiment: str, config: RoutingConfig) -> dict[str, float]:
    """The share of each arm, 0 to 1, if the configuration knows the experiment."""
    test = config.ab_test
    if test is None or test.experiment != experiment:
        return {}
    whole = sum(arm.share for arm in test.arms)
    return {arm.gateway: arm.share / whole for arm in test.arms}


def _arm(name: str, share: float | None, outcome: ArmOutcome) -> dict[str, Any]:
    interval = outcome.success_interval
    return {
        "arm": name,
        "share": rounded(share, 4),
        "payments": outcome.payments,
        "approved": outcome.approved,
        "declined": outcome.declined,
        "failed": outcome.failed,
        "undecided": outcome.undecided,
        "success_rate": rounded(outcome.success_rate, 4),
        "success_interval": interval and {"low": rounded(interval[0], 4), "high": rounded(interval[1], 4)},
        "latency_mean_ms": rounded(outcome.latency_mean_ms, 1),
    }
