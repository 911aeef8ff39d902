"""The JSON forms of incidents, which the audit opens for violations that it finds."""

from __future__ import annotations

from typing import Any

from aegis_worker.audit.incidents import Incident
from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.reviews import Incident as OpenIncident

from .values import rfc3339_or_none


def incident_body(incident: Incident) -> dict[str, Any]:
    """An incident with everything that the audit found."""
    return {
        "id": incident.id,
        "object": "incident",
        "invariant": incident.invariant,
        "payment_id": incident.payment_id,
        "looked": incident.looked,
        "summary": incident.summary,
        "evidence": incident.evidence,
        "found_at": rfc3339(incident.found_at),
        "last_seen_at": rfc3339(incident.last_seen_at),
        "resolved_at": rfc3339_or_none(incident.resolved_at),
    }


def incident_summary(incident: OpenIncident) -> dict[str, Any]:
    """An incident in short, for an explanation."""
    return {
        "id": incident.id,
        "invariant": incident.invariant,
        "summary": incident.summary,
        "found_at": rfc3339(incident.found_at),
    }
