"""Ask about every charge of a payment that has ended: does what the gateways say agree with it? Pure.

Each charge that may have reached a gateway is asked about, one after the other. A charge that turns up after all, of a
payment that failed or that another attempt paid, is a duplicate: it is told, and the policy decides what becomes of it.

Of the charge that the payment stands on, what was done with it since is asked as well: captures and refunds that have
failed after they had succeeded, and those that somebody asked for at the gateway.
"""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import AnswerAttempt, FoundCharge, JobChange
from aegis_worker.domain.charges import (
    given_back_charges,
    may_be_invisible,
    own_charge,
    standing_charges,
)
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Lookup,
    NotSent,
    Outcome,
    Twin,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payment import Fact, duplicate_detected, duplicate_reversed
from aegis_worker.domain.transitions import State

from ..work import Answer, Policy, Rest, Settled, Step, Work
from .agreeing import asked_again, judged, stands, tells_nothing, to_a_person
from .answers import ask_later, end_attempt
from .room import Room
from .steps import ask, unreachable_because
from .twins import adopted, asks_for_twins, found_twins, of_the_subject, tells_of_another
from .unasked import left_unasked

_TOLD_OF_ANOTHER = Unknown("it has told of another charge only", kind=UnknownKind.NO_LOOK_UP)


class Sync(Room):
    """Asking about what has ended; before that, asking goes the way of the payment itself."""

    def __init__(self, before_the_end: Room) -> None:
        self._before_the_end = before_the_end

    def room_for(self, work: Work) -> Room:
        """The charge's own while the payment has not ended."""
        has_ended = work.payment.is_terminal or work.payment.state is State.AUTHORIZED
        return self if has_ended else self._before_the_end

    def step(self, work: Work, policy: Policy) -> Step:
        """The look-up that comes first, or the end where there is nothing to ask."""
        return _first_look_up(work)

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """What the answer about one charge means; after the last one, what all of them mean together."""
        return _settle(work, answer, policy)


def _first_look_up(work: Work) -> Step:
    charges = standing_charges(work.attempts)
    if not charges:
        given_back = given_back_charges(work.attempts)
        nothing = "every charge was given back" if given_back else "nothing was ever sent"
        return Rest(JobChange("succeeded", result={"agrees": True, "gateway_says": nothing}))
    to_ask = _still_to_ask(work)
    if not to_ask:
        return left_unasked(work, unreachable_because(work, work.attempts[charges[-1]]))
    return _question(work, to_ask[0])


def _question(work: Work, position: int) -> Step:
    is_own = position == own_charge(work.payment, work.attempts)
    return ask(work, position, movements=is_own, twins=asks_for_twins(work, work.attempts[position]))


def _settle(work: Work, answer: Answer, policy: Policy) -> Settled:
    subject, outcome = work.subject, of_the_subject(work, answer.outcome)
    if _is_about_own(work) and tells_of_another(work, outcome):
        if isinstance(outcome, Approved) and stands(outcome):
            return _other_to_a_person(work, answer, outcome)
        outcome = _TOLD_OF_ANOTHER
    if tells_nothing(outcome):
        if subject.outcome.twin is not None:
            return _twin_to_a_person(work, answer)
        # The others are asked all the same: one of them may be the charge that somebody has heard of.
        work, ended = end_attempt(work, answer, subject.status, subject.outcome, counts=False)
        work = replace(work, said={**work.said, work.position: outcome})
        following = _still_to_ask(work)
        if following:
            return Settled(work, ended, [], _question(work, following[0]))
        return judged(work, ended, [], answer.asked_at_s, policy)
    if isinstance(outcome, Unknown) and not outcome.shows:
        work, ended = end_attempt(work, answer, subject.status, subject.outcome)
        return ask_later(work, ended, [], outcome.reason, policy)
    invisible_for_s = _invisible_for_s(work, outcome, answer.asked_at_s)
    if invisible_for_s > 0:
        work, ended = end_attempt(work, answer, subject.status, subject.outcome)
        reason = f"{subject.gateway} may not show it yet"
        return asked_again(work, ended, [], invisible_for_s, reason, type(outcome).__name__, policy)
    if subject.outcome.twin is not None and not asks_for_twins(work, subject):
        return _twin_to_a_person(work, answer)
    twins = found_twins(work, outcome)
    work = replace(work, said={**work.said, work.position: outcome})
    work, ended, facts = _noted(work, answer, policy)
    work, more, found = _with_twins(work, [twin for twin in twins if not twin.pending], policy)
    facts = [*facts, *more]
    following = _still_to_ask(work)
    if following:
        return replace(Settled(work, ended, facts, _question(work, following[0])), found=found)
    return replace(judged(work, ended, facts, answer.asked_at_s, policy), found=found)


