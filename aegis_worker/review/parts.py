"""What a decision is made with, what it says, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.payment import Payment
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.persistence.database import Database
from aegis_worker.settings import DECISION_WAIT_S

from .answers import Checked, Said
from .case import Kind

# Why a decision took effect: the gateways agree with it, its wait was over, or the person would not wait.
TookEffect = Literal["confirmed", "after_wait", "forced"]


@dataclass(frozen=True, slots=True)
class ReviewParts:
    """What a decision needs. `gateways` are looked up only when one is asked; `hint(queue)` wakes the workers.

    `recheck_in_s`: when a charge that was decided not to be one is asked about again for the first time.
    `decision_wait_s`: after which a decision takes effect that no gateway confirms.
    """

    database: Database
    gateways: Callable[[], Mapping[str, PaymentGateway]]
    hint: Callable[[str], None]
    recheck_in_s: float
    decision_wait_s: float = DECISION_WAIT_S


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person says. `gateway` and `attempt` name the charge that is meant, `gateway_ref` the gateway's id of it.

    `evidence`: where else it can be seen; needed where no gateway confirms it. `force`: not to wait for one then.
    """

    kind: Kind
    reason: str
    gateway: str | None = None
    gateway_ref: str | None = None
    attempt: int | None = None
    evidence: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of it. `state_changed` is False where only the job was closed or sent back, or nothing took effect yet.

    `decision`: what stands beside the review now, and waits.
    """

    payment: Payment
    job_id: str | None
    checked: Checked | None
    says: Sequence[Said]
    state_changed: bool
    note: str
    rebuilt: Mapping[str, Any] = field(default_factory=dict)
    took_effect: TookEffect | None = None
    decision: Decision | None = None


def as_json(said: Said) -> dict[str, Any]:
    """What a gateway said, for the audit log and for problem documents."""
    return {"gateway": said.call.gateway, "attempt": said.call.number, "says": said.in_words}


def summary(payment: Payment) -> dict[str, Any]:
    """How a payment stands, for the audit log."""
    return {"state": payment.state.value, "version": payment.version, "certainty": payment.certainty}


def named(resolution: Resolution) -> dict[str, Any]:
    """Which charge a person named, for the audit log."""
    return {
        "gateway": resolution.gateway,
        "gateway_ref": resolution.gateway_ref,
        "attempt": resolution.attempt,
    }
