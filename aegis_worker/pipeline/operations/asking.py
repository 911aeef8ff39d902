"""When hooks and rules are asked about a job, and what is done about what hooks ask for before a call. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.changes import JobChange, OpenAttempt
from aegis_worker.domain.gateway_keys import is_ordered
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import CHARGING_STEPS
from aegis_worker.domain.screening import Action, Finding, Screening, screening_of
from aegis_worker.domain.transitions import State
from aegis_worker.domain.wishes import HEARD, LONGEST_DELAY_S, Wish, wishes_to_json

from ..work import Policy, Rest, Send, Settled, Step, Work
from .charge.plan import first_step, goes_nowhere_yet
from .charge.waits import waited_s
from .steps import review

# The end of a call after which hooks are asked what they would do.
ERRORS = frozenset({AttemptStatus.DECLINED, AttemptStatus.NOT_SENT, AttemptStatus.UNKNOWN})
# How long a call is put off by a hook that does not say how long.
_USUAL_DELAY_S = 30.0
_PUT_OFF_FOR_LONG = "it has waited for as long as a payment waits for a gateway"


def may_be_screened(job: ClaimedJob) -> bool:
    """Whether nothing was sent for the job's payment, and nobody was asked about it: hooks and rules are due, where there
    are any.
    """
    payment = job.payment
    untried = payment.state is State.INITIATED and not job.attempts
    return untried and payment.screening is None and job.operation in ("process", "sync")


def is_to_be_screened(work: Work, policy: Policy) -> bool:
    """Whether hooks and rules are asked now: not while the payment waits for its time, or is to end all the same."""
    if not may_be_screened(work.job) or work.unwritten:
        return False
    return work.job.claim_count < policy.poison_cap and goes_nowhere_yet(work) is None


def is_asked_before(work: Work, step: Send) -> bool:
    """Whether hooks are asked before this call: it begins a hop, or is what a merchant ordered. Not one that hands back,
    or closes a door: those make good what went wrong.
    """
    if _is_approved(work):
        return False
    return is_ordered(step.opened.number) or _begins_a_hop(work, step.opened)


def is_asked_on_error(work: Work, settled: Settled) -> bool:
    """Whether hooks are asked what they would do: a call of a charge has just ended without one. `work`: from before.

    Not of a payment that has ended or is held: what is found out about its other calls leads to no further try.
    """
    if work.subject.operation not in CHARGING_STEPS:
        return False
    if work.payment.is_terminal or work.payment.state is State.AUTHORIZED:
        return False
    status = settled.answered.status
    return status in ERRORS and status != work.subject.status


def heeded_before(work: Work, step: Send, wishes: Sequence[Wish], policy: Policy) -> tuple[Work, Step]:
    """The call, or what is done in its place, because a hook wants it put off or looked at by a person."""
    for wish in wishes:
        if wish.ask == "review":
            return _to_a_person(work, step, wish, policy)
    heard: list[Wish] = []
    for wish in wishes:
        if wish.ask == "delay":
            if (rest := _put_off(work, wish, policy)) is not None:
                return work, rest
            heard.append(replace(wish, refused=_PUT_OFF_FOR_LONG))
        elif wish.failed is not None:
            heard.append(wish)
    return work, _noting(step, heard)


def _noting(step: Send, heard: Sequence[Wish]) -> Send:
    """The call with what hooks said of it that changed nothing, so that whoever asks why finds it."""
    if not heard:
        return step
    decision = {**step.opened.decision, HEARD: wishes_to_json(heard)}
    return replace(step, opened=replace(step.opened, decision=decision))


def _to_a_person(work: Work, step: Send, wish: Wish, policy: Policy) -> tuple[Work, Step]:
    """A payment that was never tried is held back like one that a fraud check wants looked at, and goes on as that does."""
    if is_ordered(step.opened.number) or work.attempts:
        return work, review(work, wish.because)
    said = screening_of(work.payment) or Screening()
    finding = Finding(wish.source, Action.REVIEW, wish.reason, failed=wish.failed)
    work = work.screened(replace(said, findings=(*said.findings, finding)))
    return work, first_step(work, policy)


def _put_off(work: Work, wish: Wish, policy: Policy) -> Rest | None:
    """The rest until then; None once it has waited for as long as a payment waits for a gateway."""
    left_s = policy.route_wait_s - waited_s(work)
    if left_s <= 0:
        return None
    delay_s = min(wish.delay_s or _USUAL_DELAY_S, left_s, LONGEST_DELAY_S)
    return Rest(JobChange("waiting", "payments", run_in_s=delay_s, reason=wish.because))


def _begins_a_hop(work: Work, opened: OpenAttempt) -> bool:
    is_new = all(attempt.number != opened.number for attempt in work.attempts)
    return opened.operation in CHARGING_STEPS and is_new


def _is_approved(work: Work) -> bool:
    screening = screening_of(work.payment)
    return screening is not None and screening.approved
