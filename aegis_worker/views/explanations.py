"""The JSON form of an explanation: why a payment is in its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegis_worker.domain.charges import standing_charges
from aegis_worker.domain.entities import order_in
from aegis_worker.domain.moments import rfc3339
from aegis_worker.persistence.audit_log import Entry
from aegis_worker.queries.case_file import CaseFile
from aegis_worker.queries.explain import Explanation
from aegis_worker.queries.sentences import of_event
from aegis_worker.review.case import Kind, resolutions_of

from .audit_log import audit_entry_body
from .exchanges import exchange_body
from .incidents import incident_summary
from .values import rfc3339_or_none


def explanation_body(explanation: Explanation, *, for_operators: bool) -> dict[str, Any]:
    """An explanation. Operators see who decided and the reason given, what was exchanged with gateways, and what hooks
    said; merchants see only what was decided and when.
    """
    case = explanation.case
    payment = case.stored.payment
    return {
        "object": "explanation",
        "payment_id": payment.id,
        "as_of": rfc3339(case.now),
        "state": payment.state.value,
        "why": explanation.why,
        "certainty": {"value": payment.certainty, "because": explanation.certainty_because},
        "next": {
            "what": explanation.next.what,
            "who": explanation.next.who,
            "at": rfc3339_or_none(explanation.next.at),
            "resolutions": list(resolutions(case)),
        },
        "evidence": [
            {"at": rfc3339(seen.at), "source": seen.source, "what": seen.what}
            for seen in explanation.evidence
        ],
        "decisions": [
            {
                "at": rfc3339(decision.at),
                "kind": decision.kind,
                "what": decision.what,
                "why": decision.why,
                "facts": dict(decision.facts),
            }
            for decision in explanation.decisions
            if for_operators or decision.kind != "hook"
        ],
        "history": [
            {
                "seq": event.seq,
                "at": rfc3339(event.at),
                "type": event.type.wire,
                "what": of_event(event.type, event.data, payment.amount.currency),
            }
            for event in case.events
        ],
        "frozen_at": rfc3339_or_none(case.frozen_at),
        "incidents": [incident_summary(incident) for incident in case.incidents],
        "decided_by_people": _by_people(case.decisions_of_people, for_operators),
        **({"exchanges": [exchange_body(one) for one in case.exchanges]} if for_operators else {}),
    }


def resolutions(case: CaseFile) -> tuple[Kind, ...]:
    """The decisions that a person may make about the payment now."""
    return resolutions_of(
        frozen=case.frozen_at is not None,
        in_review=case.job is not None and case.job.status == "review",
        was_charged=bool(standing_charges(case.calls)),
        decided=case.decision is not None and case.decision.stands,
        order=order_in(case.job.request) if case.job else None,
        review_kind=(case.job.review_kind if case.job else None) or "doubt",
    )


def _by_people(entries: Sequence[Entry], for_operators: bool) -> list[dict[str, Any]]:
    if for_operators:
        return [audit_entry_body(entry) for entry in entries]
    return [
        {
            "seq": entry.seq,
            "at": rfc3339(entry.at),
            "action": entry.action,
            "resolution": entry.details.get("resolution"),
            "checked": entry.details.get("checked"),
        }
        for entry in entries
    ]
