"""What every kind of answer leaves on its attempt, and the two ways on while it is in doubt. Pure."""

from __future__ import annotations

import math

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import AnswerAttempt, FollowUp, JobChange
from aegis_worker.domain.outcomes import NotFound, charges
from aegis_worker.domain.payment import Fact
from aegis_worker.resilience.backoff import verify_delay_s

from ..work import Answer, Policy, Rest, SendAgain, Settled, Work
from .absence import repeat_until_s
from .requests import request_for
from .steps import review

LOOK_AGAIN = FollowUp("sync", "verify")
"""The payment is asked about once more, because there may be a charge too many."""


def end_attempt(
    work: Work,
    answer: Answer,
    status: AttemptStatus,
    outcome: StoredOutcome,
    gateway_ref: str | None = None,
    *,
    recheck_in_s: float | None = None,
    counts: bool = True,
) -> tuple[Work, AnswerAttempt]:
    """How the attempt stands after the answer, here and in the database.

    `counts`: whether a look-up takes a rung of the ladder. What was once the payer's to do stays on record, and so
    do what hooks asked for and what was injected.
    """
    subject = work.subject
    asked, missing = answer.looked_up and counts, isinstance(answer.outcome, NotFound)
    if subject.outcome.action is not None and outcome.action is None:
        outcome = replace(outcome, action=subject.outcome.action)
    if answer.injected is not None or subject.outcome.injected is not None or subject.outcome.wishes:
        outcome = outcome.marked(subject.outcome, answer.injected)
    after = replace(
        subject,
        status=status,
        outcome=outcome,
        gateway_ref=gateway_ref or subject.gateway_ref,
        checks=subject.checks + asked,
        not_found_count=subject.not_found_count + missing,
        answered_at_s=work.now_s,
    )
    return work.amended(after), AnswerAttempt(
        operation=subject.operation,
        number=subject.number,
        gateway=subject.gateway,
        status=status,
        gateway_ref=gateway_ref,
        outcome=outcome,
        latency_ms=None if answer.looked_up else answer.latency_ms,
        asked=asked,
        not_found=missing,
        recheck_in_s=recheck_in_s,
    )


def recheck_in_s(work: Work, policy: Policy) -> float | None:
    """When the gateway is asked again about a charge that was given up; None for a call that charges nothing."""
    return policy.recheck_after_s if charges(work.subject.operation) else None


def doubt(work: Work, reason: str, *, stored: bool = False) -> StoredOutcome:
    """What stands on an attempt in doubt. That its own answer was an error which a repeat may only repeat is kept."""
    kept = stored or work.subject.outcome.stored
    return StoredOutcome(reason=reason, stored=True if kept else None)


def send_again(
    work: Work, answer: Answer, policy: Policy, doubts: list[Fact], *, reason: str = "not found"
) -> Settled:
    """The same call under the same key. What look-ups found before it proves nothing about it.

    `doubts`: what is told where it can't go out now. `reason`: why it is repeated.
    """
    subject, why = work.subject, reason
    reason = f"{why}, and not sent again yet"
    never_left = subject.status == AttemptStatus.NOT_SENT
    status = AttemptStatus.NOT_SENT if never_left else AttemptStatus.UNKNOWN
    not_now = ask_later(*end_attempt(work, answer, status, doubt(work, reason)), doubts, reason, policy)
    said = StoredOutcome(reason=f"{why}; sent again with the same key")
    sent, ended = end_attempt(work, answer, AttemptStatus.SENT, said)
    sent = sent.amended(
        replace(sent.subject, sends=subject.sends + 1, not_found_count=0, first_not_found_at_s=None)
    )
    # What never left has no key yet that its gateway could forget.
    until_s = math.inf if never_left else repeat_until_s(work, subject)
    again = SendAgain(request_for(work, subject.operation, subject.number, subject.gateway), until_s)
    return Settled(sent, replace(ended, sent_again=True), [], again, otherwise=not_now)


def ask_later(
    work: Work,
    ended: AnswerAttempt,
    facts: list[Fact],
    reason: str,
    policy: Policy,
    *,
    wait_at_least_s: float = 0.0,
) -> Settled:
    """On to the next step of the ladder, and after the last one to a person."""
    checks = work.subject.checks
    delay_s = verify_delay_s(checks, policy.verify_ladder_s)
    if delay_s is None:
        rest = review(
            work, f"{checks} {'look-up' if checks == 1 else 'look-ups'} did not settle it: {reason}"
        )
        return Settled(work, ended, facts + rest.facts, Rest(rest.job))
    waiting = JobChange("waiting", "verify", run_in_s=max(delay_s, wait_at_least_s), reason=reason)
    return Settled(work, ended, facts, Rest(waiting))
