"""What an answer means for the attempt, the payment and the job. Pure; one function for each kind of answer (design D4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import AnswerAttempt, JobChange
from aegis_worker.domain.charges import not_to_be_adopted
from aegis_worker.domain.declines import OF_THE_VAULT, describe_error
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Pending,
    Unknown,
    UnknownKind,
    charges,
)
from aegis_worker.domain.payment import Fact, in_doubt, resolved
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.kit.identity import other_money
from aegis_worker.pipeline.work import Answer, Policy, Rest, Settled, Work
from aegis_worker.resilience.backoff import rung_at_s, verify_delay_s

from ..absence import (
    EVENT_COMES_WITHIN_S,
    Missing,
    after_not_found,
    may_repeat_unasked,
    pays_once_without_key,
)
from ..answers import LOOK_AGAIN, ask_later, doubt, end_attempt, recheck_in_s, send_again
from ..steps import review
from ..twins import looked_for_in_s, may_be_second_because
from .close import abandon
from .confirm import confirm_step
from .door import close_of, is_over, new_end_s, open_door, payer_has_until_s, wait_for_payer
from .facts import acted, action_required, approved
from .plan import another_try, first_step

# Refusals of the request itself, made without a look at what the key stands for; or by the card vault, which sent nothing.
_REFUSED_AT_THE_DOOR = frozenset({"gateway_misconfigured", "invalid_request"}) | OF_THE_VAULT


def settle(work: Work, answer: Answer, policy: Policy) -> Settled:
    """What the answer to a step of the charge means."""
    return _SETTLE[type(answer.outcome)](work, answer.outcome, answer, policy)


def _approved(work: Work, outcome: Approved, answer: Answer, policy: Policy) -> Settled:
    latest = work.subject
    other = not_to_be_adopted(work.payment.amount, outcome)
    if charges(latest.operation) and other is not None:
        return _unknown(work, other_money(other, work.payment.amount), answer, policy)
    said = StoredOutcome(captured=outcome.captured, network_transaction_id=outcome.network_transaction_id)
    again_in_s, follow_up = None, None
    if latest.sends > 1 and charges(latest.operation):
        again_in_s, twin = looked_for_in_s(work, outcome, policy), may_be_second_because(work, answer)
        said, follow_up = replace(said, twin=twin), LOOK_AGAIN if twin is not None else None
    work, ended = end_attempt(
        work, answer, AttemptStatus.APPROVED, said, outcome.gateway_ref, recheck_in_s=again_in_s
    )
    facts = resolved(work.payment, _how(answer)) + approved(
        work.payment, latest.operation, latest.gateway, _with_end_of_hold(work, outcome)
    )
    if charges(latest.operation):
        return Settled(work, ended, facts, Rest(JobChange("succeeded", follow_up=follow_up)))
    return Settled(work, ended, facts, first_step(work, policy))


def _with_end_of_hold(work: Work, outcome: Approved) -> Approved:
    """Where the gateway does not say when a hold ends: as long after the call as its holds last."""
    hold_s = work.route.capabilities[work.subject.gateway].hold_s
    if outcome.captured or outcome.capture_before is not None or hold_s is None:
        return outcome
    ends_at = datetime.fromtimestamp(work.subject.sent_at_s + work.job.since_1970_s + hold_s, UTC)
    return replace(outcome, capture_before=ends_at)


def _declined(work: Work, outcome: Declined, answer: Answer, policy: Policy) -> Settled:
    gateway = work.subject.gateway
    if _says_nothing_about_earlier_sends(work, answer) and _is_refused_at_the_door(work, outcome):
        why = outcome.gateway_code or outcome.message  # the vault has no codes of a gateway's
        return _unknown(work, Unknown(f"the repeat was refused: {why}"), answer, policy)
    error = describe_error(
        outcome.code, gateway=gateway, gateway_code=outcome.gateway_code, message=outcome.message
    )
    work, ended = end_attempt(
        work,
        answer,
        AttemptStatus.DECLINED,
        StoredOutcome.of_error(error),
        outcome.gateway_ref,
        recheck_in_s=recheck_in_s(work, policy),
    )
    facts = resolved(work.payment, _how(answer))
    return _move_on(work, ended, facts, policy)


def _not_sent(work: Work, outcome: NotSent, answer: Answer, policy: Policy) -> Settled:
    if _says_nothing_about_earlier_sends(work, answer):
        return _unknown(work, Unknown(f"the repeat was not sent: {outcome.reason}"), answer, policy)
    # What never left can't come about; what was only not found can.
    again_in_s = recheck_in_s(work, policy) if answer.looked_up else None
    said = StoredOutcome(
        reason=outcome.reason, kind=outcome.kind, retry_after_s=outcome.retry_after_s or None
    )
    work, ended = end_attempt(work, answer, AttemptStatus.NOT_SENT, said, recheck_in_s=again_in_s)
    return _move_on(work, ended, resolved(work.payment, _how(answer)), policy)


def _move_on(work: Work, ended: AnswerAttempt, facts: list[Fact], policy: Policy) -> Settled:
    """To the next gateway at once, to one that was never reached after a pause, or to the payment's end."""
    return Settled(work, ended, facts, another_try(work, policy))


