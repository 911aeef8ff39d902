"""What the scripts of the gates answer, in Python's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aegis_worker.domain.breakers import BreakerState

from .breaker import Draw
from .gate import Gate
from .permits import BreakerView, Verdict

_GRANTED = ord("g")


@dataclass(frozen=True, slots=True)
class Seen:
    """A breaker as Redis last told of it."""

    operation: str
    state: BreakerState
    epoch: int
    doublings: int
    retry_in_ms: int


@dataclass(frozen=True, slots=True)
class Looked:
    """All of one gateway's breakers. `closed_ms`: when each was closed last, by Redis's clock."""

    seen: list[Seen]
    views: Mapping[str, BreakerView]
    closed_ms: Mapping[str, int]


def verdicts_of(gate: Gate, letters: bytes, epoch: int, waits: bytes, draw: Draw) -> list[Verdict]:
    """The verdicts for calls of the same operations, from their letters (see lua/admit.lua)."""
    granted = Verdict(True, epoch)
    if not waits:
        return [granted] * len(letters)
    waits_ms = iter(waits.split())
    return [
        granted if letter == _GRANTED else refusal(gate, chr(letter), int(next(waits_ms)) / 1000, draw)
        for letter in letters
    ]


def refusal(gate: Gate, letter: str, wait_s: float, draw: Draw) -> Verdict:
    """A refusal by its letter (see lua/admit.lua). The wait is drawn from it and up to a tenth more."""
    by: Literal["breaker", "limit"] = "limit" if letter in "lr" else "breaker"
    reason = {
        "b": "has an open breaker",
        "p": f"has a half-open breaker whose {gate.breaker.probes} probes are out",
        "l": "has as many calls out as it takes",
        "r": f"gets {gate.calls_per_s} calls a second already",
    }[letter]
    return Verdict(False, refused_by=by, reason=reason, retry_in_s=wait_s * (1.05 + 0.05 * draw()))


def seen_of(words: Sequence[bytes]) -> Seen:
    """A breaker, from a line of `states` in lua/breaker.lua."""
    operation, state, epoch, doublings, retry_in_ms = words
    return Seen(
        operation.decode(), BreakerState(state.decode()), int(epoch), int(doublings), int(retry_in_ms)
    )


def looked_of(lines: Sequence[bytes]) -> Looked:
    """The breakers of a gateway, from what lua/look.lua returns."""
    seen, views, closed_ms = [], {}, {}
    for line in lines:
        words = line.split()
        one = seen_of(words[:5])
        failures, calls, failed, unknown, opened, probes_out, out, closed = map(int, words[5:])
        ripe = one.state is BreakerState.OPEN and not one.retry_in_ms
        seen.append(one)
        closed_ms[one.operation] = closed
        views[one.operation] = BreakerView(
            state=BreakerState.HALF_OPEN if ripe else one.state,
            retry_in_s=one.retry_in_ms / 1000,
            epoch=one.epoch,
            consecutive_failures=failures,
            calls=calls,
            failure_rate=failed / calls if calls else None,
            unknown_rate=unknown / calls if calls else None,
            opened=opened,
            probes_out=probes_out,
            calls_out=out,
        )
    return Looked(seen, views, closed_ms)
