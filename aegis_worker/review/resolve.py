"""A person's decision about a payment: checked against the gateways, then written down through the one path.

What is decided changes the payment exactly as a gateway's answer would, under the same fence: the job in review is taken
over by compare-and-set, and rows, events, outbox, job and the entry of the audit log stand in one commit or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.payment import Payment
from aegis_worker.errors import (
    InvalidReason,
    InvalidState,
    NotFound,
    ReferenceTaken,
    ResolutionContradicted,
    ResolutionRefused,
    VersionConflict,
)
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.persistence import audit_log
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.record import Change, record

from . import decide
from .asking import Checked, Said, ask, checked, contradiction
from .case import Case, Kind, OpenJob, load
from .rebuild import rebuild

# From the take-over to the end of the same transaction; nobody else ever sees it.
_LEASE_S = 30.0

_REBUILT = "the row is what its events say, and the payment is no longer frozen; a job in review goes on"

_TAKE_OVER = """
UPDATE jobs SET status = 'running', lease_epoch = lease_epoch + 1, claimed_by = %(actor)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s), updated_at = clock_timestamp()
WHERE id = %(job_id)s AND status = 'review' AND lease_epoch = %(lease_epoch)s
RETURNING lease_epoch
"""


@dataclass(frozen=True, slots=True)
class ReviewParts:
    """What a decision needs. `gateways` are looked up only when one is asked; `hint(queue)` wakes the workers.

    `recheck_in_s`: when a charge that was decided not to be one is asked about again for the first time.
    """

    database: Database
    gateways: Callable[[], Mapping[str, PaymentGateway]]
    hint: Callable[[str], None]
    recheck_in_s: float


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person says. `gateway` and `attempt` name the charge that is meant, `gateway_ref` the gateway's id of it."""

    kind: Kind
    reason: str
    gateway: str | None = None
    gateway_ref: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of it. `state_changed` is False where only the job was closed or sent back."""

    payment: Payment
    job_id: str | None
    checked: Checked | None
    says: Sequence[Said]
    state_changed: bool
    rebuilt: Mapping[str, Any]
    note: str


def resolve(
    parts: ReviewParts,
    payment_id: str,
    resolution: Resolution,
    *,
    actor: str,
    expected_version: int | None = None,
) -> Resolved:
    """Carry out a person's decision about any merchant's payment.

    Raises NotFound; InvalidState where the payment does not wait for this decision (any more); VersionConflict when it is
    not at `expected_version`; ResolutionContradicted when a gateway says otherwise; ResolutionRefused for a decision
    that lacks something or can't be carried out; DatabaseUnavailable.
    """
    reason = _checked_reason(resolution.reason)
    with parts.database.read() as connection:
        case = load(connection, payment_id)
    case = _checked_case(case, payment_id, resolution.kind, expected_version)
    if resolution.kind == "rebuild":
        done = parts.database.run(lambda tx: _rebuild(tx, payment_id, reason, actor, expected_version))
    else:
        says = _ask(parts, case, resolution)  # no transaction is open while a gateway is asked
        done = parts.database.run(lambda tx: _write(tx, parts, case, resolution, reason, says, actor))
    if resolution.kind != "not_charged":
        parts.hint("verify")
    if done.state_changed:
        parts.hint("outbox")
    return done


def _checked_reason(reason: str) -> str:
    try:
        return audit_log.checked_reason(reason)
    except InvalidReason as error:
        raise ResolutionRefused(str(error)) from error


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
        return "the payment is frozen: its events do not lead to its row; rebuild it first"
    if not case.resolutions:
        return f"the payment ({case.payment.state}) does not wait for a person"
    if kind == "rebuild":
        return "only a payment that the audit froze is rebuilt"
    return "no charge was ever sent for this payment, so none can have happened"


def _ask(parts: ReviewParts, case: Case, resolution: Resolution) -> list[Said]:
    if resolution.kind == "ask_again":
        return []
    charges = case.charges
    if resolution.kind == "charged":
        charges = [decide.chosen_charge(case, gateway=resolution.gateway, number=resolution.attempt)]
    says = ask(parts.gateways(), case, charges) if charges else []
    contradicted_by = contradiction(resolution.kind, says, resolution.gateway_ref)
    if contradicted_by is not None:
        raise ResolutionContradicted(
            f"{contradicted_by.call.gateway} says {contradicted_by.in_words}",
            [_as_json(said) for said in says],
        )
    return says


def _decided(
    parts: ReviewParts, case: Case, resolution: Resolution, says: Sequence[Said], how: Checked
) -> decide.Decided:
    if resolution.kind == "ask_again":
        return decide.ask_again()
    if case.has_ended:
        return decide.closed(resolution.kind, how)
    if resolution.kind == "not_charged":
        return decide.not_charged(case, says, how, recheck_in_s=parts.recheck_in_s)
    return decide.charged(case, says[0].call, says, how, resolution.gateway_ref)


def _write(
    connection: Connection,
    parts: ReviewParts,
    case: Case,
    resolution: Resolution,
    reason: str,
    says: Sequence[Said],
    actor: str,
) -> Resolved:
    job = case.job
    if job is None:
        raise AssertionError("unreachable: a payment without a job in review has nothing to decide")
    how = None if resolution.kind == "ask_again" else checked(says)
    decided = _decided(parts, case, resolution, says, how or "nothing_sent")
    payment, events = case.payment.record(decided.facts)
    change = Change(
        job_id=job.id,
        lease_epoch=_taken_over(connection, job, actor),
        payment=payment,
        version_before=case.payment.version,
        events=events,
        job=decided.job,
        answered=decided.answered,
    )
    try:
        written = record(connection, [change], lease_s=_LEASE_S)
    except ReferenceTaken as error:
        raise ResolutionRefused("another payment stands on that charge: its gateway_ref is taken") from error
    if job.id not in written:
        raise InvalidState("the payment was frozen meanwhile", ("rebuild",))
    details = {
        "resolution": resolution.kind,
        "reason": reason,
        "checked": how,
        "gateways_say": [_as_json(said) for said in says],
        "named": {
            "gateway": resolution.gateway,
            "gateway_ref": resolution.gateway_ref,
            "attempt": resolution.attempt,
        },
        "job": {"id": job.id, "was_in_review_because": job.reason},
        "before": _summary(case.payment),
        "after": _summary(payment),
    }
    audit_log.append(
        connection, actor=actor, action="payment.resolved", payment_id=payment.id, details=details
    )
    return Resolved(payment, job.id, how, says, state_changed=bool(events), rebuilt={}, note=decided.note)


def _taken_over(connection: Connection, job: OpenJob, actor: str) -> int:
    row = connection.exec_driver_sql(
        _TAKE_OVER,
        {"job_id": job.id, "lease_epoch": job.lease_epoch, "actor": actor, "lease_s": _LEASE_S},
    ).one_or_none()
    if row is None:
        raise InvalidState("the payment's job left review meanwhile: someone or something was quicker", ())
    return int(row.lease_epoch)


def _rebuild(
    connection: Connection, payment_id: str, reason: str, actor: str, expected_version: int | None
) -> Resolved:
    # Again, now with the payment locked: another operator may have been quicker.
    case = _checked_case(load(connection, payment_id, lock=True), payment_id, "rebuild", expected_version)
    rebuilt = rebuild(connection, case)
    changed = {name: {"row": row, "history": history} for name, (row, history) in rebuilt.changed.items()}
    details = {
        "resolution": "rebuild",
        "reason": reason,
        "changed": changed,
        "before": _summary(case.payment),
        "after": _summary(rebuilt.payment),
    }
    audit_log.append(
        connection, actor=actor, action="payment.rebuilt", payment_id=payment_id, details=details
    )
    job_id = case.job.id if case.job else None
    return Resolved(rebuilt.payment, job_id, None, [], state_changed=False, rebuilt=changed, note=_REBUILT)


def _summary(payment: Payment) -> dict[str, Any]:
    return {"state": payment.state.value, "version": payment.version, "certainty": payment.certainty}


def _as_json(said: Said) -> dict[str, Any]:
    return {"gateway": said.call.gateway, "attempt": said.call.number, "says": said.in_words}
