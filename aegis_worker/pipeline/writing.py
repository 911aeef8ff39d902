"""Write what was decided: one commit for a group, each change standing or falling by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog
from msgspec import Struct, field

from aegis_worker.clock import clock_s
from aegis_worker.domain.changes import Change
from aegis_worker.errors import ChangeRefused, DatabaseUnavailable, ReferenceTaken, VersionConflict

from .cards import card_decline
from .parts import PipelineParts, RunReport

log = structlog.get_logger(__name__)

# An answer that can't be written is worth waiting for PostgreSQL: dropping it means asking the gateway again.
_PERSIST_PAUSE_S = 0.5


class Written(Struct, frozen=True):
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
        declined = [(change.job_id, card_decline(change)) for change in changes]
        declines = {job_id: decline for job_id, decline in declined if decline is not None}
        leased_from_s = clock_s()
        try:
            held = parts.jobs.record(changes, declines, lease_s=parts.lease_s)
        except VersionConflict as conflict:
            moved = set(conflict.payment_ids)
            log.warning("payments moved meanwhile", payment_ids=sorted(moved)[:10])
            report.lost += len(moved)
            changes = [change for change in changes if change.payment.id not in moved]
        except DatabaseUnavailable:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_PERSIST_PAUSE_S)
        except (ChangeRefused, ReferenceTaken) as refused:
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


def hint_at_late_charges(parts: PipelineParts, charged: Sequence[tuple[str, int]]) -> None:
    """A zombie writes nothing, but the charges (payment, number) that it heard of may be news to whoever gave them up: have
    them asked about.
    """
    if not charged:
        return
    try:
        parts.jobs.recheck_now(charged)
    except DatabaseUnavailable:
        # They are asked about later all the same; what was just written must still be gone on with.
        log.warning("late charges not hinted at", payments=len(charged))
