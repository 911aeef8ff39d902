"""When requests that were sent are given up. libcurl counts a time limit from the beginning of a transfer, with the wait
for its connection; a gateway's time to answer begins when the request leaves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from .handles import Handle


class TimeLimits:
    """Handles that wait for an answer. Those with the same time limit stand in the order in which they run out of it."""

    def __init__(self) -> None:
        self._waiting: dict[float, dict[Handle, float]] = {}

    def begin(self, handle: Handle) -> None:
        """Its request leaves now."""
        timeout_s = handle.peer.timeout_s
        self._waiting.setdefault(timeout_s, {})[handle] = time.monotonic() + timeout_s

    def end(self, handle: Handle) -> None:
        """Its transfer has ended, whether or not its request ever left."""
        self._waiting.get(handle.peer.timeout_s, {}).pop(handle, None)

    def next_at(self) -> float:
        """When the next handle runs out of time."""
        firsts = (next(iter(waiting.values()), math.inf) for waiting in self._waiting.values())
        return min(firsts, default=math.inf)

    def over(self, now: float) -> Iterator[Handle]:
        """The handles whose time is over. The caller ends each."""
        for waiting in self._waiting.values():
            while (first := next(iter(waiting.items()), None)) is not None and first[1] <= now:
                yield first[0]
