"""The plots of a run, all over the same seconds: throughput, latency, success, breakers, injections. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from ..facts import Facts, Paid, by_second, p95_ms
from . import svg
from .frames import frame_of, phases_in
from .lanes import breakers, injections

_LEAST_MS, _WINDOW_S, _MOST_DOTS = 10.0, 3, 6000


def throughput(facts: Facts) -> str:
    """Payments accepted and ended, a second."""
    frame = frame_of(facts, 190)
    seconds = int(frame.until_s) + 1
    accepted = by_second((one.began_s for one in facts.paid), seconds)
    ended = by_second((one.ended_s for one in facts.paid if one.ended_s is not None), seconds)
    most = svg.nice_ceiling(max([*accepted, *ended, 1]))

    def points(counts: Sequence[int]) -> Iterator[tuple[float, float]]:
        return ((frame.x(second + 0.5), frame.y(count / most)) for second, count in enumerate(counts[:-1]))

    parts = [
        phases_in(frame, facts),
        svg.value_axis(frame, [(0.5, f"{most / 2:g}"), (1.0, f"{most:g}")]),
        svg.time_axis(frame),
        svg.text(frame.x(facts.phases.steady_s) + 6, svg.TOP + 13, "things are broken", "told"),
        svg.line(points(accepted), "line-accepted"),
        svg.line(points(ended), "line-ok"),
    ]
    return svg.drawn(frame, f"Payments a second, accepted and ended, at most {max(ended, default=0)}", parts)


def latency(facts: Facts) -> str:
    """From accepted to ended: a dot for each payment, and a line for what 95 % took at most."""
    frame = frame_of(facts, 230)
    ended = [one for one in facts.paid if one.took_ms is not None]
    most_ms = 10 ** math.ceil(math.log10(max([one.took_ms or 0.0 for one in ended] + [1000.0])))
    decades = math.log10(most_ms / _LEAST_MS)

    def y(took_ms: float) -> float:
        return frame.y(math.log10(max(took_ms, _LEAST_MS) / _LEAST_MS) / decades)

    ticks = [(power / decades, _duration(_LEAST_MS * 10**power)) for power in range(round(decades) + 1)]
    shown = ended[:: max(1, len(ended) // _MOST_DOTS)]
    parts = [phases_in(frame, facts), svg.value_axis(frame, ticks), svg.time_axis(frame)]
    for kind, is_one in (
        ("dot-ok", _is_charged),
        ("dot-other", lambda one: not _is_charged(one)),
    ):
        parts.append(
            svg.dots(((frame.x(one.began_s), y(one.took_ms or 0.0)) for one in shown if is_one(one)), kind)
        )
    for run in _p95s(ended):
        parts.append(svg.line(((frame.x(at_s), y(value)) for at_s, value in run), "line-p95"))
    return svg.drawn(frame, "How long each payment took, by when it was accepted", parts)


def success(facts: Facts) -> str:
    """What became of the payments of each second."""
    frame = frame_of(facts, 170)
    by_kind: dict[int, Counter[str]] = defaultdict(Counter)
    for one in facts.paid:
        by_kind[int(one.began_s)][_end(one)] += 1
    parts = [
        phases_in(frame, facts),
        svg.value_axis(frame, [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")]),
        svg.time_axis(frame),
    ]
    width = max(frame.x(1.0) - frame.x(0.0) - 1.2, 0.8)
    for second, counts in sorted(by_kind.items()):
        whole, below = sum(counts.values()), 0.0
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        for kind in ("charged", "declined", "waiting", "open"):
            share = counts[kind] / whole
            top = frame.y(below + share)
            height = frame.y(below) - top
            if counts[kind]:
                title = f"{second} s: {told}"
                parts.append(svg.block(frame.x(second) + 0.6, top, width, height, f"bar-{kind}", title))
            below += share
    return svg.drawn(frame, "What became of the payments of each second", parts)


def _p95s(ended: Sequence[Paid]) -> list[list[tuple[float, float]]]:
    """By window; where nothing was accepted for a while, the line is broken off."""
    by_window: dict[int, list[Paid]] = defaultdict(list)
    for one in ended:
        by_window[int(one.began_s // _WINDOW_S)].append(one)
    runs: list[list[tuple[float, float]]] = []
    before = None
    for window, paid in sorted(by_window.items()):
        value = p95_ms(paid)
        if value is None:
            continue
        if before is None or window > before + 2:
            runs.append([])
        runs[-1].append(((window + 0.5) * _WINDOW_S, value))
        before = window
    return runs


def _is_charged(one: Paid) -> bool:
    return one.state == "SUCCESS"


def _end(one: Paid) -> str:
    if one.in_review:
        return "waiting"
    return {"SUCCESS": "charged", "FAILURE": "declined", "CANCELLED": "declined"}.get(one.state, "open")


def _duration(ms: float) -> str:
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


PLOTS: tuple[tuple[str, str, str, Callable[[Facts], str]], ...] = (
    (
        "Payments a second",
        "accepted and ended",
        '<span class="key accepted">accepted</span><span class="key ok">ended</span>',
        throughput,
    ),
    (
        "How long payments took",
        "from accepted to ended, by when they were accepted; the scale is logarithmic",
        '<span class="key dot ok">charged</span><span class="key dot other">ended otherwise</span>'
        '<span class="key p95">95 % of 3 s</span>',
        latency,
    ),
    (
        "What became of them",
        "by the second in which they were accepted",
        '<span class="key bar ok">charged</span><span class="key bar other">failed or cancelled</span>'
        '<span class="key bar person">waits for a person</span><span class="key bar bad">still open</span>',
        success,
    ),
    (
        "Breakers",
        "thin: closed; high: open",
        '<span class="key bar closed">closed</span><span class="key bar half">half open</span>'
        '<span class="key bar bad">open</span><span class="key bar unknown">unknown</span>',
        breakers,
    ),
    (
        "Injections",
        "each lane by itself: its highest bar is its worst second",
        '<span class="key bar injected">injected</span><span class="key bar strike">done to a process</span>',
        injections,
    ),
)
