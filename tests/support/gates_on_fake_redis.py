"""Gates on a fake Redis with a clock that tests set, and short methods for using them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import fakeredis

from aegis_worker.domain.breakers import BreakerLimits, BreakerState
from aegis_worker.resilience.gate import Gate
from aegis_worker.resilience.gates import SharedGates
from aegis_worker.resilience.permits import CallResult, Said, Verdict, Wanted

CHARGE = ("process",)


class Clock:
    """A clock that moves only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, seconds: float) -> None:
        self.now_s += seconds


def gate(limits: BreakerLimits | None = None, **changes: Any) -> Gate:
    """A gate named `bank`, with default breakers and limits that are too high to be reached."""
    settings: dict[str, Any] = {
        "gateway": "bank",
        "breaker": limits or BreakerLimits(),
        "steps": ("initiate", "authenticate", "process"),
        "place_s": 40.0,
        "max_concurrent": None,
        "calls_per_s": None,
        "share": 1000,
        "lane_share": 1000,
        "latency_target_ms": 1000,
        "timeout_ms": 8000,
    }
    return Gate(**(settings | changes))


class Rig:
    """The gates of one process for `bank`. `others()` makes those of another process on the same Redis."""

    def __init__(
        self, clock: Clock, *, limits: BreakerLimits | None = None, alone: bool = False, **changes: object
    ):
        self.clock, self.gate = clock, gate(limits, **changes)
        self.server = fakeredis.FakeServer()
        self.server.connected = not alone
        self.redis = fakeredis.FakeRedis(server=self.server)
        self.jitter = 0.0
        self.gates = self.others()
        self._ids = (f"call-{number}" for number in count(1))

    def others(self) -> SharedGates:
        return SharedGates(self.redis, {"bank": self.gate}, draw=lambda: self.jitter, clock=self.clock)

    def wanted(self, number: int = 1, operations: Sequence[str] = CHARGE) -> list[Wanted]:
        return [Wanted("bank", tuple(operations), next(self._ids)) for _ in range(number)]

    def admitted(self, number: int = 1, operations: Sequence[str] = CHARGE) -> list[tuple[Wanted, Verdict]]:
        """Ask for `number` new calls; returns those that were granted."""
        wanted = self.wanted(number, operations)
        return [
            (one, told) for one, told in zip(wanted, self.gates.admit(wanted), strict=True) if told.granted
        ]

    def ask(self, operations: Sequence[str] = CHARGE) -> Verdict:
        """The verdict about one new call. The call is not made."""
        (wanted,) = self.wanted(operations=operations)
        (verdict,) = self.gates.admit([wanted])
        if verdict.granted:
            self.gates.forget([wanted])
        return verdict

    def calls(self, *ends: Said, operations: Sequence[str] = CHARGE) -> None:
        """Make calls one after another, each granted and ended with the given outcome."""
        for said in ends:
            (call,) = self.admitted(1, operations)
            self.end(call, said)

    def end(
        self, call: tuple[Wanted, Verdict], said: Said, *, hop_over: bool = True, ms: float = 100.0
    ) -> None:
        wanted, verdict = call
        self.gates.report([CallResult(wanted, verdict.epoch, said, ms, hop_over=hop_over)])

    def state(self, operation: str = "process") -> BreakerState:
        self.clock.passes(0.6)  # a gate looks at Redis again only half a second after its last look
        return self.gates.views()["bank"][operation].state
