"""The live view of a run tells where it is, what was injected and which breakers are open, also before it has begun."""

from __future__ import annotations

import time
from typing import Any, cast

from rich.console import Console
from support.chaos_runs import an_experiment, facts_of_a_run

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.lab.chaos.facts import Sample
from aegis_worker.lab.chaos.live import line_of, view_of
from aegis_worker.lab.chaos.running import Run


class Watched:
    """What a watcher has seen."""

    def __init__(self, *samples: Sample) -> None:
        self.samples = list(samples)


def a_run(began_ago_s: float, *samples: Sample) -> Run:
    run = Run(cast(Any, None), an_experiment(), 7)
    run._began_s = time.monotonic() - began_ago_s
    run.watcher = cast(Any, Watched(*samples))
    return run


def shown(run: Run) -> str:
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(view_of(run))
    return captured.get()


def test_it_says_what_is_open_and_how_much_was_injected() -> None:
    run = a_run(20.5, Sample(19.0, None, None, 3), *facts_of_a_run().samples[20:21])
    run.phase = "faults"
    told = shown(run)
    assert "a_bad_day  seed 7  faults  20 of 60 s" in told
    assert "sandbox_a process OPEN" in told
    assert "1 openings" in told
    assert line_of(run) == "20 s, faults: 0 accepted, 8 injections, 1 breakers not closed"


def test_what_nobody_can_say_is_unknown() -> None:
    told = shown(a_run(5, Sample(5.0)))
    assert "unknown while Redis or the API is away" in told
    assert "breakers unknown" in line_of(a_run(5, Sample(5.0)))


def test_before_the_load_it_says_when_that_begins() -> None:
    assert line_of(a_run(-3.2)) == "starting: the load begins in 3 s"
    assert "0 of 60 s" in shown(a_run(-3.2))
    closed = Sample(0.0, {("a", "process"): BreakerState.CLOSED}, 0, 0)
    assert "a process CLOSED" in shown(a_run(1, closed))
