"""When a run claims again: a claim costs about as much for one job as for fifty, and so does writing what comes of them."""

from __future__ import annotations

import math
import time

from .window import Window

# Wait after a claim that found less than fits in, so that jobs gather for the next: 4 ms where few came in, 20 ms where
# more did, because that saves more. With calls in flight claim at least every 50 ms: a hint may have found every worker
# busy.
_GATHER_S, _FEW, _LONGER_GATHER_S, LONGEST_LOOK_S = 0.004, 5, 0.02, 0.05


class Pace:
    """When to claim again.

    A claim costs about as much for one job as for fifty, and so does writing what comes of them. Where more was due than
    fitted in, half of the window gets free first; calls that are slow hold that up for a moment at most. Where less was
    due, whatever comes in is looked for again and again, ever less often while nothing does.
    """

    def __init__(self) -> None:
        self._again_s = 0.0
        self._claimed_at = -math.inf
        self._more_due = True

    def is_due(self, window: Window) -> bool:
        """Whether this is the time."""
        return window.free > 0 and self.rest_s(window) <= 0.0

    def rest_s(self, window: Window) -> float:
        """How long to wait before the next claim."""
        if self._more_due and window.free >= len(window):
            return 0.0
        return self._claimed_at + self._again_s - time.monotonic()

    def claimed(self, jobs: int, limit: int) -> None:
        """What the last claim found of the `limit` jobs that it asked for."""
        self._claimed_at = time.monotonic()
        self._more_due = jobs == limit
        if self._more_due:
            self._again_s = LONGEST_LOOK_S
        elif jobs:
            self._again_s = _GATHER_S if jobs <= _FEW else _LONGER_GATHER_S
        else:
            self._again_s = min(2 * self._again_s, LONGEST_LOOK_S)
