"""What is to be written of what was decided. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import Change, JobChange
from aegis_worker.domain.payment import in_doubt
from aegis_worker.domain.transitions import State
from aegis_worker.errors import IllegalTransition

from .operations.answers import ask_later
from .operations.room import Decided
from .operations.steps import review
from .work import Policy, Rest, Send, SendAgain, Settled, Step, Work


def legal_change(work: Work, settled: Settled | None, step: Step) -> tuple[Step, Change]:
    """The change, or, where the state machine forbids what the gateway told us, the job for a person to look at."""
    try:
        return step, _change(work, settled, step)
    except IllegalTransition as error:
        step = review(work, f"the gateway's answer does not fit the payment's state: {error}")
        return step, _change(
            work, replace(settled, facts=[], action=None, entities=(), found=()) if settled else None, step
        )


def _change(work: Work, settled: Settled | None, step: Step) -> Change:
    facts = list(settled.facts) if settled else []
    if isinstance(step, Rest | Send):
        facts += step.facts
    payment, events = work.payment.record(facts)
    entities = settled.entities if settled else ()
    if not entities and isinstance(step, Rest | Send):
        entities = step.entities
    going_on = JobChange("running", progress=settled is not None and not isinstance(step, SendAgain))
    job = step.job if isinstance(step, Rest) else going_on
    return Change(
        job_id=work.job.id,
        lease_epoch=work.job.lease_epoch,
        payment=payment,
        version_before=work.payment.version - len(work.unwritten),
        events=[*work.unwritten, *events],
        job=job,
        opened=step.opened if isinstance(step, Send) else None,
        answered=settled.answered if settled else None,
        action=settled.action if settled else None,
        entities=entities,
        hands_on=job.status in ("succeeded", "failed") and job.follow_up is None and _may_be_waited_for(work),
        beside=settled.beside if settled else None,
        found=settled.found if settled else (),
        confirm_seen=work.job.confirm.number if work.job.confirm else None,
    )


def _may_be_waited_for(work: Work) -> bool:
    """Whether captures, voids or refunds may wait behind the job: behind a charge only the merchant's cancel."""
    payment = work.payment
    return work.job.operation != "process" or payment.terms.capture_method == "manual" or payment.cancelling


def in_doubt_instead(work: Work, change: Change, policy: Policy) -> Decided:
    """The change in place of one whose reference is another payment's at the gateway: whose it is, asking has to decide.

    A payment that rests is not in doubt about its own charge: the other is for a person to look at.
    """
    refused = change.answered
    if refused is None:
        raise AssertionError("unreachable: references come with answers only")
    gateway = work.subject.gateway
    given = ", ".join(filter(None, (refused.gateway_ref, *(one.gateway_ref for one in change.found))))
    reason = f"{gateway} gave it the reference {given}, which is another payment's"
    if work.payment.is_terminal or work.payment.state is State.AUTHORIZED:
        step: Step = review(work, reason)
        return work, None, step
    doubted = replace(
        refused,
        status=AttemptStatus.UNKNOWN,
        gateway_ref=None,
        outcome=StoredOutcome(reason=reason).marked(refused.outcome),
        sent_again=False,
        not_found=False,
        recheck_in_s=None,
    )
    settled = ask_later(work, doubted, in_doubt(work.payment, gateway, reason), reason, policy)
    return settled.work, settled, settled.then
