"""Ask about every charge of a payment that has ended: does what the gateways say agree with it? Pure.

Each charge that may have reached a gateway is asked about, one after the other. A charge that turns up after all, of a
payment that failed or that another attempt paid, is a duplicate: it is told, and the policy decides what becomes of it.
"""

from __future__ import annotations

from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    Operation,
    Outcome,
    Pending,
    Unknown,
)
from aegis_worker.domain.payment import Fact, duplicate_detected, duplicate_reversed
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.mapping import Attempt
from aegis_worker.persistence.record import AnswerAttempt, FollowUp, JobChange

from .answers import ask_later, end_attempt
from .steps import ask, review
from .work import Answer, LatePolicy, Policy, Rest, Settled, Step, Work

_REVERSALS = (Operation.VOID, Operation.REFUND)


def is_sync(work: Work) -> bool:
    """Whether the job asks about what has ended; before that, asking goes the way of the payment itself."""
    return work.job.operation == "sync" and (
        work.payment.is_terminal or work.payment.state is State.AUTHORIZED
    )


def sync_step(work: Work) -> Step:
    """The look-up that comes first, or the end where there is nothing to ask."""
    charges = _charges(work)
    if not charges:
        was_sent = any(attempt.may_have_charged for attempt in work.attempts)
        nothing = "every charge was given back" if was_sent else "nothing was ever sent"
        return Rest(JobChange("succeeded", result={"agrees": True, "gateway_says": nothing}))
    to_ask = _still_to_ask(work)
    if not to_ask:
        gateway = work.attempts[charges[-1]].gateway
        return Rest(JobChange("failed", reason=f"gateway {gateway} is no longer configured"))
    return ask(work, to_ask[0])


def settle_sync(work: Work, answer: Answer, policy: Policy) -> Settled:
    """What the answer about one charge means; after the last one, what all of them mean together."""
    subject, outcome = work.subject, answer.outcome
    if isinstance(outcome, Unknown):
        ended = end_attempt(work, answer, subject.status, dict(subject.outcome or {}))
        return ask_later(work, ended, [], outcome.reason, policy)
    work.said[work.position] = outcome
    ended, facts = _noted(work, answer, policy)
    following = _still_to_ask(work)
    if following:
        return Settled(ended, facts, ask(work, following[0]))
    return _judged(work, ended, facts, policy)


def _noted(work: Work, answer: Answer, policy: Policy) -> tuple[AnswerAttempt, list[Fact]]:
    """The attempt after its answer: a charge too many is told once, and once that it is gone."""
    subject, outcome = work.subject, answer.outcome
    told_before = (subject.outcome or {}).get("duplicate", False)
    as_it_was = dict(subject.outcome or {})
    if _is_own(work, subject) or not isinstance(outcome, Approved | Declined):
        return end_attempt(work, answer, subject.status, as_it_was), []
    about = (work.payment, subject.number, subject.gateway)
    if _stands(outcome) and isinstance(outcome, Approved) and not told_before:
        found = {"captured": outcome.captured, "duplicate": True, "before": subject.status}
        ended = end_attempt(work, answer, "APPROVED", found, outcome.gateway_ref)
        return ended, [duplicate_detected(*about, outcome.gateway_ref, policy.late_charge)]
    if not _stands(outcome) and told_before:
        # Nobody's reversal here: a person gave it back at the gateway, as `hold` has it.
        gone = as_it_was | {"captured": False, "given_back": True}
        ended = end_attempt(work, answer, "APPROVED", gone)
        return ended, [duplicate_reversed(*about, subject.gateway_ref or "", "given back at the gateway")]
    return end_attempt(work, answer, subject.status, as_it_was), []


def _stands(outcome: Outcome | Lookup) -> bool:
    return isinstance(outcome, Approved) and not outcome.given_back


def _judged(work: Work, ended: AnswerAttempt, facts: list[Fact], policy: Policy) -> Settled:
    own = next((position for position in work.said if _is_own(work, work.attempts[position])), None)
    last = work.said[max(work.said) if own is None else own]
    said = "GivenBack" if isinstance(last, Approved) and last.given_back else type(last).__name__
    if own is not None and not _stands(last) and not work.payment.refunded_minor:
        reason = f"{work.attempts[own].gateway} says {said}, the payment is {work.payment.state}"
        return _to_a_person(work, ended, facts, reason, said)
    others = {position: outcome for position, outcome in work.said.items() if position != own}
    for position, outcome in others.items():
        if isinstance(outcome, Approved) and _stands(outcome):
            return _reverse(work, ended, facts, position, outcome, policy)
    for outcome in others.values():
        if isinstance(outcome, Pending | ActionRequired):
            return ask_later(work, ended, facts, "a charge is still pending at its gateway", policy)
    job = JobChange("succeeded", result={"agrees": True, "gateway_says": said})
    return Settled(ended, facts, Rest(job))


def _reverse(
    work: Work, ended: AnswerAttempt, facts: list[Fact], position: int, charge: Approved, policy: Policy
) -> Settled:
    attempt = work.attempts[position]
    operation = _reversal(policy.late_charge, charge)
    where = f"{attempt.gateway} holds a charge too many, its reference {charge.gateway_ref}"
    if operation is None:
        reason = f"{where}; the policy {policy.late_charge!r} leaves it to a person"
        return _to_a_person(work, ended, facts, reason, "Approved")
    if any((other.operation, other.number) == (operation, attempt.number) for other in work.attempts):
        return _to_a_person(
            work, ended, facts, f"{where}; the {operation.value} of it was refused", "Approved"
        )
    reverse = {"gateway": attempt.gateway, "gateway_ref": charge.gateway_ref, "number": attempt.number}
    job = JobChange(
        "succeeded",
        reason=where,
        result={"agrees": False, "gateway_says": "Approved"},
        follow_up=FollowUp(operation.value, "payments", {"reverse": reverse}),
    )
    return Settled(ended, facts, Rest(job))


def _reversal(policy: LatePolicy, charge: Approved) -> Operation | None:
    if policy == "hold":
        return None
    if not charge.captured:
        return Operation.VOID
    return Operation.REFUND if policy == "refund" else None


def _to_a_person(work: Work, ended: AnswerAttempt, facts: list[Fact], reason: str, said: str) -> Settled:
    job = JobChange("review", reason=reason, result={"agrees": False, "gateway_says": said})
    return Settled(ended, facts + review(work, reason).facts, Rest(job))


def _charges(work: Work) -> list[int]:
    """Positions of the charges that may stand at a gateway: sent, and not known to be given back."""
    reversed_numbers = {
        attempt.number
        for attempt in work.attempts
        if attempt.operation in _REVERSALS and attempt.status == "APPROVED"
    }
    return [
        position
        for position, attempt in enumerate(work.attempts)
        if attempt.may_have_charged
        and attempt.number not in reversed_numbers
        and not (attempt.outcome or {}).get("given_back")
    ]


def _still_to_ask(work: Work) -> list[int]:
    return [
        position
        for position in _charges(work)
        if position not in work.said and work.attempts[position].gateway in work.route.capabilities
    ]


def _is_own(work: Work, attempt: Attempt) -> bool:
    """Whether the payment stands on this charge."""
    return (
        work.payment.state in (State.SUCCESS, State.AUTHORIZED)
        and (attempt.gateway, attempt.gateway_ref) == (work.payment.gateway, work.payment.gateway_ref)
        and not (attempt.outcome or {}).get("duplicate")
    )
