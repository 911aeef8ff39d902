"""Plots as SVG, drawn here: a frame with its axes, and what can be drawn into it. Pure.

Colours are classes of the page's style, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from msgspec import Struct

WIDTH = 1120
LEFT, RIGHT, TOP, BOTTOM = 176, 14, 10, 24
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TICKS = 13


class Frame(Struct, frozen=True):
    """The area of a plot: seconds from `from_s` to `until_s`, over `height` pixels of which the axis takes some."""

    from_s: float
    until_s: float
    height: int

    @property
    def floor(self) -> float:
        """The y of the axis."""
        return self.height - BOTTOM

    def x(self, at_s: float) -> float:
        """Where a moment is."""
        share = (min(max(at_s, self.from_s), self.until_s) - self.from_s) / (self.until_s - self.from_s)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        """Where a share of the height is, from 0 at the axis to 1 at the top."""
        return self.floor - min(max(share, 0.0), 1.0) * (self.floor - TOP)

    def seconds(self) -> list[float]:
        """The moments that the axis names."""
        span = self.until_s - self.from_s
        step = next((one for one in _STEPS if span / one <= _MOST_TICKS), _STEPS[-1])
        first = math.ceil(self.from_s / step) * step
        return [float(one) for one in range(first, int(self.until_s) + 1, step)]


def drawn(frame: Frame, title: str, parts: Iterable[str]) -> str:
    """The whole drawing. `title`: what it shows, for those who don't see it."""
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {frame.height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def time_axis(frame: Frame) -> str:
    """The line at the bottom, with its seconds, and a fine line upwards from each."""
    parts = []
    for at_s in frame.seconds():
        x = frame.x(at_s)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{frame.floor:.1f}"/>')
        parts.append(text(x, frame.height - 6, f"{at_s:g} s", "tick mid"))
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{frame.floor:.1f}" y2="{frame.floor:.1f}"/>'
    )
    return "".join(parts)


def value_axis(frame: Frame, ticks: Sequence[tuple[float, str]]) -> str:
    """Fine lines at shares of the height, each with its words on the left."""
    parts = []
    for share, words in ticks:
        y = frame.y(share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(text(LEFT - 8, y + 4, words, "tick end"))
    return "".join(parts)


def band(frame: Frame, from_s: float, until_s: float, kind: str, title: str = "") -> str:
    """A part of the time, from top to bottom."""
    x, right = frame.x(from_s), frame.x(until_s)
    return block(x, TOP, max(right - x, 1.0), frame.floor - TOP, kind, title)


def mark(frame: Frame, at_s: float, kind: str, title: str) -> str:
    """A moment, from top to bottom."""
    x = frame.x(at_s)
    line = f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{frame.floor:.1f}">'
    return f"{line}<title>{escape(title)}</title></line>"


def block(x: float, y: float, width: float, height: float, kind: str, title: str = "") -> str:
    """A rectangle."""
    rect = f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"'
    return f"{rect}><title>{escape(title)}</title></rect>" if title else f"{rect}/>"


def line(points: Iterable[tuple[float, float]], kind: str) -> str:
    """A line through these points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}"/>' if path else ""


def dots(points: Iterable[tuple[float, float]], kind: str, radius: float = 2.1) -> str:
    """A dot at each point, as one path: a report of thousands stays small."""
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
    return f'<path class="{kind}" d="{path}" style="stroke-width:{2 * radius:g}"/>' if path else ""


def text(x: float, y: float, words: str, kind: str) -> str:
    """Words at a point."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def nice_ceiling(value: float) -> float:
    """A round number that is no less, for the top of an axis."""
    if value <= 1:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 2.5, 5, 10) if step * size >= value)
