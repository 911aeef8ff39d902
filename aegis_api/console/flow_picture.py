"""The picture of a simulation: where payments went and would go, as bands between two columns. Pure geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NOBODY = "no gateway"
_TOP, _GAP, _NAME, _BELOW = 30.0, 16.0, 20.0, 12.0


@dataclass(frozen=True, slots=True)
class Frame:
    """How large a picture is: the x of its two columns, how high all bars of a column are together, and its width."""

    left: float
    right: float
    high: float
    width: float


WIDE = Frame(left=190, right=810, high=200, width=1000)
SLIM = Frame(left=0, right=350, high=210, width=360)


@dataclass(frozen=True, slots=True)
class Band:
    """Payments that went from one gateway and would go to one: `path` is its outline."""

    path: str
    moves: bool
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A gateway in one column."""

    name: str
    payments: int
    x: float
    y: float
    high: float

    @property
    def middle(self) -> float:
        """The height of its name."""
        return self.y + self.high / 2


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, and what it shows in words, for whoever can't see it."""

    frame: Frame
    bands: Sequence[Band]
    bars: Sequence[Bar]
    label: str

    @property
    def height(self) -> float:
        """That of all of it: names stand below the middle of their bars."""
        return max(max(bar.y + bar.high, bar.middle + _NAME) for bar in self.bars) + _BELOW


def flow_picture(simulation: Mapping[str, Any], frame: Frame) -> Picture | None:
    """The picture of a simulation's body; None where it has no payments."""
    flows = _flows(simulation)
    total = sum(flows.values())
    if not total:
        return None
    names = list(dict.fromkeys(name for pair in flows for name in pair))
    room = frame.high / total
    was = {name: sum(n for (here, _), n in flows.items() if here == name) for name in names}
    then = {name: sum(n for (_, there), n in flows.items() if there == name) for name in names}
    left, right = _column(names, was, room, frame.left), _column(names, then, room, frame.right)
    bands = _bands(flows, left, right, room, frame)
    bars = [bar for bar in (*left.values(), *right.values()) if bar.payments]
    moved = [f"{n:,} from {here} to {there}" for (here, there), n in flows.items() if here != there]
    label = f"Payments that would move: {', '.join(moved)}." if moved else "No payment would move."
    return Picture(frame, bands, bars, label)


def _flows(simulation: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """How many payments, by where they went and where they would go; those that stay come first."""
    moved: dict[tuple[str, str], int] = {}
    for move in simulation["moves"]:
        pair = (move["from"] or _NOBODY, move["to"] or _NOBODY)
        moved[pair] = moved.get(pair, 0) + move["payments"]
    stays = {}
    for gateway in simulation["gateways"]:
        name = gateway["gateway"]
        gone = sum(n for (here, there), n in moved.items() if here == name and there != name)
        stays[name, name] = max(0, gateway["was"] - gone)
    moved = {pair: n for pair, n in moved.items() if pair[0] != pair[1]}
    return {pair: n for pair, n in (*stays.items(), *moved.items()) if n}


def _column(names: Sequence[str], payments: Mapping[str, int], room: float, x: float) -> dict[str, Bar]:
    bars, y = {}, _TOP
    for name in names:
        high = payments[name] * room
        bars[name] = Bar(name, payments[name], x, round(y, 1), round(max(high, 1.0), 1))
        y += high + _GAP
    return bars


def _bands(
    flows: Mapping[tuple[str, str], int],
    left: Mapping[str, Bar],
    right: Mapping[str, Bar],
    room: float,
    frame: Frame,
) -> list[Band]:
    starts, ends = {name: bar.y for name, bar in left.items()}, {name: bar.y for name, bar in right.items()}
    x0, x1, bands = frame.left + 10, frame.right, []
    middle = (x0 + x1) / 2
    for (here, there), payments in flows.items():
        high = payments * room
        a, b = starts[here], ends[there]
        starts[here], ends[there] = a + high, b + high
        path = (
            f"M{x0:.0f} {a:.1f}C{middle:.0f} {a:.1f} {middle:.0f} {b:.1f} {x1:.0f} {b:.1f}V{b + high:.1f}"
            f"C{middle:.0f} {b + high:.1f} {middle:.0f} {a + high:.1f} {x0:.0f} {a + high:.1f}Z"
        )
        bands.append(Band(path, here != there, f"{here} to {there}: {payments:,} payments"))
    return bands
