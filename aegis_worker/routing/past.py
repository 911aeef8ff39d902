"""What is on record of past payments, as far as routing goes: where each went first, and what came of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.outcomes import charges
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.resilience.health import score
from aegis_worker.resilience.permits import Counted, GatewayHealth

# As health counts declines: what another gateway might have approved, and what no gateway would have.
_OF_CATEGORY = {"soft": Counted.DECLINED, "technical": Counted.DECLINED}


@dataclass(frozen=True, slots=True)
class PastHop:
    """The last step of a hop to a gateway. `approved`: whether it charged; None while that is not known.

    `counted` is what it says about the gateway; `latency_ms` is None where nobody answered.
    """

    gateway: str
    counted: Counted
    approved: bool | None
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class PastPayment:
    """A payment and its first hop, None where it was never sent anywhere."""

    payment: Payment
    hop: PastHop | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the hops to a gateway came to, over a period; latencies in milliseconds, of the answered ones."""

    judged: int = 0
    approved: int = 0
    latency_mean_ms: float | None = None
    latency_p95_ms: float | None = None


def counted(operation: str, status: str, said: str | None, *, declined_before: bool = False) -> Counted:
    """What a hop whose last step stands like this says about its gateway, as `pipeline.results` counts it for health.

    `said`: the category of a decline, or the kind of what was not sent. `declined_before`: by another gateway.
    """
    if status == "APPROVED":
        # A step before the charge: the hop goes on, or was left.
        return Counted.APPROVED if charges(operation) else Counted.PENDING
    if status == "DECLINED":
        return Counted.PAYER if declined_before else _OF_CATEGORY.get(said or "", Counted.PAYER)
    if said == NotSentKind.VAULT:
        return Counted.PENDING  # the gateway was not called
    if status in ("NOT_SENT", "UNKNOWN"):
        return Counted.RATE_LIMITED if said == NotSentKind.RATE_LIMIT else Counted.ERROR
    return Counted.PENDING


def past_hop(
    gateway: str, operation: str, status: str, said: str | None, latency_ms: float | None
) -> PastHop:
    """A first hop from what its last attempt says, in the words of `counted`."""
    result = counted(operation, status, said)
    known = result is not Counted.PENDING and status != "UNKNOWN"
    answered = status not in ("NOT_SENT", "UNKNOWN", "SENT")
    return PastHop(
        gateway, result, result is Counted.APPROVED if known else None, latency_ms if answered else None
    )


def health_of(gateway: GatewayConfig, measured: Measured) -> GatewayHealth:
    """What routing would know of a gateway that has done like this, with its breakers closed."""
    rate = measured.approved / measured.judged if measured.judged else None
    return GatewayHealth(
        judged=measured.judged,
        approved=measured.approved,
        latency_mean_ms=measured.latency_mean_ms,
        latency_p95_ms=measured.latency_p95_ms,
        score=score(
            BreakerState.CLOSED,
            success_rate=rate,
            p95_ms=measured.latency_p95_ms,
            run=None,
            latency_target_ms=gateway.latency_target_ms,
            timeout_ms=gateway.timeout_s * 1000,
        ),
    )
