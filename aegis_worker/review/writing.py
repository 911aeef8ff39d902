"""A decision that takes effect: payment, events, outbox, job and the entry of the audit log in one commit.

It changes the payment exactly as a gateway's answer would, under the same fence: the job in review is taken over by
compare-and-set.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.changes import Change
from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.payment import Payment
from aegis_worker.errors import InvalidState, ReferenceTaken, ResolutionRefused
from aegis_worker.persistence import audit_log, decisions
from aegis_worker.persistence.record import record

from . import decide, orders
from .case import Case, OpenJob
from .looking import Looked
from .parts import Resolution, Resolved, ReviewParts, TookEffect, as_json, named, summary

# The lease lasts from taking the job over to the end of the same transaction, so nobody else ever sees it.
_LEASE_S = 30.0

_TAKE_OVER = """
UPDATE jobs SET status = 'running', lease_epoch = lease_epoch + 1, claimed_by = %(actor)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s), updated_at = clock_timestamp()
WHERE id = %(job_id)s AND status = 'review' AND lease_epoch = %(lease_epoch)s
RETURNING lease_epoch
"""


def take_effect(
    connection: Connection,
    parts: ReviewParts,
    case: Case,
    resolution: Resolution,
    looked: Looked | None,
    why: TookEffect | None,
    *,
    actor: str,
    standing: Decision | None = None,
) -> Resolved:
    """Write what a person decided. `looked` and `why` are None if no gateway has to say something for it: if the decision
    is to ask one again, or about what none has heard of.

    `standing`: the decision, if it is one that waited until now. Raises InvalidState if somebody else decided meanwhile,
    ResolutionRefused if the decision can't be carried out, and VersionConflict.
    """
    job = open_job(case)
    decided = outcome_of(parts, case, resolution, looked)
    payment, events = case.payment.record(decided.facts)
    fence = _taken_over(connection, job, actor)
    replaced = only_seen(connection, case)
    if looked is not None and looked.is_old:
        raise ResolutionRefused("the gateways were asked too long ago; decide again")
    change = Change(
        job_id=job.id,
        lease_epoch=fence,
        payment=payment,
        version_before=case.payment.version,
        events=events,
        job=decided.job,
        answered=decided.answered,
        entities=decided.entities,
        hands_on=bool(decided.entities),
    )
    try:
        written = record(connection, [change], lease_s=_LEASE_S)
    except ReferenceTaken as error:
        raise ResolutionRefused("that charge became another payment's meanwhile; decide again") from error
    if job.id not in written:
        raise InvalidState("the payment was frozen meanwhile; `rebuild` it first", ("rebuild",))
    if replaced is not None:
        decisions.take_out(connection, replaced)
    details = _details(case, payment, resolution, looked, why, standing, replaced)
    audit_log.append(
        connection, actor=actor, action="payment.resolved", payment_id=payment.id, details=details
    )
    says, checked = (looked.says, looked.checked) if looked else ([], None)
    changed = bool(events) and resolution.kind != "approve"
    return Resolved(payment, job.id, checked, says, state_changed=changed, note=decided.note, took_effect=why)


def _details(
    case: Case,
    payment: Payment,
    resolution: Resolution,
    looked: Looked | None,
    why: TookEffect | None,
    standing: Decision | None,
    replaced: Decision | None,
) -> dict[str, Any]:
    """What the audit log keeps of it. `payment`: as it is now. `replaced`: the decision that stood until now."""
    details: dict[str, Any] = {
        "resolution": resolution.kind,
        "reason": resolution.reason,
        "evidence": resolution.evidence,
        "checked": looked.checked if looked else None,
        "took_effect": why,
        "gateways_say": [as_json(said) for said in looked.says] if looked else [],
        "named": named(resolution),
        "job": {"id": open_job(case).id, "was_in_review_because": open_job(case).reason},
        "before": summary(case.payment),
        "after": summary(payment),
    }
    if standing is not None:
        details["decided"] = {"by": standing.actor, "at": standing.made_at.isoformat()}
    elif replaced is not None and replaced.stands:
        details["in_place_of"] = told(replaced)
    return details


def outcome_of(
    parts: ReviewParts, case: Case, resolution: Resolution, looked: Looked | None
) -> decide.Decided:
    """What a decision means for the payment. Raises ResolutionRefused if the decision lacks something."""
    if resolution.kind == "approve":
        return decide.approve(case)
    if resolution.kind == "reject":
        return decide.reject()
    if looked is None:
        return decide.ask_again(case)
    if resolution.kind == "succeeded":
        return orders.succeeded(case, looked.says, looked.checked, resolution.gateway_ref)
    if resolution.kind == "failed":
        return orders.failed(case, looked.says, looked.checked)
    if case.has_ended:
        return decide.closed(resolution.kind, looked.checked)
    if resolution.kind == "not_charged":
        return decide.not_charged(case, looked.says, looked.checked, recheck_in_s=parts.recheck_in_s)
    charge = looked.says[0].call
    return decide.charged(
        case,
        charge,
        looked.says,
        looked.checked,
        resolution.gateway_ref,
        recheck_in_s=parts.recheck_in_s,
    )


def only_seen(connection: Connection, case: Case) -> Decision | None:
    """The decision that stands beside the review; its job is locked. Raises InvalidState if `case` holds another one."""
    current = decisions.of_payment(connection, case.payment.id)
    if (current and current.id) != (case.decision and case.decision.id):
        raise InvalidState(
            "another decision was made about it meanwhile: look at it, and decide again", case.resolutions
        )
    return current


def told(decision: Decision) -> dict[str, Any]:
    """A decision, for the audit log."""
    return {
        "resolution": decision.resolution,
        "by": decision.actor,
        "at": decision.made_at.isoformat(),
        "reason": decision.reason,
        "evidence": decision.evidence,
    }


def open_job(case: Case) -> OpenJob:
    """The job in review."""
    if case.job is None:
        raise AssertionError("unreachable: a payment without a job in review has nothing to decide")
    return case.job


def _taken_over(connection: Connection, job: OpenJob, actor: str) -> int:
    row = connection.exec_driver_sql(
        _TAKE_OVER,
        {"job_id": job.id, "lease_epoch": job.lease_epoch, "actor": actor, "lease_s": _LEASE_S},
    ).one_or_none()
    if row is None:
        raise InvalidState(LEFT_REVIEW, ())
    return int(row.lease_epoch)


LEFT_REVIEW = "the payment's job left review meanwhile: someone or something was quicker"
