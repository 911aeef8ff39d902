"""The second person: approves or refuses what another one asked for, and what is approved is carried out.

To approve is one commit. What was approved is then carried out through the use case that would have done it at once, and in
its transaction the approval ends; so it is done once, whoever does it. Where a process dies between, a task does it later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection

from aegis_worker.domain.people import principal
from aegis_worker.errors import (
    ApprovalMoved,
    InvalidState,
    NotFound,
    OwnApproval,
    Refused,
    Retryable,
    VersionConflict,
)
from aegis_worker.intake import Ordered, order
from aegis_worker.persistence import approval_rows, audit_log
from aegis_worker.review.parts import Resolution, Resolved
from aegis_worker.review.resolve import resolve

from .asking import get_approval, tell
from .ordering import command_of, owner_of, tell_ordered, wanted_again
from .parts import Approval, TwoPersonParts

log = structlog.get_logger(__name__)
Done = TypeVar("Done")

# The actor where a task ends what nobody decided about, or could carry out.
_ACTOR = "aegis"
_BATCH = 50


def approve(parts: TwoPersonParts, approval_id: str, *, actor: str, reason: str, seen: str) -> Approval:
    """Approve what another person asked for, and carry it out: the approval as it then is. Approving twice is harmless.

    `seen`: the `request_sha256`, in hexadecimal, of what the second person has seen. Where a store or gateway can't be
    reached it stays approved, and is carried out later. Raises NotFound, OwnApproval, ApprovalMoved, InvalidState where it
    was decided or its time is up, InvalidReason, DatabaseUnavailable.
    """
    reason = audit_log.checked_reason(reason)
    approval, wrong = parts.database.run(
        partial(_approve, approval_id=approval_id, actor=actor, reason=reason, seen=seen)
    )
    if wrong is not None:
        raise wrong
    if approval.status != "approved":
        return approval
    return carry_out(parts, approval)


def refuse(parts: TwoPersonParts, approval_id: str, *, actor: str, reason: str) -> Approval:
    """Refuse what was asked for; who asked may, too. Raises NotFound, InvalidState where it was decided, InvalidReason."""
    reason = audit_log.checked_reason(reason)

    def work(connection: Connection) -> Approval:
        approval = _locked(connection, approval_id)
        if approval.status == "refused" and approval.decided_by == actor:
            return approval
        if approval.status != "asked":
            raise InvalidState(f"{approval_id} is {_in_words(approval)}", [])
        approval_rows.decide(connection, approval_id, "refused", by=actor, because=reason)
        tell(connection, "approval.refused", approval, actor=actor, reason=reason)
        return _locked(connection, approval_id)

    return parts.database.run(work)


def carry_out(parts: TwoPersonParts, approval: Approval) -> Approval:
    """Do what was approved, once; the approval as it then is. Raises nothing for what can't be done: that ends it."""
    try:
        if approval.kind == "resolution":
            _resolve(parts, approval)
        else:
            _refund(parts, approval)
    except _CarriedOut:
        log.info("an approval was carried out by another", approval_id=approval.id)
    except VersionConflict:
        _fail(parts, approval, "the payment has moved on since it was asked")
    except Refused as error:
        _fail(parts, approval, str(error))
    except Retryable as error:
        log.warning("an approval is carried out later", approval_id=approval.id, error=str(error))
    return get_approval(parts.database, approval.id)


def look_after_approvals(parts: TwoPersonParts) -> dict[str, int]:
    """End what nobody decided about in time, and carry out what was left approved; returns how many of each."""

    def expire(connection: Connection) -> int:
        over = approval_rows.expire(connection, limit=_BATCH)
        for approval in over:
            tell(connection, "approval.expired", approval, actor=_ACTOR, because=approval.ended_because)
        return len(over)

    expired = parts.database.run(expire)
    with parts.database.read() as connection:
        left = approval_rows.left_approved(connection, limit=_BATCH)
    for approval in left:
        carry_out(parts, approval)
    return {"approvals_expired": expired, "approvals_carried_out": len(left)}


class _CarriedOut(Exception):
    """Somebody else carried it out, or its time was up: nothing is committed."""


