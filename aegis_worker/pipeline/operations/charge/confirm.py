"""Handing to the gateway what the payer brought back: an attempt of its own, whose answer is the answer to the step that
waits for the payer. Pure.

The confirm itself has ended once the gateway has answered it. What the answer says of the money, or of the next thing that
the payer has to do, is settled on the step, as if the gateway had been asked about it. So a charge has one attempt that
stands for it, however often its payer was sent away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payment import in_doubt, resolved
from aegis_worker.pipeline.work import Answer, Policy, Settled, Step, Work

from ..absence import Missing, after_not_found, may_repeat_unasked
from ..answers import ask_later, doubt, end_attempt, send_again
from ..requests import new_call
from ..steps import ask, review
from .door import new_end_s, wait_for_payer
from .facts import action_required, described

# The gateway could make nothing of what was brought back, or of us: it still waits for the payer.
_CHANGES_NOTHING = frozenset({"gateway_misconfigured", "invalid_request"})
SettleStep = Callable[[Work, Answer, Policy], Settled]


def confirm_step(work: Work, latest: Attempt) -> Step | None:
    """Send the confirm that waits, or ask about the one that was sent; None where there is none."""
    if latest.operation is Operation.CONFIRM:
        return ask(work)
    confirm = work.job.confirm
    if (
        confirm is None
        or work.payment.is_called_off
        or latest.status is not AttemptStatus.ACTION_REQUIRED
        or not work.route.capabilities[latest.gateway].confirms
        or any((one.operation, one.number) == (Operation.CONFIRM, confirm.number) for one in work.attempts)
    ):
        return None
    if confirm.data is None:
        return review(work, f"what the payer brought back can't be handed on: {confirm.unreadable}")
    because = f"the payer came back from the {latest.operation}"
    return new_call(
        work,
        Operation.CONFIRM,
        confirm.number,
        latest.gateway,
        account=latest.account,
        decision={"because": because},
    )


def settle_confirm(work: Work, answer: Answer, policy: Policy, settle_step: SettleStep) -> Settled:
    """What the answer to a confirm, or to a question about it, means; `settle_step` settles the step that waits for it."""
    outcome = answer.outcome
    if isinstance(outcome, Declined) and outcome.code in _CHANGES_NOTHING:
        return _refused(work, outcome, answer, policy)
    if isinstance(outcome, Approved | Declined | Pending | ActionRequired):
        return _answered(work, answer, policy, settle_step)
    return _OPEN[type(outcome)](work, outcome, answer, policy)


def _answered(work: Work, answer: Answer, policy: Policy, settle_step: SettleStep) -> Settled:
    outcome = answer.outcome
    status, said = AttemptStatus.APPROVED, StoredOutcome()
    if isinstance(outcome, Declined):
        status, said = AttemptStatus.DECLINED, described(work, outcome)
    elif isinstance(outcome, ActionRequired):
        said = StoredOutcome(action=outcome.action.type)
    work, ended = end_attempt(work, answer, status, said)
    work = _on_the_step(work)
    heard = replace(answer, looked_up=True)
    if isinstance(outcome, ActionRequired):
        settled = _another_action(work, outcome, heard, policy)
    else:
        settled = settle_step(work, heard, policy)
    return replace(settled, beside=ended)


def _another_action(work: Work, outcome: ActionRequired, heard: Answer, policy: Policy) -> Settled:
    """The payer has to act once more: what is to be done now takes the place of what was."""
    said = StoredOutcome(action=outcome.action.type)
    work, ended = end_attempt(
        work, heard, AttemptStatus.ACTION_REQUIRED, said, outcome.gateway_ref, counts=False
    )
    until_s = new_end_s(work, outcome, policy)
    facts = [
        *resolved(work.payment, "the gateway has answered"),
        action_required(work.subject.gateway, outcome, until_s),
    ]
    return replace(wait_for_payer(work, ended, facts, until_s, policy), action=outcome.action)


def _refused(work: Work, outcome: Declined, answer: Answer, policy: Policy) -> Settled:
    """The gateway looked into nothing. On a repeat that says nothing about the first send."""
    if not answer.looked_up and work.subject.sends > 1:
        return _unknown(work, Unknown(f"the repeat was refused: {outcome.gateway_code}"), answer, policy)
    facts = resolved(work.payment, "the gateway refused what the payer brought back")
    work, ended = end_attempt(work, answer, AttemptStatus.DECLINED, described(work, outcome))
    reason = f"the gateway refused what the payer brought back: {outcome.gateway_code}"
    return ask_later(_on_the_step(work), ended, facts, reason, policy)


def _not_sent(work: Work, outcome: NotSent, answer: Answer, policy: Policy) -> Settled:
    if work.subject.sends > 1:
        return _unknown(work, Unknown(f"the repeat was not sent: {outcome.reason}"), answer, policy)
    said = StoredOutcome(reason=outcome.reason, kind=outcome.kind)
    work, ended = end_attempt(work, answer, AttemptStatus.NOT_SENT, said)
    wait_s = outcome.retry_after_s or 0.0
    return ask_later(work, ended, [], outcome.reason, policy, wait_at_least_s=wait_s)


def _unknown(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
    if outcome.kind is UnknownKind.NO_LOOK_UP and _has_data(work) and may_repeat_unasked(work, work.subject):
        doubts = in_doubt(work.payment, work.subject.gateway, outcome.reason)
        return send_again(work, answer, policy, doubts, reason=outcome.reason)
    # A look-up without an answer says nothing new about the call.
    status = work.subject.status if answer.looked_up else AttemptStatus.UNKNOWN
    work, ended = end_attempt(work, answer, status, doubt(work, outcome.reason, stored=outcome.stored))
    never_left = status is AttemptStatus.NOT_SENT
    facts = [] if never_left else in_doubt(work.payment, work.subject.gateway, outcome.reason)
    return ask_later(work, ended, facts, outcome.reason, policy)


def _has_data(work: Work) -> bool:
    """Whether what the payer brought back is still there to be sent again."""
    confirm = work.job.confirm
    return confirm is not None and confirm.number == work.subject.number and confirm.data is not None


def _not_found(work: Work, outcome: NotFound, answer: Answer, policy: Policy) -> Settled:
    subject = work.subject
    never_left = subject.status is AttemptStatus.NOT_SENT
    doubts = [] if never_left else in_doubt(work.payment, subject.gateway, "not found yet")
    follows = after_not_found(work, subject, answer.asked_at_s)
    if follows is Missing.SEND_AGAIN and _has_data(work):
        return send_again(work, answer, policy, doubts)
    work, ended = end_attempt(work, answer, subject.status, doubt(work, "not found yet"))
    if follows in (Missing.ASK_AGAIN, Missing.SEND_AGAIN):
        return ask_later(work, ended, doubts, "not found yet", policy)
    rest = review(
        work,
        f"{subject.gateway} does not know of the confirm of this payment, and it can't be repeated safely",
    )
    return Settled(work, ended, doubts + rest.facts, replace(rest, facts=[]))


_OPEN: dict[type, Callable[[Work, Any, Answer, Policy], Settled]] = {
    NotSent: _not_sent,
    Unknown: _unknown,
    NotFound: _not_found,
}


def _on_the_step(work: Work) -> Work:
    """The work with the confirm out of the way: the step that waits for the payer decides what is next."""
    *others, confirm = work.attempts
    return replace(work, attempts=(confirm, *others), position=-1)
