"""The breaker of one hook, in one process: after some time-outs in a row the hook is not asked for some seconds. Pure.

An ended process counts as a time-out, because it costs as much: whoever is asked next waits for another one. A hook that
raises costs nothing, so it leaves the breaker closed.
"""

from __future__ import annotations

import math
from typing import Literal

_S = 1_000_000_000
# With 10 s, 320 s at most: a hook that hangs for good then costs next to nothing.
_MOST_DOUBLINGS = 5

BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    """`timeouts` in a row open it for `open_ns`; then one question is the probe, which closes it, or opens it for twice as
    long as before.
    """

    def __init__(self, timeouts: int, open_ns: int) -> None:
        self._timeouts, self._open_ns = timeouts, open_ns
        self._longer = 0
        self._in_a_row = 0
        self._until_ns: int | None = None
        self._is_probed = False
        self._has_answered = False
        self.opened = 0

    @property
    def is_suspect(self) -> bool:
        """Whether the hook may well hang: it has never answered in time, or did not do so the last time."""
        return self._in_a_row > 0 or not self._has_answered

    def state(self, now_ns: int) -> BreakerState:
        """`closed`, `open` or `half_open`."""
        if self._until_ns is None:
            return "closed"
        return "open" if now_ns < self._until_ns else "half_open"

    def open_for_ms(self, now_ns: int) -> int:
        """How long it stays open, in milliseconds; 0: it does not."""
        return 0 if self._until_ns is None else max(0, self._until_ns - now_ns) // 1_000_000

    def refusal(self, now_ns: int) -> str | None:
        """Why the hook is not to be asked now; None where it may be, as a probe where the breaker is half open."""
        if self._until_ns is None:
            return None
        if now_ns < self._until_ns:
            return f"its breaker is open for another {math.ceil((self._until_ns - now_ns) / _S)} s"
        return (
            "its breaker is open, and another payment tries whether it answers" if self._is_probed else None
        )

    def probe(self) -> None:
        """The next result is that of the probe."""
        self._is_probed = True

    def forget_probe(self) -> None:
        """The probe was never made; the next ask may be it."""
        self._is_probed = False

    def in_time(self, *, is_probe: bool) -> None:
        """The hook answered in time. What was asked before the breaker opened doesn't close it."""
        if self._until_ns is None or is_probe:
            self._in_a_row, self._until_ns, self._is_probed, self._has_answered = 0, None, False, True
            self._longer = 0

    def cut_off(self, now_ns: int, *, is_probe: bool) -> bool:
        """The hook was cut off. Returns whether the breaker opens with this."""
        self._in_a_row += 1
        is_enough = self._until_ns is None and self._in_a_row >= self._timeouts
        if not (is_enough or is_probe):
            return False
        self._until_ns, self._is_probed = now_ns + (self._open_ns << self._longer), False
        self._longer = min(self._longer + 1, _MOST_DOUBLINGS)
        self.opened += 1
        return True
