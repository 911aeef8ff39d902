"""While a queue has little in it, one run looks after it alone, and hints for it are held back.

With calls in flight a run claims new jobs every few milliseconds anyway. A hint would start a second run beside it, each
would claim and commit half as much at a time, at a higher cost.

Nobody sends a hint for a job that waits for room at a gateway, and the sweep finds it seconds after there is room. So a
run that put such a job off keeps running while the job is due within a second.
"""

from __future__ import annotations

import math
import time

from aegis_worker.domain.changes import JobChange

from .parts import PipelineParts

# A run that claims more than this at a time may be too slow alone, so it lets others have hints.
_FEW = 16
# Renew well within the 2 s for which hints are held back, so that they go out again soon after a run dies.
_RENEW_S = 0.5
# Stay for a job that is due within a second; the sweep, every 5 s, finds those that wait longer.
_SOON_S = 1.0


class Lookout:
    """Holds back hints for `queue` while its run looks by itself; lets them go before the run looks for the last time."""

    def __init__(self, parts: PipelineParts, queue: str) -> None:
        self._parts, self.queue = parts, queue
        self._renew_at: float | None = None
        self._expecting_until = -math.inf

    def expects(self, job: JobChange) -> None:
        """A job was put off until there is room for it."""
        if job.queue == self.queue and job.run_in_s <= _SOON_S:
            self._expecting_until = max(self._expecting_until, time.monotonic() + job.run_in_s)

    @property
    def is_expecting(self) -> bool:
        """Whether a job that was put off is due again in a moment."""
        return time.monotonic() < self._expecting_until

    def found(self, jobs: int, *, calls_in_flight: int) -> None:
        """What the run has just claimed, and whether it will look again soon, which it does while calls are in flight."""
        if jobs > _FEW:
            self.give_over()
        elif calls_in_flight and (self._renew_at is None or time.monotonic() >= self._renew_at):
            self._renew_at = time.monotonic() + _RENEW_S
            self._parts.hold_hints(self.queue)

    def give_over(self) -> None:
        """Others are to look, too, because this run can't, or can't alone."""
        if self._let_go():
            self._parts.hint(self.queue)

    def ends(self) -> bool:
        """Whether the run may end. If not, hints go out again from now on, and it has to look for what had none."""
        return not self._let_go()

    def _let_go(self) -> bool:
        held = self._renew_at is not None
        if held:
            self._renew_at = None
            self._parts.clear_hint(self.queue)
        return held
