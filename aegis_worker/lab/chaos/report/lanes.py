"""Plots of lanes, one below the other: breakers and injections. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from aegis_worker.domain.breakers import BreakerState

from ..facts import Facts, Sample, by_second
from . import svg
from .frames import frame_of, phases_in
from .svg import Frame

_LANE = 26
_STATES = {
    BreakerState.CLOSED: ("closed", 1.5),
    BreakerState.HALF_OPEN: ("half", 7.0),
    BreakerState.OPEN: ("open", 15.0),
}


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
    parts = [phases_in(frame, facts), svg.time_axis(frame)]
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
    parts = [phases_in(frame, facts), svg.time_axis(frame)]
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
    """The breaker's states, each from when to when it was seen; None while it could not be read."""
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


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"
