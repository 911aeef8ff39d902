"""One process's own breakers, for while Redis can't be asked: the same rules, starting from what was last seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from aegis_worker.domain.breakers import BreakerState

from .breaker import Breaker, Draw
from .breaker_replies import Seen, refusal
from .gate import OPERATIONS, Gate
from .pace import Pace
from .permits import BreakerView, CallResult, Said, Verdict, Wanted
from .places import Places

LastSeen = Mapping[tuple[str, str], tuple[Seen, int]]


class LocalBreakers:
    """Probe permits are the process's own too. Times in milliseconds of the caller's clock, as those in `last_seen`."""

    def __init__(
        self, gates: Mapping[str, Gate], places: Mapping[str, Places], last_seen: LastSeen, draw: Draw
    ) -> None:
        self._gates, self._places, self._draw = gates, places, draw
        self._permits: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        self._breakers: dict[tuple[str, str], Breaker] = defaultdict(Breaker)
        self._paces = {name: Pace(gate.calls_per_s) for name, gate in gates.items()}
        for key, (seen, at_ms) in last_seen.items():
            self._breakers[key] = Breaker(
                seen.state, seen.epoch, at_ms + seen.retry_in_ms, doublings=seen.doublings, closed_ms=at_ms
            )

    def admit(self, wanted: Wanted, now_ms: int, *, again: bool) -> Verdict:
        """Whether the breakers and the pace let the call through. `again`: it was let through before, and is not over."""
        gate = self._gates[wanted.gateway]
        keys = [(wanted.gateway, operation) for operation in wanted.operations]
        for key in keys:
            if self._breakers[key].ripen(gate.breaker, now_ms):
                self._permits[key].clear()
        open_ms = [
            self._breakers[key].until_ms - now_ms
            for key in keys
            if self._breakers[key].state is BreakerState.OPEN
        ]
        if open_ms:
            return refusal(gate, "b", max(open_ms) / 1000, self._draw)
        probing = [key for key in keys if self._breakers[key].state is BreakerState.HALF_OPEN]
        lacking = [key for key in probing if not self._permit_free(key, wanted.operation_id, gate, now_ms)]
        if lacking:
            given_ms = max(self._permits[lacking[0]].values()) - gate.breaker.probe_s * 1000
            quiet_s = (now_ms - given_ms) / 1000
            wait_s = self._places[wanted.gateway].probe_wait_s(wanted, now_ms / 1000, quiet_s)
            return refusal(gate, "p", wait_s, self._draw)
        if not again and (wait_ms := self._paces[wanted.gateway].wait_ms(now_ms)):
            return refusal(gate, "r", wait_ms / 1000, self._draw)
        for key in probing:
            self._permits[key][wanted.operation_id] = now_ms + gate.breaker.probe_s * 1000
        return Verdict(True, self._breakers[keys[0]].epoch)

    def report(self, result: CallResult, now_ms: int, *, counts: bool) -> None:
        """How a call ended; it counts when it held a place until now."""
        wanted = result.wanted
        for operation in wanted.operations if result.hop_over else wanted.operations[:1]:
            self._permits[wanted.gateway, operation].pop(wanted.operation_id, None)
        key = wanted.gateway, wanted.operations[0]
        breaker = self._breakers[key]
        if not counts or result.said is Said.NOTHING or result.epoch != breaker.epoch:
            return
        if breaker.record(result.said, self._gates[wanted.gateway].breaker, now_ms, self._draw()):
            self._permits[key].clear()

    def views(self, gateway: str, now_ms: int) -> dict[str, BreakerView]:
        """The breakers of one gateway, by operation."""
        return {operation: self._view(gateway, operation, now_ms) for operation in OPERATIONS}

    def _view(self, gateway: str, operation: str, now_ms: int) -> BreakerView:
        breaker = self._breakers[gateway, operation]
        totals = breaker.totals(self._gates[gateway].breaker, now_ms)
        is_open = breaker.state is BreakerState.OPEN
        return BreakerView(
            state=BreakerState.HALF_OPEN if is_open and breaker.until_ms <= now_ms else breaker.state,
            retry_in_s=max(0, breaker.until_ms - now_ms) / 1000 if is_open else 0.0,
            epoch=breaker.epoch,
            consecutive_failures=breaker.failures,
            calls=totals.calls,
            failure_rate=totals.failed / totals.calls if totals.calls else None,
            unknown_rate=totals.unknown / totals.calls if totals.calls else None,
            opened=breaker.opened,
            probes_out=sum(until > now_ms for until in self._permits[gateway, operation].values()),
            calls_out=self._places[gateway].out(operation, now_ms / 1000),
            shared=False,
        )

    def _permit_free(self, key: tuple[str, str], operation_id: str, gate: Gate, now_ms: int) -> bool:
        out = self._permits[key]
        for expired in [one for one, until_ms in out.items() if until_ms <= now_ms]:
            del out[expired]
        return operation_id in out or self._breakers[key].probes_free(len(out), gate.breaker) > 0