def _with_twins(
    work: Work, twins: list[Twin], policy: Policy
) -> tuple[Work, list[Fact], tuple[FoundCharge, ...]]:
    """Twins of the charge that was asked about: each is an attempt of its own from now on, and a charge too many."""
    if not twins:
        return work, [], ()
    found, begins = adopted(work, twins), len(work.attempts)
    attempts = [one.shown(work.job.lease_epoch, work.now_s) for one in found]
    said = {
        begins + place: Approved(one.gateway_ref, bool(one.outcome.captured))
        for place, one in enumerate(found)
    }
    facts = [
        duplicate_detected(work.payment, one.number, one.gateway, one.gateway_ref, policy.late_charge)
        for one in found
    ]
    work = replace(work, attempts=(*work.attempts, *attempts), said={**work.said, **said})
    return work, facts, found


def _twin_to_a_person(work: Work, answer: Answer) -> Settled:
    """There may be a second charge, and its gateway shows none by our reference: a person looks there, once."""
    subject = work.subject
    reason = f"there may be a second charge: {subject.outcome.twin}"
    work, ended = end_attempt(work, answer, subject.status, replace(subject.outcome, twin=None))
    return to_a_person(work, ended, [], reason, type(answer.outcome).__name__)


def _other_to_a_person(work: Work, answer: Answer, other: Approved) -> Settled:
    """The payment's own charge was answered, the other was told of: both may have been taken. A person looks there."""
    subject = work.subject
    reason = f"{subject.gateway} tells of a charge {other.gateway_ref} beside the payment's own, {subject.gateway_ref}"
    work, ended = end_attempt(work, answer, subject.status, subject.outcome)
    return to_a_person(work, ended, [], reason, type(other).__name__)


def _noted(work: Work, answer: Answer, policy: Policy) -> tuple[Work, AnswerAttempt, list[Fact]]:
    """The attempt after its answer: a charge too many is told once, and once that it is gone."""
    subject, outcome = work.subject, answer.outcome
    told_before = subject.outcome.duplicate
    as_it_was = subject.outcome
    if _is_about_own(work) and isinstance(outcome, Approved) and outcome.captured and not as_it_was.captured:
        # What was held is captured by now.
        taken = replace(as_it_was, captured=True)
        return *end_attempt(work, answer, subject.status, taken), []
    if _is_about_own(work) or not isinstance(outcome, Approved | Declined):
        return *end_attempt(work, answer, subject.status, as_it_was), []
    about = (work.payment, subject.number, subject.gateway)
    if stands(outcome) and isinstance(outcome, Approved) and not told_before:
        found = StoredOutcome(captured=outcome.captured, duplicate=True, before=subject.status)
        again_in_s = policy.recheck_after_s if asks_for_twins(work, subject) else None
        work, ended = end_attempt(
            work, answer, AttemptStatus.APPROVED, found, outcome.gateway_ref, recheck_in_s=again_in_s
        )
        return work, ended, [duplicate_detected(*about, outcome.gateway_ref, policy.late_charge)]
    if not stands(outcome) and told_before:
        # Nobody's reversal here: a person gave it back at the gateway, as `hold` has it.
        gone = replace(as_it_was, captured=False, given_back=True)
        work, ended = end_attempt(work, answer, AttemptStatus.APPROVED, gone)
        return (
            work,
            ended,
            [duplicate_reversed(*about, subject.gateway_ref or "", "given back at the gateway")],
        )
    return *end_attempt(work, answer, subject.status, as_it_was), []


def _is_about_own(work: Work) -> bool:
    """Whether the call in flight is about the charge that the payment stands on."""
    return work.position == own_charge(work.payment, work.attempts)


def _invisible_for_s(work: Work, outcome: Outcome | Lookup, asked_at_s: float) -> float:
    """For how long the gateway may not show the payment's own charge; 0 where it shows it, or should have when asked."""
    subject = work.subject
    if not _is_about_own(work) or isinstance(outcome, NotSent):
        return 0.0
    window_s = work.route.capabilities[subject.gateway].absence_window_s
    sent_ago_s = subject.sent_ago_s(asked_at_s)
    return window_s - sent_ago_s if may_be_invisible(outcome, sent_ago_s, window_s) else 0.0


def _still_to_ask(work: Work) -> list[int]:
    return [
        position
        for position in standing_charges(work.attempts)
        if position not in work.said and unreachable_because(work, work.attempts[position]) is None
    ]
