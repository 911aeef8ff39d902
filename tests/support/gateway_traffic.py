"""Traffic through the gates of some gateways, reported as workers report it, for tests of what is shown of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from redis import Redis

from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.resilience.gates import build_gates
from aegis_worker.resilience.monitor import Monitor
from aegis_worker.resilience.permits import CallResult, Counted, Said, Wanted

_numbers = itertools.count(1)


class Traffic:
    """A worker's gates, on the test's Redis."""

    def __init__(self, redis: Redis, gateways: Mapping[str, PaymentGateway]) -> None:
        self.gates = build_gates(redis, gateways, calls_in_flight=64)
        self.monitor = Monitor(redis, self.gates, gateways)

    def send(self, gateway: str) -> tuple[Wanted, int]:
        """Begin a charge."""
        wanted = Wanted(gateway, ("process",), f"op_{next(_numbers)}")
        (verdict,) = self.gates.admit([wanted])
        assert verdict.granted, verdict.reason
        return wanted, verdict.epoch

    def approve(self, gateway: str, times: int = 1, latency_ms: float = 120.0) -> None:
        """Make charges that the gateway approves."""
        for _ in range(times):
            result = CallResult(*self.send(gateway), Said.SUCCESS, latency_ms, Counted.APPROVED)
            self.gates.report([result])

    def fail(self, gateway: str, times: int = 1) -> None:
        """Make charges that never reach the gateway."""
        for _ in range(times):
            wanted, epoch = self.send(gateway)
            self.gates.report(
                [CallResult(wanted, epoch, Said.FAILURE, 2000.0, Counted.ERROR, error="network_error")]
            )


@contextmanager
def traffic(redis_url: str, gateways: Mapping[str, PaymentGateway]) -> Iterator[Traffic]:
    """Traffic on the Redis at this URL."""
    with Redis.from_url(redis_url) as redis:
        yield Traffic(redis, gateways)
