"""The JSON forms of a person's decision and of its result."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.moments import rfc3339
from aegis_worker.review.parts import Resolved, as_json

from .values import rfc3339_or_none


def decision_body(decision: Decision | None) -> dict[str, Any] | None:
    """A person's decision that no gateway has confirmed, or that one has contradicted. None if there is none."""
    if decision is None:
        return None
    return {
        "id": decision.id,
        "status": "waiting" if decision.stands else "refused",
        "resolution": decision.resolution,
        "reason": decision.reason,
        "evidence": decision.evidence,
        "gateway": decision.gateway,
        "gateway_ref": decision.gateway_ref,
        "attempt": decision.attempt,
        "actor": decision.actor,
        "made_at": rfc3339(decision.made_at),
        "takes_effect_at": rfc3339(decision.takes_effect_at),
        "refused_at": rfc3339_or_none(decision.refused_at),
        "refused_because": decision.refused_because,
    }


def resolved_body(resolution: str, resolved: Resolved) -> dict[str, Any]:
    """The result of a decision."""
    payment = resolved.payment
    return {
        "object": "resolution",
        "payment_id": payment.id,
        "job_id": resolved.job_id,
        "resolution": resolution,
        "checked": resolved.checked,
        "took_effect": resolved.took_effect,
        "decision": decision_body(resolved.decision),
        "gateways_say": [as_json(said) for said in resolved.says],
        "state_changed": resolved.state_changed,
        "state": payment.state.value,
        "certainty": payment.certainty,
        "version": payment.version,
        "rebuilt": dict(resolved.rebuilt),
        "note": resolved.note,
    }
