"""Rehearsals in tests: an installation whose processes die, the load before it, and what has to come out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from aegis_worker.lab.crash.nudge import Nudge
from aegis_worker.lab.crash.points import PointResult, run_point
from aegis_worker.lab.crash.report import violation_as_json
from aegis_worker.lab.crash.stage import Stage, staged
from aegis_worker.lab.local.stopping import stop_on_signals

# Enough for one payment of each role of the load: at most three quarters are special.
PAYMENTS, SEED = 24, 1


@contextmanager
def rehearsing(*gateways: str) -> Iterator[Stage]:
    """One installation for all points, with these gateways; none: the sandboxes."""
    before = dict(os.environ)
    try:
        with (
            stop_on_signals() as stopping,
            staged(before, stopping, print, workers=2, own_times=False, chosen=gateways) as ready,
        ):
            yield ready
    finally:
        # Starting a stack puts its settings into the environment.
        os.environ.clear()
        os.environ.update(before)


def killed_at(stage: Stage, point: str) -> PointResult:
    """What came out of killing processes at the point."""
    with Nudge(stage.running.redis_url):
        return run_point(stage, point, PAYMENTS, SEED)


def assert_safe(result: PointResult) -> None:
    """Processes died there, nothing is wrong, and every payment has ended."""
    assert result.kills > 0
    assert [violation_as_json(found) for found in result.violations] == []
    assert result.by_state.keys() <= {"SUCCESS", "FAILURE", "CANCELLED"}
