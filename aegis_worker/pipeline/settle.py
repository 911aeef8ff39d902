"""What an answer means for the attempt, the payment and the job. Pure; one function for each kind of answer (design D4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aegis_worker.domain.declines import describe_error, may_fail_over
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
)
from aegis_worker.domain.payment import Fact, acted, approved, failed, in_doubt, resolved
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.persistence.mapping import Attempt
from aegis_worker.persistence.record import AnswerAttempt, JobChange
from aegis_worker.resilience.backoff import verify_delay_s

from .absence import Missing, after_not_found
from .plan import next_hop, next_step, review
from .work import Answer, Policy, Rest, SendAgain, Settled, Step, Work, request_for


def settle(work: Work, answer: Answer, policy: Policy) -> Settled:
    """Decide what the answer to the latest attempt means. Brings `work` to where the database will be."""
    if work.job.operation == "sync":
        return _settle_sync(work, answer, policy)
    return _SETTLE[type(answer.outcome)](work, answer.outcome, answer, policy)


def _end_attempt(
    work: Work, answer: Answer, status: str, outcome: dict[str, Any], gateway_ref: str | None = None
) -> AnswerAttempt:
    latest = work.attempts[-1]
    asked, missing = answer.looked_up, isinstance(answer.outcome, NotFound)
    work.amend(
        status=status,
        outcome=outcome,
        gateway_ref=gateway_ref or latest.gateway_ref,
        checks=latest.checks + asked,
        not_found_count=latest.not_found_count + missing,
    )
    return AnswerAttempt(
        operation=latest.operation,
        number=latest.number,
        status=status,
        gateway_ref=gateway_ref,
        outcome=outcome,
        latency_ms=None if asked else answer.latency_ms,
        asked=asked,
        not_found=missing,
    )


def _approved(work: Work, outcome: Approved, answer: Answer, policy: Policy) -> Settled:
    latest = work.attempts[-1]
    ended = _end_attempt(work, answer, "APPROVED", {"captured": outcome.captured}, outcome.gateway_ref)
    facts = resolved(work.payment, _how(answer)) + approved(
        work.payment, latest.operation, latest.gateway, outcome
    )
    if latest.operation is Operation.PROCESS:
        return Settled(ended, facts, Rest(JobChange("succeeded")))
    return Settled(ended, facts, next_step(work, policy))


def _declined(work: Work, outcome: Declined, answer: Answer, policy: Policy) -> Settled:
    gateway = work.attempts[-1].gateway
    error = describe_error(
        outcome.code, gateway=gateway, gateway_code=outcome.gateway_code, message=outcome.message
    )
    ended = _end_attempt(work, answer, "DECLINED", dict(error), outcome.gateway_ref)
    facts = resolved(work.payment, _how(answer))
    if not may_fail_over(outcome.code):
        return Settled(ended, facts + failed(error), Rest(JobChange("failed", reason=outcome.code)))
    return _move_on(work, ended, facts, error, policy, wait_at_least_s=0.0)


def _not_sent(work: Work, outcome: NotSent, answer: Answer, policy: Policy) -> Settled:
    gateway = work.attempts[-1].gateway
    error = describe_error("gateway_unavailable", gateway=gateway, gateway_code=None, message=outcome.reason)
    ended = _end_attempt(work, answer, "NOT_SENT", {"reason": outcome.reason})
    facts = resolved(work.payment, _how(answer))
    return _move_on(work, ended, facts, error, policy, wait_at_least_s=outcome.retry_after_s or 0.0)


def _move_on(
    work: Work,
    ended: AnswerAttempt,
    facts: list[Fact],
    error: dict[str, str | None],
    policy: Policy,
    *,
    wait_at_least_s: float,
) -> Settled:
    """To the next gateway at once, to one that was never reached after a pause, or to the payment's end."""
    # Once the payer was sent somewhere, the payment stays with that gateway.
    hop = None if work.payment.state is State.REQUIRES_ACTION else next_hop(work, policy)
    if hop is None:
        return Settled(ended, facts + failed(error), Rest(JobChange("failed", reason=error["code"])))
    # Retry-After binds the gateway that said it, not the next one; beyond the cap we would rather try than wait.
    is_same_gateway = hop.gateway == work.attempts[-1].gateway
    delay_s = max(hop.delay_s, min(wait_at_least_s, 10 * policy.retry_cap_s) if is_same_gateway else 0.0)
    retry = Fact(
        EventType.RETRY_ATTEMPTED,
        {"from": work.attempts[-1].gateway, "to": hop.gateway, "reason": error["code"], "delay_s": delay_s},
    )
    if delay_s > 0:
        rest: Step = Rest(JobChange("waiting", "payments", run_in_s=delay_s, reason=error["code"]))
    else:
        rest = next_step(work, policy)
    return Settled(ended, [*facts, retry], rest)


def _action_required(work: Work, outcome: ActionRequired, answer: Answer, policy: Policy) -> Settled:
    ended = _end_attempt(
        work, answer, "ACTION_REQUIRED", {"redirect_url": outcome.redirect_url}, outcome.gateway_ref
    )
    facts = resolved(work.payment, _how(answer))
    if work.payment.state is not State.REQUIRES_ACTION:
        action = {"type": "redirect", "url": outcome.redirect_url}
        gateway = work.attempts[-1].gateway
        data = {"gateway": gateway, "gateway_ref": outcome.gateway_ref, "next_action": action}
        facts.append(Fact(EventType.ACTION_REQUIRED, data))
    return _ask_later(work, ended, facts, "the payer has to act", policy)


