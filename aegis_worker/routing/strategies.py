"""The strategies by name."""

from __future__ import annotations

STRATEGIES = (
    "METRICS_BASED",
    "HIGHEST_SUCCESS_RATE",
    "LEAST_LATENCY",
    "COST_OPTIMIZED",
    "ROUND_ROBIN",
    "WEIGHTED",
    "GEOGRAPHIC",
    "AB_TEST",
    "RULE_BASED",
)
