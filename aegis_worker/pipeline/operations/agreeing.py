"""What the gateways' answers about all charges of a payment that has ended mean together: they agree with it, a charge too
many is given back, they are asked again, or a person looks. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.changes import AnswerAttempt, FollowUp, JobChange
from aegis_worker.domain.charges import (
    other_sums,
    own_charge,
    standing_charges,
)
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.twins import twins_of
from aegis_worker.resilience.backoff import rung_at_s

from ..work import LatePolicy, Policy, Rest, Settled, Work
from .answers import ask_later
from .news import may_be_late_s, news
from .steps import review, unreachable_because
from .unasked import left_unasked


def judged(work: Work, ended: AnswerAttempt, facts: list[Fact], asked_at_s: float, policy: Policy) -> Settled:
    """What all answers mean together. What is new of the payment's own charge is told first, and then compared."""
    silent = {position: outcome for position, outcome in work.said.items() if tells_nothing(outcome)}
    work = replace(
        work, said={position: said for position, said in work.said.items() if position not in silent}
    )
    if not work.said:
        return _unasked(work, ended, facts, _why(silent))
    own = own_charge(work.payment, work.attempts)
    own = own if own in work.said else None
    found = news(work, own)
    payment, _ = work.payment.record([*facts, *found.facts])
    facts = [*facts, *found.facts]
    last = work.said[max(work.said) if own is None else own]
    said = "GivenBack" if isinstance(last, Approved) and last.given_back else type(last).__name__
    if found.problem is not None:
        settled = to_a_person(work, ended, facts, found.problem, said)
    else:
        settled = _compared(work, payment, ended, facts, said, own, _why(silent), asked_at_s, policy)
    return replace(settled, entities=found.changes)


def _compared(
    work: Work,
    payment: Payment,
    ended: AnswerAttempt,
    facts: list[Fact],
    said: str,
    own: int | None,
    silent_because: str | None,
    asked_at_s: float,
    policy: Policy,
) -> Settled:
    for position, outcome in work.said.items():
        differing = _differing(payment, outcome, is_its_own=position == own)
        if differing is not None and position == own and (late_s := may_be_late_s(work, asked_at_s)) > 0:
            return asked_again(
                work, ended, facts, late_s, "its gateway may not show all of it yet", said, policy
            )
        if differing is not None:
            reason = f"{work.attempts[position].gateway} shows {differing[1]}, expected was {differing[0]}"
            return to_a_person(work, ended, facts, reason, said, differing)
    others = {position: outcome for position, outcome in work.said.items() if position != own}
    for position, outcome in others.items():
        if isinstance(outcome, Approved) and stands(outcome):
            return _reverse(work, ended, facts, position, outcome, policy)
    is_pending = any(isinstance(outcome, Pending | ActionRequired) for outcome in others.values())
    if is_pending or any(twin.pending for outcome in work.said.values() for twin in twins_of(outcome)):
        return ask_later(work, ended, facts, "a charge is still pending at its gateway", policy)
    unasked = [position for position in standing_charges(work.attempts) if position not in work.said]
    if unasked:
        # Those that were asked about agree. Nobody knows about this one.
        because = unreachable_because(work, work.attempts[unasked[-1]]) or silent_because
        return _unasked(work, ended, facts, because)
    job = JobChange(
        "succeeded", result={"agrees": payment.version == work.payment.version, "gateway_says": said}
    )
    return Settled(work, ended, facts, Rest(job))


def _differing(payment: Payment, outcome: Outcome | Lookup, *, is_its_own: bool) -> tuple[str, str] | None:
    """What we say of a charge, and what its gateway shows instead; None where a person need not look.

    `payment`: as it is after what is new was told.
    """
    if isinstance(outcome, Unknown):
        return f"{payment.amount.minor} {payment.amount.currency}", outcome.shows
    if not is_its_own:
        return None
    if isinstance(outcome, Approved):
        return other_sums(payment, outcome)
    if isinstance(outcome, Declined) and outcome.released and not payment.captured_minor:
        return None  # it is cancelled, or its void is under way
    is_given_back = payment.refunded_minor > 0
    return None if is_given_back else (f"a charge, for it is {payment.state}", type(outcome).__name__)


def _unasked(work: Work, ended: AnswerAttempt, facts: list[Fact], why: str | None) -> Settled:
    rest = left_unasked(work, why)
    return Settled(work, ended, [*facts, *rest.facts], Rest(rest.job))


def _why(silent: Mapping[int, Outcome | Lookup]) -> str | None:
    """Why the first of those can't be asked."""
    return next((outcome.reason for outcome in silent.values() if isinstance(outcome, Unknown)), None)


def asked_again(
    work: Work,
    ended: AnswerAttempt,
    facts: list[Fact],
    may_show_within_s: float,
    why: str,
    said: str,
    policy: Policy,
) -> Settled:
    """Wait, ever longer, for what the gateway may not show yet. Where it never does, a person looks at the ladder's end."""
    asks_since_s = work.now_s - work.job.made_at_s
    if asks_since_s >= sum(policy.verify_ladder_s):
        return to_a_person(work, ended, facts, f"{why}, and did not by the end of the ladder", said)
    wait_s = min(may_show_within_s, rung_at_s(asks_since_s, policy.verify_ladder_s))
    return Settled(work, ended, facts, Rest(JobChange("waiting", "verify", run_in_s=wait_s, reason=why)))


def to_a_person(
    work: Work,
    ended: AnswerAttempt,
    facts: list[Fact],
    reason: str,
    said: str,
    differing: tuple[str, str] | None = None,
) -> Settled:
    """A person looks, and is told what differs."""
    result: dict[str, Any] = {"agrees": False, "gateway_says": said}
    if differing is not None:
        result |= {"expected": differing[0], "found": differing[1]}
    job = JobChange("review", reason=reason, result=result)
    return Settled(work, ended, facts + review(work, reason).facts, Rest(job))


def _reverse(
    work: Work, ended: AnswerAttempt, facts: list[Fact], position: int, charge: Approved, policy: Policy
) -> Settled:
    attempt = work.attempts[position]
    operation = _reversal(policy.late_charge, charge)
    where = f"{attempt.gateway} holds a charge too many, its reference {charge.gateway_ref}"
    if operation is None:
        reason = f"{where}; the policy {policy.late_charge!r} leaves it to a person"
        return to_a_person(work, ended, facts, reason, "Approved")
    if any((other.operation, other.number) == (operation, attempt.number) for other in work.attempts):
        return to_a_person(
            work, ended, facts, f"{where}; the {operation.value} of it was refused", "Approved"
        )
    reverse = {"gateway": attempt.gateway, "gateway_ref": charge.gateway_ref, "number": attempt.number}
    job = JobChange(
        "succeeded",
        reason=where,
        result={"agrees": False, "gateway_says": "Approved"},
        follow_up=FollowUp(operation.value, "payments", {"reverse": reverse}),
    )
    return Settled(work, ended, facts, Rest(job))


def _reversal(policy: LatePolicy, charge: Approved) -> Operation | None:
    if policy == "hold":
        return None
    if not charge.captured:
        return Operation.VOID
    return Operation.REFUND if policy == "refund" else None


def stands(outcome: Outcome | Lookup) -> bool:
    """Whether its gateway holds the charge."""
    return isinstance(outcome, Approved) and not outcome.given_back


def tells_nothing(outcome: Outcome | Lookup) -> bool:
    """Whether its gateway can't be asked about the charge at all."""
    return isinstance(outcome, Unknown) and outcome.kind is UnknownKind.NO_LOOK_UP