def _approve(
    connection: Connection, approval_id: str, actor: str, reason: str, seen: str
) -> tuple[Approval, Exception | None]:
    """The approval, approved; or why not. Where its time is up, or the payment moved on, that is written too."""
    approval = _locked(connection, approval_id)
    is_repeat = approval.status in ("approved", "carried_out", "failed") and approval.decided_by == actor
    if is_repeat and seen == approval.request_sha256.hex():
        return approval, None
    if approval.status != "asked":
        return approval, InvalidState(f"{approval_id} is {_in_words(approval)}", [])
    if principal(approval.asked_by) == principal(actor):
        return approval, OwnApproval("you asked for it: it takes a second person")
    if seen != approval.request_sha256.hex():
        return approval, ApprovalMoved("`request_sha256` is not that of what is asked for: look at it again")
    over = approval_rows.is_over(connection, approval_id)
    version = approval_rows.payment_version(connection, approval.payment_id)
    if over or version != approval.payment_version:
        moved = f"the payment has moved on from version {approval.payment_version} to {version}"
        because = "nobody decided in time" if over else moved
        approval_rows.end(connection, approval_id, "expired", because=because)
        tell(connection, "approval.expired", approval, actor=actor, because=because)
        return approval, InvalidState(because, []) if over else ApprovalMoved(f"{because}: ask for it again")
    approval_rows.decide(connection, approval_id, "approved", by=actor, because=reason)
    tell(connection, "approval.approved", approval, actor=actor, reason=reason)
    return _locked(connection, approval_id), None


def _resolve(parts: TwoPersonParts, approval: Approval) -> None:
    def result(done: Resolved) -> dict[str, Any]:
        decision = done.decision.id if done.decision else None
        state = done.payment.state.value
        return {"note": done.note, "state": state, "took_effect": done.took_effect, "decision_id": decision}

    resolve(
        parts.review,
        approval.payment_id,
        Resolution(**approval.request),
        actor=approval.asked_by,
        expected_version=approval.payment_version,
        commit=_committing(parts, approval, result),
    )


def _refund(parts: TwoPersonParts, approval: Approval) -> None:
    wanted = wanted_again(approval)
    command = command_of(parts, owner_of(parts, approval.payment_id), wanted_again(approval, as_it_came=True))
    command = replace(command, amount_minor=wanted.minor, expected_version=approval.payment_version)

    def also(connection: Connection, ordered: Ordered) -> None:
        tell_ordered(connection, wanted, ordered, actor=approval.asked_by)

    def result(ordered: Ordered) -> dict[str, Any]:
        return {"refund_id": ordered.id}

    ordered = order(parts.database, command, parts.able, _committing(parts, approval, result, also))
    if ordered.job_id is not None:
        parts.review.hint("payments")


def _committing(
    parts: TwoPersonParts,
    approval: Approval,
    result: Callable[[Done], dict[str, Any]],
    also: Callable[[Connection, Done], None] = lambda connection, done: None,
) -> Callable[[Callable[[Connection], Done]], Done]:
    """What is approved and the end of the approval in one commit."""

    def commit(work: Callable[[Connection], Done]) -> Done:
        def both(connection: Connection) -> Done:
            if _locked(connection, approval.id).status != "approved" or approval_rows.is_over(
                connection, approval.id
            ):
                raise _CarriedOut
            done = work(connection)
            came_of_it = result(done)
            approval_rows.end(connection, approval.id, "carried_out", result=came_of_it)
            also(connection, done)
            by = {"approved_by": approval.decided_by, "result": came_of_it}
            tell(connection, "approval.carried_out", approval, actor=approval.asked_by, **by)
            return done

        return parts.database.run(both)

    return commit


def _fail(parts: TwoPersonParts, approval: Approval, because: str) -> None:
    def work(connection: Connection) -> None:
        if approval_rows.end(connection, approval.id, "failed", because=because):
            tell(connection, "approval.failed", approval, actor=_ACTOR, because=because)

    parts.database.run(work)


def _locked(connection: Connection, approval_id: str) -> Approval:
    approval = approval_rows.of_id(connection, approval_id, lock=True)
    if approval is None:
        raise NotFound(f"there is no approval {approval_id}")
    return approval


def _in_words(approval: Approval) -> str:
    return approval.status.replace("_", " ") + " already"
