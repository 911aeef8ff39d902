"""The strategies by name: pure functions from a situation to a ranking. Ties go by configured order."""

from __future__ import annotations

from collections.abc import Mapping

from ..ranking import NOTHING, Strategy
from .ab_test import ab_test
from .cost import cost_optimized
from .exploration import exploring
from .geographic import geographic
from .latency import least_latency
from .metrics import metrics_based
from .round_robin import round_robin
from .success import highest_success_rate
from .weighted import weighted

STRATEGIES: Mapping[str, Strategy] = {
    "METRICS_BASED": exploring(metrics_based),
    "HIGHEST_SUCCESS_RATE": exploring(highest_success_rate),
    "LEAST_LATENCY": exploring(least_latency),
    "COST_OPTIMIZED": cost_optimized,
    "ROUND_ROBIN": round_robin,
    "WEIGHTED": weighted,
    "GEOGRAPHIC": geographic,
    "AB_TEST": ab_test,
    # The rules have had their say before any strategy.
    "RULE_BASED": lambda situation: NOTHING,
}
