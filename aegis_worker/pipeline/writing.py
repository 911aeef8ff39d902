"""Write what was decided: one commit for a group, each change standing or falling by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.changes import Change, JobChange
from aegis_worker.domain.payment import in_doubt
from aegis_worker.domain.transitions import State
from aegis_worker.errors import DatabaseUnavailable, IllegalTransition, ReferenceTaken, VersionConflict
from aegis_worker.persistence.asking import recheck_now
from aegis_worker.persistence.card_declines import note_declines
from aegis_worker.persistence.record import record

from .answers import ask_later
from .cards import card_decline
from .parts import PipelineParts, RunReport
from .steps import review
from .work import Policy, Rest, Send, SendAgain, Settled, Step, Work

log = structlog.get_logger(__name__)

# An answer that can't be written is worth waiting for PostgreSQL: dropping it means asking the gateway again.
_PERSIST_PAUSE_S = 0.5


def legal_change(work: Work, settled: Settled | None, step: Step) -> tuple[Work, Step, Change]:
    """The change, or, where the state machine forbids what the gateway told us, the job for a person to look at."""
    try:
        return work, step, _change(work, settled, step)
    except IllegalTransition as error:
        log.error("answer does not fit the payment's state", payment_id=work.payment.id, error=str(error))
        step = review(work, f"the gateway's answer does not fit the payment's state: {error}")
        return work, step, _change(work, replace(settled, facts=[]) if settled else None, step)


def _change(work: Work, settled: Settled | None, step: Step) -> Change:
    facts = list(settled.facts) if settled else []
    if isinstance(step, Rest | Send):
        facts += step.facts
    payment, events = work.payment.record(facts)
    going_on = JobChange("running", progress=settled is not None and not isinstance(step, SendAgain))
    return Change(
        job_id=work.job.id,
        lease_epoch=work.job.lease_epoch,
        payment=payment,
        version_before=work.payment.version,
        events=events,
        job=step.job if isinstance(step, Rest) else going_on,
        opened=step.opened if isinstance(step, Send) else None,
        answered=settled.answered if settled else None,
    )


@dataclass(frozen=True, slots=True)
class Written:
    """What became of changes, by job. `held`: they stand. `lost`: their fence was. `refused`: PostgreSQL won't take them.
    `taken`: they give their payment what is another payment's at the gateway.

    `leased_from_s`: since when the jobs are held at the latest, a reading of the clock from before the commit.
    """

    held: set[str]
    leased_from_s: float
    lost: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)


def persist(parts: PipelineParts, changes: list[Change], report: RunReport) -> Written:
    """Write the changes; those that lost their fence, met a moved payment or are refused are left out, the others stand.

    Raises DatabaseUnavailable after half a lease without PostgreSQL.
    """
    give_up_at = time.monotonic() + parts.lease_s / 2
    while changes:
        write = partial(_write, changes=changes, lease_s=parts.lease_s)
        leased_from_s = clock_s()
        try:
            held = parts.database.run(write)
        except VersionConflict as conflict:
            moved = set(conflict.payment_ids)
            log.warning("payments moved meanwhile", payment_ids=sorted(moved)[:10])
            report.lost += len(moved)
            changes = [change for change in changes if change.payment.id not in moved]
        except DatabaseUnavailable:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_PERSIST_PAUSE_S)
        except (DBAPIError, ReferenceTaken) as refused:
            # A constraint or a guard refuses one of them; the others must not suffer for it.
            if len(changes) > 1:
                return _each_alone(parts, changes, report)
            alone = {changes[0].job_id}
            if isinstance(refused, ReferenceTaken):
                return Written(set(), leased_from_s, taken=alone)
            log.exception("change refused by the database", payment_id=changes[0].payment.id)
            report.lost += 1
            return Written(set(), leased_from_s, refused=alone)
        else:
            lost = [change for change in changes if change.job_id not in held]
            if lost:
                log.warning("leases lost to other workers", jobs=len(lost))
                report.lost += len(lost)
                hint_at_late_charges(
                    parts,
                    [
                        (change.payment.id, change.answered.number)
                        for change in lost
                        if change.answered is not None and change.answered.status == "APPROVED"
                    ],
                )
            return Written(held, leased_from_s, lost={change.job_id for change in lost})
    return Written(set(), clock_s())


def _each_alone(parts: PipelineParts, changes: list[Change], report: RunReport) -> Written:
    alone = [persist(parts, [change], report) for change in changes]
    return Written(
        {id for written in alone for id in written.held},
        min(written.leased_from_s for written in alone),
        lost={id for written in alone for id in written.lost},
        refused={id for written in alone for id in written.refused},
        taken={id for written in alone for id in written.taken},
    )


def in_doubt_instead(work: Work, change: Change, policy: Policy) -> tuple[Work, Step, Change]:
    """The change in place of one whose reference is another payment's at the gateway: whose it is, asking has to decide.

    A payment that rests is not in doubt about its own charge: the other is for a person to look at.
    """
    refused = change.answered
    if refused is None:
        raise AssertionError("unreachable: references come with answers only")
    gateway = work.subject.gateway
    reason = f"{gateway} gave it the reference {refused.gateway_ref}, which is another payment's"
    log.error("reference of another payment", payment_id=work.payment.id, gateway=gateway)
    if work.payment.is_terminal or work.payment.state is State.AUTHORIZED:
        step: Step = review(work, reason)
        return work, step, _change(work, None, step)
    doubted = replace(
        refused,
        status="UNKNOWN",
        gateway_ref=None,
        outcome={"reason": reason},
        sent_again=False,
        not_found=False,
        recheck_in_s=None,
    )
    settled = ask_later(work, doubted, in_doubt(work.payment, gateway, reason), reason, policy)
    return work, settled.then, _change(work, settled, settled.then)


def hint_at_late_charges(parts: PipelineParts, charged: Sequence[tuple[str, int]]) -> None:
    """A zombie writes nothing, but the charges (payment, number) that it heard of may be news to whoever gave them up: have
    them asked about.
    """
    if not charged:
        return
    try:
        parts.database.run(lambda connection: recheck_now(connection, charged))
    except DatabaseUnavailable:
        # They are asked about later all the same; what was just written must still be gone on with.
        log.warning("late charges not hinted at", payments=len(charged))


def _write(connection: Connection, changes: list[Change], lease_s: float) -> set[str]:
    held = record(connection, changes, lease_s=lease_s)
    declines = [card_decline(change) for change in changes if change.job_id in held]
    note_declines(connection, [decline for decline in declines if decline is not None])
    reached(changes, "attempt.written", "outcome.written")
    return held


def reached(changes: Sequence[Change], if_opened: str, if_answered: str) -> None:
    """The crash points of what was written."""
    if any(change.opened for change in changes):
        crash_point(if_opened)
    if any(change.answered for change in changes):
        crash_point(if_answered)