def _pending(work: Work, outcome: Pending, answer: Answer, policy: Policy) -> Settled:
    latest = work.attempts[-1]
    ended = _end_attempt(work, answer, "PENDING", {"reason": outcome.reason}, outcome.gateway_ref)
    facts = resolved(work.payment, _how(answer)) + acted(work.payment, latest.operation, latest.gateway)
    return _ask_later(work, ended, facts, outcome.reason, policy)


def _unknown(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
    latest = work.attempts[-1]
    # A look-up without an answer leaves a pending attempt pending: it says nothing new about the charge.
    status = (
        latest.status if answer.looked_up and latest.status in ("PENDING", "ACTION_REQUIRED") else "UNKNOWN"
    )
    ended = _end_attempt(work, answer, status, _doubt(latest, outcome.reason, stored=outcome.stored))
    facts = in_doubt(work.payment, latest.gateway, outcome.reason) if status == "UNKNOWN" else []
    return _ask_later(work, ended, facts, outcome.reason, policy)


def _not_found(work: Work, outcome: NotFound, answer: Answer, policy: Policy) -> Settled:
    latest = work.attempts[-1]
    follows = after_not_found(work, latest)
    if follows is Missing.SEND_AGAIN:
        return _send_again(work, answer)
    look_ups = f"{latest.not_found_count + 1} look-ups over the absence window found nothing"
    if follows is Missing.ABSENT:
        return _not_sent(work, NotSent(f"absent: {look_ups}"), answer, policy)
    ended = _end_attempt(work, answer, "UNKNOWN", _doubt(latest, "not found yet"))
    facts = in_doubt(work.payment, latest.gateway, "not found yet")
    if follows is Missing.ASK_AGAIN:
        return _ask_later(work, ended, facts, "not found yet", policy)
    rest = review(
        work,
        f"{look_ups} under {latest.gateway_key} at {latest.gateway}, which has no idempotency keys:"
        " the call may still arrive, so the charge is tried nowhere else",
    )
    return Settled(ended, facts + rest.facts, Rest(rest.job))


def _send_again(work: Work, answer: Answer) -> Settled:
    """The same call under the same key. What look-ups found before it proves nothing about it."""
    latest = work.attempts[-1]
    ended = _end_attempt(work, answer, "SENT", {"reason": "not found; sent again with the same key"})
    work.amend(sends=latest.sends + 1, not_found_count=0, not_found_age_s=None)
    again = SendAgain(request_for(work, latest.operation, latest.number))
    return Settled(replace(ended, sent_again=True), [], again)


def _doubt(latest: Attempt, reason: str, *, stored: bool = False) -> dict[str, Any]:
    """What stands on an attempt in doubt. That its own answer was an error which a repeat may only repeat is kept."""
    kept = stored or (latest.outcome or {}).get("stored", False)
    return {"reason": reason, "stored": True} if kept else {"reason": reason}


def _ask_later(work: Work, ended: AnswerAttempt, facts: list[Fact], reason: str, policy: Policy) -> Settled:
    checks = work.attempts[-1].checks
    delay_s = verify_delay_s(checks, policy.verify_ladder_s)
    if delay_s is None:
        rest = review(work, f"{checks} look-ups did not settle it: {reason}")
        return Settled(ended, facts + rest.facts, Rest(rest.job))
    return Settled(ended, facts, Rest(JobChange("waiting", "verify", run_in_s=delay_s, reason=reason)))


def _how(answer: Answer) -> str:
    return "the gateway was asked" if answer.looked_up else "the call was repeated with the same key"


_SETTLE: dict[type, Callable[[Work, Any, Answer, Policy], Settled]] = {
    Approved: _approved,
    Declined: _declined,
    ActionRequired: _action_required,
    Pending: _pending,
    NotSent: _not_sent,
    Unknown: _unknown,
    NotFound: _not_found,
}

# What a gateway may say about the last charge of a payment that has ended, for us to agree with it.
_AGREES: dict[State, tuple[type, ...]] = {
    State.SUCCESS: (Approved,),
    State.AUTHORIZED: (Approved,),
    State.FAILURE: (Declined, NotFound),
    State.CANCELLED: (Declined, NotFound),
}


def _settle_sync(work: Work, answer: Answer, policy: Policy) -> Settled:
    latest = work.attempts[-1]
    ended = _end_attempt(work, answer, latest.status, dict(latest.outcome or {}))
    says = type(answer.outcome).__name__
    if isinstance(answer.outcome, Unknown):
        return _ask_later(work, ended, [], answer.outcome.reason, policy)
    if isinstance(answer.outcome, _AGREES.get(work.payment.state, ())):
        return Settled(ended, [], Rest(JobChange("succeeded", result={"agrees": True, "gateway_says": says})))
    reason = f"{latest.gateway} says {says}, the payment is {work.payment.state}"
    rest = review(work, reason)
    job = JobChange("review", reason=reason, result={"agrees": False, "gateway_says": says})
    return Settled(ended, rest.facts, Rest(job))
