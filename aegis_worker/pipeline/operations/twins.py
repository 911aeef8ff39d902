"""When a call that was repeated may have been carried out twice, and what is done about that. Pure.

Whether a repeat left before its gateway forgot the key, nobody can tell who was frozen before its first byte. So what was
sent more than once is asked about again for as long as charges that were given up are, and its twins are looked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import FoundCharge
from aegis_worker.domain.gateway_keys import FIRST_ORDERED, is_ordered
from aegis_worker.domain.outcomes import Declined, Lookup, NotSent, Operation, Outcome, Twin, charges
from aegis_worker.domain.twins import is_of_another, new_twins, of_known, twins_of

from ..work import Answer, Policy, Work
from .absence import keeps_key_s

_MOVES_MONEY_EACH_TIME = frozenset({Operation.PROCESS, Operation.CAPTURE, Operation.REFUND})


def asks_for_twins(work: Work, attempt: Attempt) -> bool:
    """Whether a look-up of the attempt also looks for its twins."""
    able = work.route.capabilities.get(attempt.gateway)
    return charges(attempt.operation) and attempt.sends > 1 and able is not None and able.shows_twins


def tells_of_another(work: Work, outcome: Outcome | Lookup) -> bool:
    """See `is_of_another`; False where the gateway can be asked about the charge itself, see `of_the_subject`."""
    subject = work.subject
    able = work.route.capabilities[subject.gateway]
    return able.tells_by_events_alone and is_of_another(outcome, subject.gateway_ref)


def of_the_subject(work: Work, outcome: Outcome | Lookup) -> Outcome | Lookup:
    """What a look-up says of the charge in flight: nothing where a gateway that can be asked shows another instead.

    Only of a charge that was approved: one that was refused may have been made by its repeat, with another id.
    """
    subject = work.subject
    able = work.route.capabilities[subject.gateway]
    if able.tells_by_events_alone or subject.status is not AttemptStatus.APPROVED:
        return outcome
    return outcome if isinstance(outcome, NotSent) else of_known(outcome, subject.gateway_ref)


def looked_for_in_s(work: Work, outcome: Outcome | Lookup, policy: Policy) -> float | None:
    """When a call that was answered is asked about again; None for one that was sent once, or that can't be done twice.

    A repeated void that is refused is asked about as well: the first may be frozen before its first byte, and release the
    hold after that.
    """
    subject = work.subject
    is_void_refused = subject.operation is Operation.VOID and isinstance(outcome, Declined)
    if subject.sends == 1 or not (subject.operation in _MOVES_MONEY_EACH_TIME or is_void_refused):
        return None
    if charges(subject.operation) and work.route.capabilities[subject.gateway].charges_what_it_made:
        return None
    return 0.0 if twins_of(outcome) else policy.recheck_after_s


def may_be_second_because(work: Work, answer: Answer) -> str | None:
    """Why the charge that was just approved may be the second under its key, of which only a person can find the other."""
    subject = work.subject
    able = work.route.capabilities[subject.gateway]
    kept_until_s = subject.sent_at_s + keeps_key_s(work, subject)
    is_repeat = subject.sends > 1 and not answer.looked_up
    if not is_repeat or work.now_s < kept_until_s or able.shows_twins or able.charges_what_it_made:
        return None
    return f"{subject.gateway} may have forgotten the key of {subject.gateway_key} when it was repeated"


def found_twins(work: Work, outcome: Outcome | Lookup) -> list[Twin]:
    """What the look-up of the subject shows beside it, and no attempt stands for yet."""
    here = {attempt.gateway_ref for attempt in work.attempts if attempt.gateway == work.subject.gateway}
    return new_twins(outcome, here)


def adopted(work: Work, twins: Sequence[Twin]) -> tuple[FoundCharge, ...]:
    """What twins of the subject are from now on."""
    subject = work.subject
    last = max(attempt.number for attempt in work.attempts if not is_ordered(attempt.number))
    numbers = range(last + 1, FIRST_ORDERED)  # fewer would be left out, and found by the next look
    return tuple(
        FoundCharge(
            number,
            subject.gateway,
            twin.gateway_ref,
            subject.gateway_key,
            subject.request_hash,
            StoredOutcome(captured=twin.captured, duplicate=True),
            subject.account,
        )
        for number, twin in zip(numbers, twins, strict=False)
    )
