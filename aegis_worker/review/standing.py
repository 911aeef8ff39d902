"""Decisions that no gateway confirmed when they were made. They stand beside the review while we go on asking gateways.

A decision takes effect when the gateways confirm it, or when its wait is over without an answer. It is refused, with a
note, when they contradict it. Each tick reads the payment anew, so a tick that dies does no harm, nor do two at once.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, cast

import structlog
from sqlalchemy import Connection

from aegis_worker.domain.decisions import Decision
from aegis_worker.errors import InvalidState, ResolutionContradicted, ResolutionRefused, VersionConflict
from aegis_worker.ids import DECISION, new_id
from aegis_worker.persistence import audit_log, decisions

from .case import Case, Kind
from .loading import load
from .looking import Looked, look_into
from .parts import Commit, Resolution, Resolved, ReviewParts, TookEffect, as_json, named, summary
from .writing import LEFT_REVIEW, only_seen, open_job, outcome_of, take_effect, told

log = structlog.get_logger(__name__)

# Seconds until a gateway is asked again about a waiting decision; decisions in a batch; seconds that a tick may take.
_AGAIN_IN_S, _BATCH, _BUDGET_S = 15.0, 16, 10.0
# The actor in the audit log when a tick carries out what a person decided earlier.
_ACTOR = "aegis"

_LOCK_JOB = """
SELECT FROM jobs WHERE id = %(job_id)s AND status = 'review' AND lease_epoch = %(lease_epoch)s FOR UPDATE
"""


def stand(
    parts: ReviewParts,
    case: Case,
    resolution: Resolution,
    looked: Looked,
    *,
    actor: str,
    commit: Commit,
) -> Resolved:
    """Keep a decision that no gateway confirms. Raises InvalidState if somebody else decided meanwhile, ResolutionRefused
    if the decision lacks something.
    """
    # This raises if the decision lacks something: the person must learn that now, and not when the wait is over.
    outcome_of(parts, case, resolution, looked)
    id_ = new_id(DECISION)
    return commit(lambda tx: _stand(tx, parts, case, resolution, looked, id_, actor))


def _decided(
    connection: Connection,
    parts: ReviewParts,
    case: Case,
    resolution: Resolution,
    looked: Looked,
    id_: str,
    actor: str,
) -> Decision:
    """The decision, put in place of the one that was seen, and told in the audit log."""
    replaced = only_seen(connection, case)
    said = {"resolution": resolution.kind, "reason": resolution.reason, "evidence": resolution.evidence}
    decision = decisions.put(
        connection,
        case.payment.id,
        {"id": id_, **said, **named(resolution), "sends": case.sends, "actor": actor},
        wait_s=parts.decision_wait_s,
        look_in_s=_AGAIN_IN_S,
    )
    details: dict[str, Any] = {
        **said,
        "checked": looked.checked,
        "gateways_say": [as_json(one) for one in looked.says],
        "named": named(resolution),
        "takes_effect_at": decision.takes_effect_at.isoformat(),
        "in_place_of": told(replaced) if replaced and replaced.stands else None,
    }
    _tell(connection, actor, "payment.decided", decision, details)
    return decision


def _stand(
    connection: Connection,
    parts: ReviewParts,
    case: Case,
    resolution: Resolution,
    looked: Looked,
    id_: str,
    actor: str,
) -> Resolved:
    job = open_job(case)
    fence = {"job_id": job.id, "lease_epoch": job.lease_epoch}
    if connection.exec_driver_sql(_LOCK_JOB, fence).one_or_none() is None:
        raise InvalidState(LEFT_REVIEW, ())
    decision = decisions.of_payment(connection, case.payment.id)
    # Equal ids mean that this is a repeat, after a COMMIT whose answer got lost.
    if decision is None or decision.id != id_:
        decision = _decided(connection, parts, case, resolution, looked, id_, actor)
    note = (
        "recorded, and nothing has changed yet: it takes effect when the gateway confirms it, and without its answer"
        f" at {decision.takes_effect_at:%Y-%m-%d %H:%M:%S} UTC; `withdraw` takes it back"
    )
    return Resolved(
        case.payment,
        job.id,
        looked.checked,
        looked.says,
        state_changed=False,
        note=note,
        decision=decision,
    )


def withdraw(connection: Connection, case: Case, resolution: Resolution, *, actor: str) -> Resolved:
    """Take a decision back. Raises InvalidState if it has taken effect, or if another one has taken its place."""
    decision = only_seen(connection, case)
    if decision is None or not decisions.take_out(connection, decision):
        raise InvalidState("the decision took effect meanwhile, or was taken back by another", ())
    details = {"reason": resolution.reason, "withdrawn": told(decision)}
    _tell(connection, actor, "payment.decision_withdrawn", decision, details)
    note = "the decision was taken back; the payment waits for another"
    return Resolved(case.payment, open_job(case).id, None, [], state_changed=False, note=note)


def carry_out_due(parts: ReviewParts) -> dict[str, int]:
    """Ask about waiting decisions until none is due or the budget is spent; returns how many there were by result."""
    counts = {"asked": 0, "took_effect": 0, "refused": 0, "overtaken": 0}
    stop_at = time.monotonic() + _BUDGET_S
    while time.monotonic() < stop_at:
        due = parts.database.run(partial(decisions.claim_due, limit=_BATCH, again_in_s=_AGAIN_IN_S))
        for decision, is_over in due:
            became = _carry_out(parts, decision, is_over=is_over)
            counts["asked"] += 1
            if became in counts:
                counts[became] += 1
        if len(due) < _BATCH:
            break
    return counts


def _carry_out(parts: ReviewParts, decision: Decision, *, is_over: bool) -> str:
    with parts.database.read() as connection:
        case = load(connection, decision.payment_id)
    if case is None or case.decision is None or case.decision.id != decision.id:
        return "replaced"
    kind = cast("Kind", decision.resolution)
    if kind not in case.resolutions:
        # A worker is asking about the payment just now, or the payment is frozen. If it has no job any more, it was
        # settled without a person.
        return (
            "waits"
            if case.job is not None or case.frozen_at is not None
            else _overtaken(parts, case, decision)
        )
    if case.sends != decision.sends:
        return _refused(parts, decision, "a charge was sent again since it was made: look at it anew")
    resolution = Resolution(
        kind, decision.reason, decision.gateway, decision.gateway_ref, decision.attempt, decision.evidence
    )
    try:
        looked = look_into(parts, case, resolution)
        why = _why_now(kind, looked, is_over)
        if why is None:
            return "waits"
        done = parts.database.run(
            lambda tx: take_effect(tx, parts, case, resolution, looked, why, actor=_ACTOR, standing=decision)
        )
    except (ResolutionContradicted, ResolutionRefused) as error:
        return _refused(parts, decision, str(error))
    except (InvalidState, VersionConflict):
        # Somebody else changed the payment meanwhile. The next look decides on what stands then.
        return "waits"
    parts.hint("verify")
    if done.state_changed:
        parts.hint("outbox")
    log.info("a person's decision took effect", payment_id=decision.payment_id, because=why)
    return "took_effect"


def _why_now(kind: Kind, looked: Looked, is_over: bool) -> TookEffect | None:
    """Why the decision takes effect now, or None. Raises ResolutionRefused if its gateway never learned of the charge."""
    if looked.is_old:
        return None
    if looked.is_confirmed:
        return "confirmed"
    if not is_over or looked.checked == "too_early":
        return None
    if looked.checked == "not_found" and kind != "failed":
        raise ResolutionRefused(f"{looked.says[0].call.gateway} still knows nothing of the charge")
    return "after_wait"


def _refused(parts: ReviewParts, decision: Decision, because: str) -> str:
    def refuse(connection: Connection) -> None:
        if decisions.refuse(connection, decision, because):
            _tell(
                connection,
                _ACTOR,
                "payment.decision_refused",
                decision,
                {"refused": told(decision), "because": because},
            )

    parts.database.run(refuse)
    log.warning("a person's decision is refused", payment_id=decision.payment_id, because=because)
    return "refused"


def _overtaken(parts: ReviewParts, case: Case, decision: Decision) -> str:
    def forget(connection: Connection) -> None:
        if decisions.take_out(connection, decision):
            details = {"overtaken": told(decision), "payment": summary(case.payment)}
            _tell(connection, _ACTOR, "payment.decision_overtaken", decision, details)

    parts.database.run(forget)
    return "overtaken"


def _tell(
    connection: Connection, actor: str, action: str, decision: Decision, details: dict[str, Any]
) -> None:
    audit_log.append(connection, actor=actor, action=action, payment_id=decision.payment_id, details=details)
