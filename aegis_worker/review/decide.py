"""What a person's decision means for attempt, payment and job. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.cards import code_gone_at
from aegis_worker.domain.changes import AnswerAttempt, FollowUp, JobChange
from aegis_worker.domain.charges import may_have_charged
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.entities import EntityChange
from aegis_worker.domain.outcomes import Approved, Declined, Operation, charges
from aegis_worker.domain.payment import Fact, failed
from aegis_worker.domain.screening import approved as approved_in_review
from aegis_worker.domain.screening import rejected, screening_of
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.domain.wishes import standing
from aegis_worker.errors import ResolutionRefused
from aegis_worker.pipeline.operations.charge.facts import approved

from .answers import Checked, Said
from .case import Case, Kind

_HOW: dict[Checked, str] = {
    "confirmed": "an operator decided, and the gateway agrees",
    "not_found": "an operator decided; the gateway knows nothing of it",
    "too_early": "an operator decided; the gateway did not show it yet",
    "unanswered": "an operator decided; the gateway could not be asked",
    "nothing_sent": "an operator decided; nothing was ever sent",
}
OPERATOR = "operator"
_REFUSED = (AttemptStatus.DECLINED, AttemptStatus.NOT_SENT)
_UNHEARD: tuple[Checked, ...] = ("unanswered", "too_early")


@dataclass(frozen=True, slots=True)
class Decided:
    """What has to be written, and what the person is told. `facts` are empty if only the job changes.

    `entities`: the capture, void or refund that was decided about.
    """

    facts: Sequence[Fact]
    job: JobChange
    note: str
    answered: AnswerAttempt | None = None
    entities: Sequence[EntityChange] = ()


def chosen_charge(case: Case, *, gateway: str | None, number: int | None) -> Attempt:
    """The charge that a person means: the last one that fits. Raises ResolutionRefused if none fits."""
    fitting = [
        call for call in case.charges if gateway in (None, call.gateway) and number in (None, call.number)
    ]
    if not fitting:
        sent = ", ".join(f"{call.gateway} (attempt {call.number})" for call in case.charges) or "none"
        raise ResolutionRefused(
            f"no such charge was sent; those on record: {sent}; name one of them by `gateway` or `attempt`, or none"
        )
    return fitting[-1]


def charged(
    case: Case,
    charge: Attempt,
    says: Sequence[Said],
    how: Checked,
    reference: str | None,
    *,
    recheck_in_s: float,
) -> Decided:
    """The money moved at this charge's gateway. Raises ResolutionRefused if the gateway's id of it isn't known.

    What was sent more than once may have charged twice: the gateway is asked again after `recheck_in_s`.
    """
    answer = next((said.outcome for said in says if isinstance(said.outcome, Approved)), None)
    if answer is None:
        known = reference or charge.gateway_ref
        if known is None:
            raise ResolutionRefused(
                f"{charge.gateway} does not tell its id of the charge; take it from its dashboard and give `gateway_ref`"
            )
        answer = Approved(known, captured=case.payment.terms.capture_method == "automatic")
    facts = [_resolved(how, "charged"), *_to_processing(case, charge)]
    # The payment is in PROCESSING from here on, so the events that led there are not recorded a second time.
    payment, _ = case.payment.record(facts)
    facts += approved(payment, Operation.PROCESS, charge.gateway, answer)
    ended = AnswerAttempt(
        Operation.PROCESS,
        charge.number,
        charge.gateway,
        AttemptStatus.APPROVED,
        gateway_ref=answer.gateway_ref,
        outcome=StoredOutcome(captured=answer.captured, decided_by=OPERATOR, checked=how).marked(
            charge.outcome
        ),
        asked=how != "unanswered",
        recheck_in_s=recheck_in_s if charge.sends > 1 else None,
    )
    job = JobChange(
        "succeeded",
        result={"resolution": "charged", "checked": how},
        # Another gateway may hold a charge as well, or this gateway none. A sync asks them all and reports either case.
        follow_up=FollowUp("sync", "verify") if len(case.charges) > 1 or how in _UNHEARD else None,
    )
    held = "" if answer.captured else "; the funds are held, not captured"
    return Decided(facts, job, f"recorded as charged{held}", ended)


def not_charged(case: Case, says: Sequence[Said], how: Checked, *, recheck_in_s: float) -> Decided:
    """No money moved anywhere, so the payment has failed, with the gateway's own error if it gave one.

    The gateway is asked again about a charge that was in doubt after `recheck_in_s`, because people may be wrong, too.
    """
    latest = case.calls[-1] if case.calls else None
    gateway = latest.gateway if latest else None
    refusal = next((said for said in reversed(says) if isinstance(said.outcome, Declined)), None)
    if refusal is not None and isinstance(refusal.outcome, Declined):
        error = describe_error(
            refusal.outcome.code,
            gateway=refusal.call.gateway,
            gateway_code=refusal.outcome.gateway_code,
            message=refusal.outcome.message,
        )
    else:
        message = "an operator found that nothing was charged"
        error = describe_error("resolved_not_charged", gateway=gateway, gateway_code=None, message=message)
    ended = None
    if latest is not None and _must_be_ended(latest):
        # DECLINED and not NOT_SENT, because the call was sent: comparisons with the gateways must still ask about it.
        ended = AnswerAttempt(
            latest.operation,
            latest.number,
            latest.gateway,
            AttemptStatus.DECLINED,
            outcome=StoredOutcome.of_error(error, decided_by=OPERATOR, checked=how).marked(latest.outcome),
            asked=latest in [said.call for said in says] and how != "unanswered",
            not_found=how == "not_found",
            recheck_in_s=recheck_in_s if may_have_charged(latest) else None,
        )
    job = JobChange("failed", reason=error["code"], result={"resolution": "not_charged", "checked": how})
    facts = [_resolved(how, "not_charged"), *failed(error)]
    return Decided(facts, job, "recorded as not charged: the payment has failed", ended)


def approve(case: Case) -> Decided:
    """The payment goes on as if nothing had been found, and is not screened again. Raises ResolutionRefused where the row
    holds no screening.
    """
    screening, at = screening_of(case.payment), case.read_at
    if screening is None or at is None:
        raise ResolutionRefused("nothing says why it was held back; reject it, and have it posted again")
    job = JobChange("waiting", "payments", reason="a person approved it", result={"resolution": "approve"})
    return Decided([approved_in_review(screening, at.timestamp())], job, _what_follows(case, at))


def _what_follows(case: Case, at: datetime) -> str:
    terms = case.payment.terms
    gone_at = code_gone_at(terms.payment_method, case.accepted_at) if case.accepted_at is not None else None
    if case.payment.is_called_off:
        return "approved, and called off meanwhile: it ends unsent"
    if gone_at is not None and gone_at <= at:
        return "approved, too late for its card: the security code is not kept any more, so it fails unsent"
    if terms.scheduled_at is not None and terms.scheduled_at > at:
        return f"approved: it goes to a gateway at its time, {terms.scheduled_at:%Y-%m-%d %H:%M:%S} UTC"
    return "approved: it goes to a gateway now; what was demanded of its payer still is"


def reject() -> Decided:
    """The payment fails. Nothing was sent, so no gateway is asked."""
    message = "a person rejected it before it was sent to a gateway"
    error = describe_error("rejected_in_review", gateway=None, gateway_code=None, message=message)
    job = JobChange("failed", reason="rejected_in_review", result={"resolution": "reject"})
    return Decided(
        [rejected(), *failed(error)], job, "rejected: the payment has failed, and nothing was sent"
    )


def ask_again(case: Case) -> Decided:
    """Ask the gateway once more, at once. Its answer is then treated like any other.

    Where an error hook wanted a person after a call that was refused, nothing is in doubt, and the payment goes on.
    """
    job = JobChange("waiting", "verify", run_in_s=0.0, reason="an operator had it asked again")
    let_go = _let_go_on(case)
    if let_go is not None:
        return Decided(
            [], job, "the hook's review is over: the payment goes on as if it had not asked", let_go
        )
    return Decided([], job, "the gateway is asked once more, now; without an answer it comes back for review")


def _let_go_on(case: Case) -> AnswerAttempt | None:
    """The refused call with the hook's wish for a person done with; None where no such wish holds."""
    latest = case.calls[-1] if case.calls else None
    wish = standing(latest.outcome.wishes) if latest is not None else None
    if latest is None or wish is None or wish.ask != "review" or latest.status not in _REFUSED:
        return None
    over = tuple(
        replace(one, refused="a person let the payment go on") if one is wish else one
        for one in latest.outcome.wishes
    )
    return AnswerAttempt(
        latest.operation,
        latest.number,
        latest.gateway,
        latest.status,
        outcome=replace(latest.outcome, wishes=over),
    )


def closed(kind: Kind, how: Checked) -> Decided:
    """The payment has already ended for good, so only the job that waited for a person is closed."""
    result = {"resolution": kind, "checked": how, "state_changed": False}
    note = "the payment has ended already and its end is final: only the review was closed"
    return Decided([], JobChange("succeeded", result=result), note)


def _must_be_ended(call: Attempt) -> bool:
    return call.status.is_open or (charges(call.operation) and call.status == AttemptStatus.APPROVED)


def _resolved(how: Checked, kind: Kind) -> Fact:
    # The operator's reason is left out: events go to merchants, and the reason belongs in the audit log.
    return Fact(EventType.RESOLVED, {"how": _HOW[how], "resolution": kind, "checked": how})


def _to_processing(case: Case, charge: Attempt) -> list[Fact]:
    """The facts that bring the payment to PROCESSING, because only from there may a charge succeed."""
    accepted = Fact(EventType.AUTHENTICATED, {"gateway": charge.gateway})
    moving = Fact(EventType.PROCESSING, {"gateway": charge.gateway, "attempt": charge.number})
    match case.payment.state:
        case State.REQUIRES_ACTION:
            return [accepted, moving]
        case State.PROCESSING:
            return []
        case _:
            return [moving]
