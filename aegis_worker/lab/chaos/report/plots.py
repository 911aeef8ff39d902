"""The plots of a run, all over the same seconds: throughput, latency, success, breakers, injections. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from aegis_worker.domain.breakers import BreakerState

from ..facts import Facts, Paid, Sample, by_second, p95_ms
from . import svg
from .svg import Frame

# The axis goes on behind the load for payments that ended later, but not for ever.
_MOST_AFTER_S = 60.0
_LEAST_MS, _WINDOW_S, _MOST_DOTS = 10.0, 3, 6000
_LANE, _HALF = 26, 7.0
_STATES = {
    BreakerState.CLOSED: ("closed", 1.5),
    BreakerState.HALF_OPEN: ("half", 7.0),
    BreakerState.OPEN: ("open", 15.0),
}


def frame_of(facts: Facts, height: int) -> Frame:
    """From the start of the load to its end, or to the last payment's end."""
    last_s = max((one.ended_s for one in facts.paid if one.ended_s is not None), default=0.0)
    whole_s = facts.phases.whole_s
    return Frame(0.0, max(whole_s, min(last_s, whole_s + _MOST_AFTER_S)) + 1.0, height)


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
        _phases(frame, facts),
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
    parts = [_phases(frame, facts), svg.value_axis(frame, ticks), svg.time_axis(frame)]
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
        _phases(frame, facts),
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


def breakers(facts: Facts) -> str:
    """A lane for each breaker that mattered: thin while closed, high while open."""
    known = {key for sample in facts.samples for key in sample.breakers or {}}
    moved = {
        key
        for sample in facts.samples
        for key, state in (sample.breakers or {}).items()
        if state is not BreakerState.CLOSED
    }
    shown = sorted({key for key in known if key[1] == "process"} | moved)
    frame = frame_of(facts, svg.TOP + svg.BOTTOM + _LANE * max(1, len(shown)))
    parts = [_phases(frame, facts), svg.time_axis(frame)]
    for place, key in enumerate(shown):
        middle = svg.TOP + _LANE * (place + 0.5)
        parts.append(svg.text(svg.LEFT - 8, middle + 4, f"{key[0]} {key[1]}", "lane end"))
        for from_s, until_s, state in _spans(facts.samples, key, frame.until_s):
            parts.append(_state(frame, middle, from_s, until_s, state))
    if not shown:
        parts.append(svg.text(svg.LEFT + 8, svg.TOP + 17, "no breaker was seen", "lane"))
    return svg.drawn(frame, "The states of breakers over time", parts)


def injections(facts: Facts) -> str:
    """A lane for each injection, a bar a second; and one for faults that were done to processes."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for one in facts.injected:
        by_name[one.injection].append(one.at_s)
    lanes = sorted(by_name)
    count = len(lanes) + bool(facts.struck)
    frame = frame_of(facts, svg.TOP + svg.BOTTOM + _LANE * max(1, count))
    parts = [_phases(frame, facts), svg.time_axis(frame)]
    width = max(frame.x(1.0) - frame.x(0.0) - 1.2, 0.8)
    for place, name in enumerate(lanes):
        floor = svg.TOP + _LANE * (place + 1) - 4
        parts.append(svg.text(svg.LEFT - 8, floor - 6, _short(name), "lane end"))
        counts = by_second(by_name[name], int(frame.until_s) + 1)
        most = max(counts)
        for second, struck in enumerate(counts):
            if struck:
                height = 3 + (_LANE - 9) * struck / most
                title = f"{name}: {struck} in second {second}"
                parts.append(
                    svg.block(frame.x(second) + 0.6, floor - height, width, height, "bar-injected", title)
                )
    for strike in facts.struck:
        y = svg.TOP + _LANE * len(lanes) + 6
        until_s = max(strike.until_s, strike.at_s + 0.5)
        wide = frame.x(until_s) - frame.x(strike.at_s)
        parts.append(svg.block(frame.x(strike.at_s), y, wide, _LANE - 12, "bar-strike", strike.kind))
    if facts.struck:
        parts.append(svg.text(svg.LEFT - 8, svg.TOP + _LANE * len(lanes) + 18, "processes", "lane end"))
    if not count:
        parts.append(svg.text(svg.LEFT + 8, svg.TOP + 17, "nothing was injected", "lane"))
    return svg.drawn(frame, f"{len(facts.injected)} injections over time", parts)


def _phases(frame: Frame, facts: Facts) -> str:
    phases = facts.phases
    return "".join(
        [
            svg.band(frame, phases.steady_s, phases.faults_end_s, "band-faults", "things are broken"),
            svg.band(frame, phases.whole_s, frame.until_s, "band-after", "no more load"),
            *(
                svg.mark(frame, one.at_s, "mark-strike", f"{one.at_s:.1f} s: {one.kind}")
                for one in facts.struck
            ),
        ]
    )


def _state(frame: Frame, middle: float, from_s: float, until_s: float, state: BreakerState | None) -> str:
    kind, height = ("unknown", 9.0) if state is None else _STATES[state]
    x, right = frame.x(from_s), frame.x(until_s)
    word = "unknown, Redis or the API is away" if state is None else state.value.lower().replace("_", " ")
    title = f"{word}, {from_s:.0f} s to {until_s:.0f} s"
    drawn = svg.block(x, middle - height / 2, max(right - x, 1.0), height, f"breaker-{kind}", title)
    if state is BreakerState.OPEN and right - x > 34:
        drawn += svg.text((x + right) / 2, middle + 4, "open", "in-block mid")
    return drawn


def _spans(
    samples: Sequence[Sample], key: tuple[str, str], until_s: float
) -> Iterator[tuple[float, float, BreakerState | None]]:
    """The breaker's states, each from when to when it was seen; None: nobody could say."""
    current: tuple[float, BreakerState | None] | None = None
    for sample in samples:
        state = None if sample.breakers is None else sample.breakers.get(key, BreakerState.CLOSED)
        if current is None:
            current = max(sample.at_s, 0.0), state
        elif state is not current[1]:
            yield current[0], sample.at_s, current[1]
            current = sample.at_s, state
    if current is not None:
        last_s = min(samples[-1].at_s, until_s)
        yield current[0], last_s, current[1]


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


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"


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
