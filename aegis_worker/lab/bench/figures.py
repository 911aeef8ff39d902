"""Figures of rounds, and what stands for them: the median, the least and the most. Pure."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# A figure, or figures by name: one round's `{"throughput_per_s": 512.3, "latency_ms": {"p50": 4.1, …}}`.
Figures = Mapping[str, Any]

_BODY = {
    "id": "pay_01a1fdef7b3a766da7ca332b7f16f8ae",
    "amount": 1999,
    "payment_method": {"type": "card", "token": "tok_visa"},
    "metadata": {"cart": "c-81", "items": [1, 2, 3]},
}
_LOOPS = 5000


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {
        "median": _short(statistics.median(values)),
        "min": _short(min(values)),
        "max": _short(max(values)),
    }


def summarized(rounds: Sequence[Figures]) -> dict[str, Any]:
    """The same names, with the spread over the rounds in the place of each figure. What no round has is left out."""
    summary: dict[str, Any] = {}
    for name in dict.fromkeys(name for figures in rounds for name in figures):
        values = [figures[name] for figures in rounds if figures.get(name) is not None]
        if values and isinstance(values[0], Mapping):
            summary[name] = summarized(values)
        elif values:
            summary[name] = spread(values)
    return summary


def flat(summary: Figures, prefix: str = "") -> Iterator[tuple[str, Mapping[str, float]]]:
    """Every spread of a summary with its dotted name, in order."""
    for name, value in summary.items():
        if "median" in value:
            yield prefix + name, value
        else:
            yield from flat(value, f"{prefix}{name}.")


def change(now: float, before: float) -> str:
    """`+7 %`: how much more than before, which is not 0, it is now."""
    return f"{(now / before - 1) * 100:+.0f} %"


def ratio(ours: float | None, other: float | None) -> float | None:
    """How many times the other one ours is; None where one is missing."""
    return ours / other if ours is not None and other else None


def last_tenth_to_first(times: Sequence[float]) -> float | None:
    """How fast the last tenth went compared with the first, of what was done at these times, in order; 1 is as fast.

    None for fewer than 1,000: they come in groups, and a tenth would be some of these.
    """
    tenth = len(times) // 10
    if tenth < 100:
        return None
    return ratio(times[tenth] - times[0], times[-1] - times[-1 - tenth])


def shown(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def loop_ms() -> float:
    """How long a fixed loop takes here and now (JSON there and back): how fast the machine is at this moment."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(_LOOPS):
            json.loads(json.dumps(_BODY))
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def _short(value: float) -> float:
    return round(value, 1) if abs(value) >= 1000 else round(value, 4)
