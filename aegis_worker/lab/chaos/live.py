"""The live view of a run: on a terminal redrawn in place, elsewhere a line every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aegis_worker.domain.breakers import BreakerState

from .facts import Sample
from .running import Run

_LINE_EVERY_S = 5.0
_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_S = 48
_STYLES = {BreakerState.CLOSED: "green", BreakerState.HALF_OPEN: "yellow", BreakerState.OPEN: "bold red"}
_PHASES = {"steady state": "green", "faults": "bold red", "healed": "cyan"}


@contextmanager
def live(say: Callable[[str], None]) -> Iterator[Callable[[Run], None]]:
    """Yields what is told of the run several times a second."""
    console = Console(stderr=True)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as view:
            yield lambda run: view.update(view_of(run))
        return
    said: list[float] = []

    def in_lines(run: Run) -> None:
        if not said or run.elapsed_s - said[-1] >= _LINE_EVERY_S or run.phase == "coming to rest":
            said.append(run.elapsed_s)
            say(line_of(run))

    yield in_lines


def line_of(run: Run) -> str:
    """Where the run is, in a line."""
    if run.elapsed_s < 0:
        return f"starting: the load begins in {-run.elapsed_s:.0f} s"
    sample = _last(run)
    states = [state.value for state in (sample.breakers or {}).values()]
    is_open = sum(state != BreakerState.CLOSED for state in states)
    breakers = "breakers unknown" if sample.breakers is None else f"{is_open} breakers not closed"
    return (
        f"{int(run.elapsed_s)} s, {run.phase}: {run.accepted} accepted,"
        f" {sample.injected or 0} injections, {breakers}"
    )


def view_of(run: Run) -> Group:
    """Where the run is, on a terminal."""
    whole_s = run.experiment.phases.whole_s
    elapsed_s = max(0.0, run.elapsed_s)
    head = Text.assemble(
        (run.experiment.name, "bold"),
        f"  seed {run.seed}  ",
        (run.phase, _PHASES.get(run.phase, "dim")),
        f"  {int(elapsed_s)} of {whole_s:.0f} s",
    )
    sample, facts = _last(run), Table.grid(padding=(0, 2))
    facts.add_row("payments accepted", str(run.accepted), _struck(run))
    facts.add_row("injections", str(sample.injected or 0), _sparkline(run))
    facts.add_row(
        "breakers", "" if sample.openings is None else f"{sample.openings} openings", _breakers(sample)
    )
    bar = Table.grid()  # alone, it would not end its line
    bar.add_row(ProgressBar(total=whole_s, completed=min(elapsed_s, whole_s), width=60))
    return Group(head, bar, facts, Text(run.experiment.hypothesis, style="dim"))


def _sparkline(run: Run) -> Text:
    """Injections a second, the last ones on the right."""
    counts = [sample.injected or 0 for sample in (run.watcher.samples if run.watcher else [])]
    more = [max(0, after - before) for before, after in pairwise(counts)][-_SHOWN_S:]
    most = max(more, default=0)
    if not most:
        return Text("")
    bars = "".join(_BARS[min(len(_BARS) - 1, value * (len(_BARS) - 1) // most)] for value in more)
    return Text(f"{bars} injections a second", style="dim")


def _struck(run: Run) -> Text:
    now_s = run.elapsed_s
    return Text(
        ", ".join(one.kind for one in run.struck if one.at_s <= now_s < one.until_s + 1), style="bold red"
    )


def _breakers(sample: Sample) -> Text:
    if sample.breakers is None:
        return Text("unknown while Redis or the API is away", style="yellow")
    shown = [
        (f"{gateway} {operation} {state.value}  ", _STYLES[state])
        for (gateway, operation), state in sorted(sample.breakers.items())
        if operation in ("process", "status")
    ]
    return Text.assemble(*shown) if shown else Text("")


def _last(run: Run) -> Sample:
    samples = run.watcher.samples if run.watcher else []
    return samples[-1] if samples else Sample(0.0)
