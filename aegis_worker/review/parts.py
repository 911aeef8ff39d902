"""The dependencies of a decision, its input (`Resolution`) and its result (`Resolved`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection

from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.payment import Payment
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.exchanges import NOTHING_KEPT, Exchanges
from aegis_worker.settings_bounds import DECISION_WAIT_S

from .answers import Checked, Said
from .case import Kind

# Why a decision took effect: the gateways agree with it, its wait was over, or the person would not wait.
TookEffect = Literal["confirmed", "after_wait", "forced"]


@dataclass(frozen=True, slots=True)
class ReviewParts:
    """What a decision needs. `gateways` are looked up only when one is asked; `hint(queue)` wakes the workers.

    `recheck_in_s`: after how long a gateway is first asked again about a charge that was decided not to have happened.
    `decision_wait_s`: after how long a decision takes effect that no gateway confirms.
    """

    database: Database
    gateways: Callable[[], Mapping[str, PaymentGateway]]
    hint: Callable[[str], None]
    recheck_in_s: float
    decision_wait_s: float = DECISION_WAIT_S
    exchanges: Exchanges = NOTHING_KEPT


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's decision. `gateway` and `attempt` name the charge that is meant, `gateway_ref` the gateway's id of it.

    `evidence`: where else one can see that the decision is right; needed if no gateway confirms it. `force`: let the
    decision take effect at once in that case.
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
    """The result of a decision. `state_changed` is False if only the job was closed or sent back, or if nothing took
    effect yet. `decision`: the decision that now stands beside the review and waits.
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


Commit = Callable[[Callable[[Connection], Resolved]], Resolved]
"""Runs what writes a decision in one transaction, as `Database.run` does."""


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
