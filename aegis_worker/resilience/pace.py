"""How many calls a second a gateway takes, for one process alone; lua/admit.lua has the same rule for all of them.

A token bucket, kept as one time: when the next call would be due if calls left evenly. A call may leave up to
`BURST_MS` early. So of the calls that leave within any second there is at most a tenth more than the rate, and a pause is
not saved up for a burst. Source: ITU-T I.371, "Generic Cell Rate Algorithm".
"""

from __future__ import annotations

BURST_MS = 100
LONGEST_WAIT_MS = 30_000


class Pace:
    """`per_s` calls a second, or None for any number. Times in milliseconds of the caller's clock."""

    def __init__(self, per_s: int | None) -> None:
        self._step_ms = 1000 / per_s if per_s else 0.0
        self._next_ms = self._last_waits_until_ms = 0.0

    def wait_ms(self, now_ms: float) -> float:
        """0 where a call may leave now: it has left then. Otherwise in how many milliseconds it should ask again.

        Those who wait are told one time after the other, so that they don't all come back at once.
        """
        if not self._step_ms:
            return 0.0
        opens_ms = self._next_ms - BURST_MS
        if opens_ms <= now_ms:
            self._next_ms = max(self._next_ms, now_ms) + self._step_ms
            return 0.0
        after_ms = max(opens_ms, self._last_waits_until_ms) + self._step_ms
        self._last_waits_until_ms = min(after_ms, now_ms + LONGEST_WAIT_MS)
        return self._last_waits_until_ms - now_ms
