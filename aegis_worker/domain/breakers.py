"""Circuit breakers: their states, what moves them, and what is set for each gateway. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """CLOSED lets everything through, OPEN nothing, HALF_OPEN a few probes."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class BreakerMove(StrEnum):
    """What moves a breaker."""

    TRIPPED = "tripped"
    TIME_UP = "time_up"
    PROVED = "proved"
    PROBE_FAILED = "probe_failed"


# All that can happen to a breaker, in Redis and out of it. Each move raises the epoch, so that the results of calls that
# were let through before it change nothing any more.
TRANSITIONS: Mapping[tuple[BreakerState, BreakerMove], BreakerState] = {
    (BreakerState.CLOSED, BreakerMove.TRIPPED): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerMove.TIME_UP): BreakerState.HALF_OPEN,
    (BreakerState.HALF_OPEN, BreakerMove.PROVED): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, BreakerMove.PROBE_FAILED): BreakerState.OPEN,
}


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When the breakers of a gateway open and close. Rates and shares are 0 to 1, times in seconds.

    A breaker opens after `consecutive_failures`, at `failure_rate` of at least `failure_min_calls` calls, or above
    `unknown_rate` of at least `unknown_min_calls`, all within `window_s`. It stays open for `open_s`, give or take
    `open_jitter` of it, and for twice as long after each failed probe, up to `max_open_s`. Then `probes` calls may be out
    at once, over all workers, each for `probe_s` at most; `successes_to_close` of them close it. `tighten`: by which
    share of it `failure_rate` falls as the gateway's health falls from 1 to 0.
    """

    consecutive_failures: int = 5
    failure_rate: float = 0.5
    failure_min_calls: int = 20
    unknown_rate: float = 0.02
    unknown_min_calls: int = 50
    window_s: float = 120.0
    open_s: float = 60.0
    open_jitter: float = 0.1
    max_open_s: float = 600.0
    probes: int = 3
    probe_s: float = 90.0
    successes_to_close: int = 2
    tighten: float = 0.5
