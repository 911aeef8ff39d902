"""When a call that was repeated may have been carried out twice, and what is done about that. Pure.

Whether a repeat left before its gateway forgot the key, nobody can tell who was frozen before its first byte. So what was
sent more than once is asked about again for as long as charges that were given up are, and its twins are looked for.
"""

from __future__ import annotations

import itertools

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import FoundCharge
from aegis_worker.domain.gateway_keys import is_ordered
from aegis_worker.domain.outcomes import Lookup, Outcome, Twin, charges
from aegis_worker.domain.twins import new_twins, twins_of

from ..work import Answer, Policy, Work
from .absence import keeps_key_s

# More hops than any payment has; from here on attempts are numbered that a merchant ordered.
_MOST_HOPS = 100


def asks_for_twins(work: Work, attempt: Attempt) -> bool:
    """Whether a look-up of the attempt also looks for its twins."""
    able = work.route.capabilities.get(attempt.gateway)
    return charges(attempt.operation) and attempt.sends > 1 and able is not None and able.shows_twins


def looked_for_in_s(work: Work, outcome: Outcome | Lookup, policy: Policy) -> float | None:
    """When a call that was approved is asked about again; None for one that was sent once, or that can't be done twice."""
    subject = work.subject
    able = work.route.capabilities[subject.gateway]
    if subject.sends == 1 or (charges(subject.operation) and able.charges_what_it_made):
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


def adopted(work: Work, twins: list[Twin]) -> tuple[tuple[Attempt, ...], tuple[FoundCharge, ...]]:
    """Attempts for twins of the subject: as they will be read, and as they are written."""
    subject = work.subject
    last = max(attempt.number for attempt in work.attempts if not is_ordered(attempt.number))
    attempts, found = [], []
    for number, twin in zip(itertools.count(last + 1), twins, strict=False):
        if number > _MOST_HOPS:
            break
        outcome = StoredOutcome(captured=twin.captured, duplicate=True)
        found.append(
            FoundCharge(
                number,
                subject.gateway,
                twin.gateway_ref,
                subject.gateway_key,
                subject.request_hash,
                outcome,
                subject.account,
            )
        )
        attempts.append(
            Attempt(
                operation=subject.operation,
                number=number,
                gateway=subject.gateway,
                gateway_key=subject.gateway_key,
                request_hash=subject.request_hash,
                status=AttemptStatus.APPROVED,
                gateway_ref=twin.gateway_ref,
                outcome=outcome,
                lease_epoch=work.job.lease_epoch,
                sends=1,
                checks=0,
                not_found_count=0,
                sent_at_s=work.now_s,
                first_not_found_at_s=None,
                answered_at_s=work.now_s,
                account=subject.account,
            )
        )
    return tuple(attempts), tuple(found)
