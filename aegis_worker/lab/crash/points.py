"""One crash point after the other: kill there under load, start everything again, wait for the end, judge."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from aegis_worker.audit.violations import Violation
from aegis_worker.crash_points import VARIABLE
from aegis_worker.lab.demo.cast import posts

from .judge import of_endings
from .kills import Kills
from .load import ROLES, Answered
from .stage import Stage

# Which programs get to a point, by the first word of its name. A point that is not named here is armed in all programs.
_PROGRAMS = {
    "intake": ("web",),
    "confirm": ("web",),
    "card": ("web", "worker"),
    "capture": ("web",),
    "void": ("web",),
    "refund": ("web",),
    # The web process, or the worker that verifies what was signed with a certificate.
    "gateway_event": ("web", "worker"),
    "event_inbox": ("worker",),
    "dispute": ("worker",),
    "job": ("worker",),
    "attempt": ("worker",),
    "gateway": ("worker",),
    "replay": ("worker",),
    "lookup": ("worker",),
    "outcome": ("worker",),
    "outbox": ("worker",),
    "webhook": ("worker",),
    "sweep": ("worker",),
    "recheck": ("worker",),
    "reconcile": ("worker",),
    "audit": ("worker",),
    "purge": ("worker",),
    "closing": ("worker",),
    "expiry": ("worker",),
}
_EVERYWHERE = ("worker", "web")

# Some processes die in the midst of their work, which is a point that they have passed a few times before. Where it is not
# passed so often in time, the process dies at its first pass, with new payments. Some points are those of one gateway,
# so each of several gateways has its turn to be the one that a role's payments go to.
_MOST_PASSES = 3
_MIDST_S, _FIRST_S = 12.0, 45.0
# After the first death go on for this long, in which the rest of the load may get to the point too.
_MORE_S = 1.5
_POLL_S = 0.1
# With this pause 50 payments on 8 threads take about a second, so they are spread over several claims.
_PAUSE_S = 0.1


@dataclass(slots=True)
class PointResult:
    """What came out for one point."""

    name: str
    kills: int = 0
    payments: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    in_review: int = 0
    duration_s: float = 0.0
    violations: list[Violation] = field(default_factory=list)
    answers: Sequence[Answered] = ()

    @property
    def passed(self) -> bool:
        """It killed, and nothing is wrong."""
        return self.kills > 0 and not self.violations


def run_point(stage: Stage, point: str, payments: int, seed: int) -> PointResult:
    """Try one point with about `payments` payments. Raises StackFailed, OperatorError or Stopped."""
    result, started = PointResult(point), time.monotonic()
    programs = programs_of(point)
    rng = random.Random(f"{seed}-{point}")
    before = stage.books.latest()
    posted: list[Future[Answered]] = []
    tries = [(rng.randint(1, _MOST_PASSES), _MIDST_S), *[(1, _FIRST_S)] * max(1, len(stage.issuers))]
    for passes, within_s in tries:
        kills = Kills([stage.stack.launched.log(name) for name in programs], point)
        # Don't wait at the second try: under the load of the first, an API that dies at the point may never get to answer.
        armed = {VARIABLE: f"{point}:{passes}"}
        stage.stack.launched.restart(programs, stage.stopping, armed, wait=not posted)
        more = _post(stage, payments, f"{seed}-{point}-{len(posted)}")
        posted += more
        _await_deaths(stage, kills, more, within_s)
        stage.stack.launched.restart(programs, stage.stopping)
        result.kills += kills.count()
        if result.kills or stage.lets_nothing_through():
            break
    result.answers = answers = stage.results(posted)
    if not stage.come_to_rest():
        result.violations.append(
            Violation("I2", "", "it did not come to rest", {"under way": stage.books.under_way()})
        )
    mine, violations = stage.judge(answers, before)
    result.violations += [*violations, *of_endings(answers, mine, ROLES)]
    result.payments, result.by_state = len(mine), states(mine)
    result.in_review = sum(payment["in_review"] for payment in mine)
    result.duration_s = time.monotonic() - started
    return result


def programs_of(point: str) -> Sequence[str]:
    """The programs in which a process may get to the point."""
    return _PROGRAMS.get(point.partition(".")[0], _EVERYWHERE)


def states(payments: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many payments are in each state."""
    return dict(sorted(Counter(payment["state"] for payment in payments).items()))


def _post(stage: Stage, payments: int, seed: str) -> list[Future[Answered]]:
    orders = stage.cast(payments, seed)
    return stage.load.start(posts(orders, seed), pause_s=_PAUSE_S)


def _await_deaths(stage: Stage, kills: Kills, posted: Sequence[Future[Answered]], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and not kills.count():
        stage.pause(_POLL_S)
    deadline = time.monotonic() + _MORE_S
    while time.monotonic() < deadline and not all(future.done() for future in posted):
        stage.pause(_POLL_S)
