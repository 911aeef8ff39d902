"""What came of one harmless call with our credentials, as `aegis doctor` has it made. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

from .flows import HttpAnswer

_REFUSED = frozenset({401, 403})


class Standing(StrEnum):
    """How our credentials stand: taken, refused, unclear from what was answered, or nothing was answered."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found. `detail`: what was answered, or why nothing was.

    Whoever makes the call adds `latency_ms`, and `clock_ahead_s`: how far the gateway's clock is ahead of ours, below 0 if
    it is behind; None if it told no time.
    """

    standing: Standing
    detail: str = ""
    latency_ms: int = 0
    clock_ahead_s: float | None = None

    @property
    def answered(self) -> bool:
        """Whether the gateway answered at all."""
        return self.standing is not Standing.SILENT


def probed(answer: HttpAnswer, *known: int) -> Probed:
    """What an answer says of our credentials; `known`: the HTTP statuses of those whose credentials were taken."""
    detail = f"HTTP {answer.status}"
    if answer.status in _REFUSED:
        return Probed(Standing.REFUSED, detail)
    return Probed(Standing.TAKEN if answer.status in known else Standing.UNCLEAR, detail)


def clock_ahead_s(answer: HttpAnswer, asked_at: float, answered_at: float) -> float | None:
    """How far the gateway's clock is ahead of ours by the `Date` of its answer (RFC 9110, 6.6.1), which has whole seconds.

    0 if they may agree, None where no time is told. The call began and its answer was there at these Unix times.
    """
    told = next((value for name, value in answer.headers.items() if name.lower() == "date"), "")
    try:
        there = parsedate_to_datetime(told).timestamp()
    except ValueError:
        return None
    return max(there - answered_at, 0.0) or min(there + 1.0 - asked_at, 0.0)
