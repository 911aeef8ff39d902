"""What the gates have to know of a gateway, and how much of a process one gateway may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.outcomes import Operation

from .permits import STATUS

# The operations whose calls share one lane of places. Look-ups have a lane of their own.
CALLS: tuple[str, ...] = tuple(str(operation) for operation in Operation)
OPERATIONS = (*CALLS, STATUS)

# A place is given back when its call ends. Where the worker died, the place comes free by itself, this long after the
# slowest call would have ended.
_GRACE_S = 30.0


class GateSettings(Protocol):
    """The part of a gateway's configuration that the gates use; see `gateways.base.GatewayConfig`."""

    @property
    def max_connections(self) -> int: ...
    @property
    def max_concurrent(self) -> int | None: ...
    @property
    def calls_per_s(self) -> int | None: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def slowest_call_s(self) -> float: ...
    @property
    def latency_target_ms(self) -> int: ...
    @property
    def breaker(self) -> BreakerLimits: ...


class GateCapabilities(Protocol):
    """The calls that a payment takes; see `gateways.base.Capabilities`."""

    @property
    def steps(self) -> Sequence[str]: ...


class Guarded(Protocol):
    """A gateway with gates in front; see `gateways.base.PaymentGateway`."""

    @property
    def config(self) -> GateSettings: ...
    @property
    def capabilities(self) -> GateCapabilities: ...


@dataclass(frozen=True, slots=True)
class Gate:
    """One gateway's gates. `place_s`: how long a call holds its place at most. `share` and `lane_share`: calls and look-ups
    together, and those of one lane, that one process may have out there. `calls_per_s`: of both lanes, over all workers.
    """

    gateway: str
    breaker: BreakerLimits
    steps: tuple[str, ...]
    place_s: float
    max_concurrent: int | None
    calls_per_s: int | None
    share: int
    lane_share: int
    latency_target_ms: float
    timeout_ms: float


def gate_of(gateway: str, guarded: Guarded, *, calls_in_flight: int, alone: bool) -> Gate:
    """The gates of `gateway`, in a process that can make `calls_in_flight` calls at once.

    Unless it is `alone`, a gateway gets half of them, so that a slow one leaves room for the others; and never more than
    its connections. Where that is less than all, each lane leaves an eighth of it to the other one.
    """
    config = guarded.config
    share = max(1, min(config.max_connections, calls_in_flight if alone else calls_in_flight // 2))
    lane_share = share if share >= calls_in_flight else share - share // 8
    if config.max_concurrent is not None:
        lane_share = min(lane_share, config.max_concurrent)
    return Gate(
        gateway=gateway,
        breaker=config.breaker,
        steps=tuple(str(step) for step in guarded.capabilities.steps),
        place_s=config.slowest_call_s + _GRACE_S,
        max_concurrent=config.max_concurrent,
        calls_per_s=config.calls_per_s,
        share=share,
        lane_share=lane_share,
        latency_target_ms=config.latency_target_ms,
        timeout_ms=config.timeout_s * 1000,
    )