def _action_required(work: Work, outcome: ActionRequired, answer: Answer, policy: Policy) -> Settled:
    before, said = work, StoredOutcome(action=outcome.action.type)
    work, ended = end_attempt(
        work, answer, AttemptStatus.ACTION_REQUIRED, said, outcome.gateway_ref, counts=False
    )
    facts = resolved(work.payment, _how(answer))
    if work.payment.state is not State.REQUIRES_ACTION:
        until_s = new_end_s(work, outcome, policy)
        facts.append(action_required(work.subject.gateway, outcome, until_s))
        return replace(wait_for_payer(work, ended, facts, until_s, policy), action=outcome.action)
    # A confirm that came while the step was in doubt has waited for this.
    confirm = confirm_step(work, work.subject)
    if confirm is not None:
        return Settled(work, ended, facts, confirm)
    if not is_over(work, policy):
        return wait_for_payer(work, ended, facts, payer_has_until_s(work, policy), policy)
    return _leave_the_payer(before, (work, ended, facts), answer, policy)


def _leave_the_payer(
    before: Work, after: tuple[Work, AnswerAttempt, list[Fact]], answer: Answer, policy: Policy
) -> Settled:
    """The payer's time is over, and the step still waits for its payer: nobody is to pay it any more.

    `before` and `after`: how it stood before the answer, and what the answer changed.
    """
    work, ended, facts = after
    door = open_door(work, "the payer did not come back")
    return Settled(work, ended, facts, door) if door is not None else abandon(before, answer, policy)


def _pending(work: Work, outcome: Pending, answer: Answer, policy: Policy) -> Settled:
    latest = work.subject
    said = StoredOutcome(reason=outcome.reason)
    work, ended = end_attempt(work, answer, AttemptStatus.PENDING, said, outcome.gateway_ref)
    facts = resolved(work.payment, _how(answer)) + acted(work.payment, latest.operation, latest.gateway)
    return ask_later(work, ended, facts, outcome.reason, policy)


