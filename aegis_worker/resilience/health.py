"""What the windows of `health_window` say about a gateway: rates, latencies, and one score. Pure.

The score is 0.0 to 1.0, the sum of four parts. Without data a part counts as full, so that a new gateway is not shunned:

- breaker, 50 %: 1 while CLOSED, 0.5 HALF_OPEN, 0 OPEN;
- success, 30 %: approved / (approved + declined + failed), where a decline that any gateway would have given, an answer
  still pending and "too many requests" are left out;
- latency, 10 %: 1 while the 95th percentile is at most `latency_target_ms`, falling evenly to 0 at the gateway's timeout;
- recent run, 10 %: the share of the last ten hops that did not fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aegis_worker.domain.breakers import BreakerState

from .health_window import ANSWERED, LAST, HourCounts, RecentCalls, bucket_ms
from .permits import Counted, GatewayHealth

PERCENTS = (50, 95, 99)
RUN = 10

_STATE_PART = {BreakerState.CLOSED: 1.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 0.0}
_JUDGED = (Counted.APPROVED, Counted.DECLINED, Counted.ERROR)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds over the answered hops; all None without one."""

    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """One window of a gateway in numbers. Rates are 0 to 1, None where nothing happened that they could be of.

    `volume`: counted hops. `success_rate`: approved of those that say something about the gateway (approved, declined,
    failed). `decline_rate`: declined, for whatever reason, of the answered. `error_rates`: of all hops, by word.
    `calls_per_s`: over the time from the window's first hop until now.
    """

    volume: int = 0
    counts: Mapping[Counted, int] = field(default_factory=dict)
    success_rate: float | None = None
    decline_rate: float | None = None
    error_rates: Mapping[str, float] = field(default_factory=dict)
    latency: Latency = Latency()
    calls_per_s: float = 0.0


def of_recent(recent: RecentCalls) -> Figures:
    """The last calls in numbers."""
    latencies = sorted(call.latency_ms for call in recent.calls if call.counted in ANSWERED)
    latency = Latency(
        sum(latencies) / len(latencies) if latencies else None,
        *(_nearest_rank(latencies, percent) for percent in PERCENTS),
    )
    elapsed_s = (recent.now_ms - recent.calls[-1].at_ms) / 1000 if recent.calls else 0.0
    return _figures(
        Counter(call.counted for call in recent.calls),
        Counter(call.error for call in recent.calls if call.error),
        latency,
        elapsed_s,
    )


def of_hour(hour: HourCounts) -> Figures:
    """The last hour in numbers; percentiles are within a twentieth."""
    answered = sum(hour.buckets.values())
    latency = Latency(
        hour.latency_ms / answered if answered else None,
        *(_of_buckets(hour.buckets, answered, percent) for percent in PERCENTS),
    )
    return _figures(hour.counts, hour.errors, latency, hour.elapsed_s)


def gateway_health(
    recent: RecentCalls,
    *,
    latency_target_ms: float,
    timeout_ms: float,
    state: BreakerState = BreakerState.CLOSED,
    retry_in_s: float = 0.0,
) -> GatewayHealth:
    """What routing knows of a gateway. `recent`: only what counts, see `RecentCalls.since`; `state`: its worst breaker."""
    figures, run = of_recent(recent), run_of(recent)
    return GatewayHealth(
        state=state,
        retry_in_s=retry_in_s,
        judged=sum(figures.counts.get(counted, 0) for counted in _JUDGED),
        approved=figures.counts.get(Counted.APPROVED, 0),
        run=run,
        latency_mean_ms=figures.latency.mean_ms,
        latency_p95_ms=figures.latency.p95_ms,
        score=score(
            state,
            success_rate=figures.success_rate,
            p95_ms=figures.latency.p95_ms,
            run=run,
            latency_target_ms=latency_target_ms,
            timeout_ms=timeout_ms,
        ),
    )


def score(
    state: BreakerState,
    *,
    success_rate: float | None,
    p95_ms: float | None,
    run: float | None,
    latency_target_ms: float,
    timeout_ms: float,
) -> float:
    """0.0 to 1.0: half the breaker, 30 % success, 10 % latency, 10 % the recent run; see the top of the module."""
    latency = 1.0 if p95_ms is None else latency_part(p95_ms, latency_target_ms, timeout_ms)
    total = 50 * _STATE_PART[state] + 30 * _or_full(success_rate) + 10 * latency + 10 * _or_full(run)
    return round(total / 100, 4)


def latency_part(p95_ms: float, target_ms: float, timeout_ms: float) -> float:
    """1 up to the target, falling evenly to 0 at the timeout."""
    if p95_ms <= target_ms:
        return 1.0
    return max(0.0, (timeout_ms - p95_ms) / (timeout_ms - target_ms)) if timeout_ms > target_ms else 0.0


def run_of(recent: RecentCalls) -> float | None:
    """The share of the last ten hops that did not fail; being told "too many requests" is neither. None without any."""
    last = [call.counted for call in recent.calls if call.counted is not Counted.RATE_LIMITED][:RUN]
    return 1 - last.count(Counted.ERROR) / len(last) if last else None


def _or_full(part: float | None) -> float:
    return 1.0 if part is None else part


def _figures(
    counts: Mapping[Counted, int], errors: Mapping[str, int], latency: Latency, elapsed_s: float
) -> Figures:
    volume = sum(counts.values())
    declined = counts.get(Counted.DECLINED, 0) + counts.get(Counted.PAYER, 0)
    return Figures(
        volume=volume,
        counts=dict(counts),
        success_rate=_share(counts.get(Counted.APPROVED, 0), sum(counts.get(one, 0) for one in _JUDGED)),
        decline_rate=_share(declined, sum(counts.get(one, 0) for one in ANSWERED)),
        error_rates={word: number / volume for word, number in sorted(errors.items())},
        latency=latency,
        # Divide by at least a second unless the window is full: one hop a moment ago would give a huge rate.
        calls_per_s=volume / max(0.001 if volume >= LAST else 1.0, elapsed_s),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _nearest_rank(ordered: Sequence[float], percent: int) -> float | None:
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def _of_buckets(buckets: Mapping[int, int], total: int, percent: int) -> float | None:
    rank, seen = -(-total * percent // 100), 0
    for bucket, number in sorted(buckets.items()):
        seen += number
        if seen >= rank:
            return bucket_ms(bucket)
    return None
