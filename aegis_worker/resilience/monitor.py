"""What all workers together know of the gateways, for operators and monitors: breakers, score, both windows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from redis import Redis, RedisError

from .health import Figures, of_hour, of_recent
from .health_window import HealthWindow
from .permits import STATUS, BreakerView, Gates, GatewayHealth


@dataclass(frozen=True, slots=True)
class Live:
    """One gateway now. `breakers` by operation; `recent`: the last 100 counted hops of the last hour.

    `calls_per_s`: over this minute and the last one.
    """

    health: GatewayHealth
    breakers: Mapping[str, BreakerView]
    recent: Figures
    last_hour: Figures
    calls_per_s: float = 0.0

    @property
    def in_flight(self) -> int:
        """Calls that are out now, over all workers, without look-ups."""
        return sum(view.calls_out for operation, view in self.breakers.items() if operation != STATUS)


class Monitor:
    """Looks at the named gateways."""

    def __init__(self, redis: Redis, gates: Gates, gateways: Collection[str]) -> None:
        self._redis, self._gates = redis, gates
        self._window = HealthWindow(gateways)

    def look(self) -> Mapping[str, Live] | None:
        """By gateway; None while Redis can't be asked: what one process saw by itself is not what all of them know."""
        pipe = self._redis.pipeline(transaction=False)
        read, read_hour = self._window.read(pipe), self._window.read_hour(pipe)
        try:
            replies = pipe.execute()
        except RedisError:
            return None
        health, breakers, hours = self._gates.health(), self._gates.views(), read_hour(replies)
        if not all(view.shared for views in breakers.values() for view in views.values()):
            return None
        return {
            name: Live(
                health.get(name, GatewayHealth()),
                breakers.get(name, {}),
                of_recent(recent),
                of_hour(hours[name]),
                hours[name].calls_per_s,
            )
            for name, recent in read(replies).items()
        }