def _unknown(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
    latest = work.subject
    may_repeat = close_of(work, latest.number) is None and not work.payment.is_called_off
    if outcome.kind is UnknownKind.NO_LOOK_UP and may_repeat and may_repeat_unasked(work, latest):
        doubts = in_doubt(work.payment, latest.gateway, outcome.reason)
        return send_again(work, answer, policy, doubts, reason=outcome.reason)
    if _is_given_up(work, answer, policy):
        return _not_sent(work, NotSent(f"{outcome.reason}; the step moves no money"), answer, policy)
    # A look-up without an answer leaves a pending attempt pending: it says nothing new about the charge.
    stays = answer.looked_up and latest.status in (AttemptStatus.PENDING, AttemptStatus.ACTION_REQUIRED)
    status = latest.status if stays else AttemptStatus.UNKNOWN
    before = work
    if stays and outcome.kind is UnknownKind.NO_LOOK_UP and not _is_left_by_its_payer(work, policy):
        return _nothing_told(work, answer, policy)
    work, ended = end_attempt(work, answer, status, doubt(work, outcome.reason, stored=outcome.stored))
    waits = stays and latest.status is AttemptStatus.ACTION_REQUIRED
    if waits and is_over(work, policy):
        return _leave_the_payer(before, (work, ended, []), answer, policy)
    facts = [] if stays else in_doubt(work.payment, latest.gateway, outcome.reason)
    return ask_later(work, ended, facts, outcome.reason, policy)


def _is_left_by_its_payer(work: Work, policy: Policy) -> bool:
    return work.subject.status is AttemptStatus.ACTION_REQUIRED and is_over(work, policy)


def _nothing_told(work: Work, answer: Answer, policy: Policy) -> Settled:
    """The gateway can't be asked, and has told nothing new: time passes and no doubt grows, so no rung is climbed."""
    latest = work.subject
    work, ended = end_attempt(work, answer, latest.status, latest.outcome, counts=False)
    if latest.status is AttemptStatus.ACTION_REQUIRED:
        return wait_for_payer(work, ended, [], payer_has_until_s(work, policy), policy)
    ago_s = work.now_s - latest.sent_at_s
    if ago_s > EVENT_COMES_WITHIN_S:
        rest = review(work, f"{latest.gateway} can't be asked, and its event has not come")
        return Settled(work, ended, rest.facts, Rest(rest.job))
    waiting = JobChange(
        "waiting",
        "verify",
        run_in_s=rung_at_s(ago_s, policy.verify_ladder_s),
        reason=latest.outcome.reason or "",
    )
    return Settled(work, ended, [], Rest(waiting))


def _not_found(work: Work, outcome: NotFound, answer: Answer, policy: Policy) -> Settled:
    latest = work.subject
    # What was given up must not be charged after all.
    may_repeat = close_of(work, latest.number) is None and not work.payment.is_called_off
    has_paid = outcome.payer_has_paid
    follows = after_not_found(work, latest, answer.asked_at_s, may_repeat=may_repeat, payer_has_paid=has_paid)
    why = "its payer has paid, and it is not captured yet" if has_paid else "not found yet"
    if follows is Missing.SEND_AGAIN:
        return send_again(work, answer, policy, in_doubt(work.payment, latest.gateway, why))
    look_ups = f"{latest.not_found_count + 1} look-ups over the absence window found nothing"
    if follows is Missing.ABSENT:
        return _not_sent(work, NotSent(f"absent: {look_ups}"), answer, policy)
    work, ended = end_attempt(work, answer, AttemptStatus.UNKNOWN, doubt(work, why))
    facts = in_doubt(work.payment, latest.gateway, why)
    if follows is Missing.ASK_AGAIN:
        return ask_later(work, ended, facts, why, policy)
    rest = review(
        work,
        f"{look_ups} under {latest.gateway_key} at {latest.gateway}, which has no idempotency keys:"
        " the call may still arrive, so the charge is tried nowhere else",
    )
    return Settled(work, ended, facts + rest.facts, Rest(rest.job))


def _is_given_up(work: Work, answer: Answer, policy: Policy) -> bool:
    """Whether asking has come to its end for a step that moves no money: such a doubt blocks nothing (design D14)."""
    latest = work.subject
    able = work.route.capabilities.get(latest.gateway)
    moves_money = able is None or latest.operation in able.moves_money
    return (
        answer.looked_up
        and not moves_money
        and verify_delay_s(latest.checks + 1, policy.verify_ladder_s) is None
    )


def _says_nothing_about_earlier_sends(work: Work, answer: Answer) -> bool:
    """A repeat that got nowhere leaves open what became of the first send."""
    return not answer.looked_up and work.subject.sends > 1


def _is_refused_at_the_door(work: Work, outcome: Declined) -> bool:
    """Whether nobody has looked at what the earlier send did. A token that pays once may have paid, and then expired."""
    has_expired = outcome.code == "invalid_token" and pays_once_without_key(work, work.subject)
    return outcome.code in _REFUSED_AT_THE_DOOR or has_expired


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
