"""How long what was not delivered waits for its next try. Pure."""

from __future__ import annotations

import random

_MINUTE, _HOUR = 60, 3600

_LADDER_S = (5, 30, 2 * _MINUTE, 10 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)


def next_delay_s(tries: int, rng: random.Random) -> float:
    """Seconds until the next try after `tries` failures: 5 s, 30 s, 2 m, 10 m, 1 h, 3 h, 6 h, then 12 h; each ± 20 %."""
    return _LADDER_S[min(tries, len(_LADDER_S)) - 1] * rng.uniform(0.8, 1.2)
