"""A person's decision about a payment: checked against the gateways, then written like any other state change.

A decision that a gateway contradicts is refused. A decision that the gateways confirm takes effect at once. If they can't
tell, the decision needs evidence and stands beside the review until a gateway confirms it or a wait is over. A forced
decision doesn't wait.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from aegis_worker.domain.text import LONGEST_NAME, is_line
from aegis_worker.errors import InvalidReason, InvalidState, NotFound, ResolutionRefused, VersionConflict
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import PAYMENTS
from aegis_worker.persistence import audit_log

from .case import Case, Kind
from .loading import load
from .looking import Looked, contradicted, look_into
from .parts import Commit, Resolution, Resolved, ReviewParts, TookEffect, summary
from .rebuild import rebuild
from .standing import stand, withdraw
from .writing import take_effect

__all__ = ["Resolution", "Resolved", "ReviewParts", "resolve"]

# No gateway has to say something before these take effect.
_WITHOUT_ASKING = frozenset({"ask_again", "approve", "reject"})
_REBUILT = "the row is what its events say, and the payment is no longer frozen; the gateway is asked whether it agrees"


def resolve(
    parts: ReviewParts,
    payment_id: str,
    resolution: Resolution,
    *,
    actor: str,
    expected_version: int | None = None,
    commit: Commit | None = None,
) -> Resolved:
    """Carry out a person's decision about any merchant's payment, or let it stand until it can be.

    `commit` runs the transaction that writes it, and may write more beside it. Raises NotFound; InvalidState where the
    payment does not wait for this decision (any more); VersionConflict when it is not at `expected_version`;
    ResolutionContradicted when a gateway says otherwise; ResolutionRefused for a decision that lacks something or can't be
    carried out; DatabaseUnavailable.
    """
    commit = commit or parts.database.run
    resolution, case = checked(parts, payment_id, resolution, expected_version)
    if resolution.kind == "rebuild":
        done = commit(lambda tx: _rebuild(tx, payment_id, resolution.reason, actor, expected_version))
    elif resolution.kind == "withdraw":
        done = commit(lambda tx: withdraw(tx, case, resolution, actor=actor))
    elif resolution.kind in _WITHOUT_ASKING:
        done = commit(lambda tx: take_effect(tx, parts, case, resolution, None, None, actor=actor))
    else:
        done = _decide(parts, case, resolution, actor, commit)
    if resolution.kind not in ("not_charged", "reject"):
        parts.hint("payments" if resolution.kind == "approve" else "verify")
    if done.state_changed or resolution.kind == "approve":
        parts.hint("outbox")
    if done.payment.state is not case.payment.state:
        payment = done.payment
        METER.increment(
            PAYMENTS, payment.state.value, payment.gateway or "none", str(payment.payment_method["type"])
        )
    return done


def checked(
    parts: ReviewParts, payment_id: str, resolution: Resolution, expected_version: int | None
) -> tuple[Resolution, Case]:
    """The decision as it is kept, and its case, if the payment waits for such a one. No gateway is asked. Raises as
    `resolve` does.
    """
    resolution = _checked_words(resolution)
    with parts.database.read() as connection:
        case = load(connection, payment_id)
    return resolution, _checked_case(case, payment_id, resolution.kind, expected_version)


def _decide(parts: ReviewParts, case: Case, resolution: Resolution, actor: str, commit: Commit) -> Resolved:
    """Ask the gateways, then let the decision take effect, let it wait, or refuse it."""
    looked = look_into(parts, case, resolution)
    why: TookEffect = "confirmed"
    if not looked.is_confirmed:
        is_believed_absent = resolution.kind == "failed"
        if looked.checked == "not_found" and not resolution.force and not is_believed_absent:
            raise contradicted(looked.says[0], looked.says, _UNKNOWN_THERE)
        if resolution.evidence is None:
            raise ResolutionRefused(_lacks_evidence(looked))
        if not resolution.force:
            return stand(parts, case, resolution, looked, actor=actor, commit=commit)
        why = "forced"
    return commit(lambda tx: take_effect(tx, parts, case, resolution, looked, why, actor=actor))


_UNKNOWN_THERE = (
    "it knows no such charge: give the `gateway_ref` from its dashboard, decide `not_charged`, or, where you know that"
    " it can't show it any more, give `evidence` and `force`"
)


def _lacks_evidence(looked: Looked) -> str:
    said = "; ".join(
        f"{said.call.gateway} says {said.in_words}"
        + (", and may not show yet what was sent so shortly before" if looked.checked == "too_early" else "")
        for said in looked.says
    )
    return (
        f"no gateway confirms it now ({said}): say in `evidence` where it can be seen, such as a link to or an id from the"
        " gateway's dashboard, and the decision stands until the gateway answers; or `ask_again` later"
    )


def _checked_words(resolution: Resolution) -> Resolution:
    try:
        reason = audit_log.checked_reason(resolution.reason)
    except InvalidReason as error:
        raise ResolutionRefused(f"`reason`: {error}") from error
    reference = resolution.gateway_ref
    if reference is not None and (len(reference) > LONGEST_NAME or not is_line(reference)):
        raise ResolutionRefused(f"`gateway_ref`: an id has at most {LONGEST_NAME} characters, in one line")
    if resolution.evidence is None:
        return replace(resolution, reason=reason)
    try:
        evidence = audit_log.checked_reason(resolution.evidence)
    except InvalidReason as error:
        raise ResolutionRefused(
            f"`evidence`: say where it can be seen, in {audit_log.SHORTEST_REASON} to {audit_log.LONGEST_REASON}"
            " printable characters: it is kept in the audit log"
        ) from error
    return replace(resolution, reason=reason, evidence=evidence)


def _checked_case(case: Case | None, payment_id: str, kind: Kind, expected_version: int | None) -> Case:
    if case is None:
        raise NotFound(f"there is no payment {payment_id}")
    if expected_version is not None and case.payment.version != expected_version:
        raise VersionConflict([payment_id])
    if kind not in case.resolutions:
        raise InvalidState(_why_not(case, kind), case.resolutions)
    return case


def _why_not(case: Case, kind: Kind) -> str:
    if case.frozen_at is not None:
        return "the payment is frozen: its events do not lead to its row; `rebuild` it first"
    if case.resolutions == ("approve", "reject"):
        return "nothing was sent for it yet: a person has to `approve` or `reject` it"
    if case.order is not None and kind in ("charged", "not_charged"):
        return f"its {case.order.kind} {case.order.id} waits for a person, not its charge"
    if not case.resolutions:
        return f"the payment ({case.payment.state}) does not wait for a person"
    if kind in ("approve", "reject"):
        return (
            "it was not held back for suspicion of fraud: what may have happened at a gateway is in question"
        )
    if kind == "rebuild":
        return "only a payment that the audit froze is rebuilt"
    if kind in ("succeeded", "failed"):
        return "no capture, cancel or refund of it waits for a person"
    if kind == "withdraw":
        return "no decision about it waits to take effect"
    return "no charge was ever sent for this payment, so none can have happened"


def _rebuild(
    connection: Connection, payment_id: str, reason: str, actor: str, expected_version: int | None
) -> Resolved:
    # Check again, now with the payment locked, because another operator may have been quicker.
    case = _checked_case(load(connection, payment_id, lock=True), payment_id, "rebuild", expected_version)
    rebuilt = rebuild(connection, case)
    changed = {name: {"row": row, "history": history} for name, (row, history) in rebuilt.changed.items()}
    details = {
        "resolution": "rebuild",
        "reason": reason,
        "changed": changed,
        "before": summary(case.payment),
        "after": summary(rebuilt.payment),
    }
    audit_log.append(
        connection, actor=actor, action="payment.rebuilt", payment_id=payment_id, details=details
    )
    job_id = case.job.id if case.job else None
    return Resolved(rebuilt.payment, job_id, None, [], state_changed=False, note=_REBUILT, rebuilt=changed)
