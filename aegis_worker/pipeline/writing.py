"""Write what was decided: one commit for a group, each change standing or falling by itself."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

import structlog
from msgspec import Struct, field

from aegis_worker.clock import clock_s
from aegis_worker.domain.changes import Change, goes_on_despite, rebased
from aegis_worker.domain.payment import Payment
from aegis_worker.errors import (
    ChangeRefused,
    DatabaseUnavailable,
    IllegalTransition,
    ReferenceTaken,
    VersionConflict,
)

from .cards import card_decline
from .parts import PipelineParts, RunReport

log = structlog.get_logger(__name__)

# An answer that can't be written is worth waiting for PostgreSQL: dropping it means asking the gateway again.
_PERSIST_PAUSE_S = 0.5


class Written(Struct, frozen=True):
    """What became of changes, by job. `held`: they stand. `lost`: their fence was. `refused`: PostgreSQL won't take them.
    `taken`: they give their payment what is another payment's at the gateway. `cancelled`: they begin another call for one
    that was cancelled meanwhile.

    `rebased`: changes as they were written because captures or refunds of their payment had been ordered meanwhile.

    `leased_from_s`: since when the jobs are held at the latest, a reading of the clock from before the commit.
    """

    held: set[str]
    leased_from_s: float
    lost: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    rebased: dict[str, Change] = field(default_factory=dict)


def persist(parts: PipelineParts, changes: list[Change], report: RunReport) -> Written:
    """Write the changes; those that lost their fence, met a moved payment or are refused are left out, the others stand.

    Raises DatabaseUnavailable after half a lease without PostgreSQL.
    """
    give_up_at = time.monotonic() + parts.lease_s / 2
    on_top: dict[str, Change] = {}
    cancelled: set[str] = set()
    while changes:
        declined = [(change.job_id, card_decline(change)) for change in changes]
        declines = {job_id: decline for job_id, decline in declined if decline is not None}
        leased_from_s = clock_s()
        try:
            held = parts.jobs.record(changes, declines, lease_s=parts.lease_s)
        except VersionConflict as conflict:
            try:
                now = parts.jobs.payments(set(conflict.payment_ids))
            except DatabaseUnavailable:
                continue  # PostgreSQL says again what moved, once it is there
            ids = set(conflict.payment_ids)
            stopped = {
                change.job_id
                for change in changes
                if change.payment.id in now and goes_on_despite(change, now[change.payment.id])
            }
            cancelled |= stopped
            changes = [change for change in changes if change.job_id not in stopped]
            changes = _on_what_moved(changes, ids, now, report)
            on_top |= {change.job_id: change for change in changes if change.payment.id in ids}
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
            lost = _lost(parts, changes, held, report)
            return Written(held, leased_from_s, lost=lost, cancelled=cancelled, rebased=on_top)
    return Written(set(), clock_s(), cancelled=cancelled)


def _lost(
    parts: PipelineParts, changes: Sequence[Change], held: Collection[str], report: RunReport
) -> set[str]:
    """The jobs that other workers hold by now. A charge that was approved is hinted at, because it was not written."""
    lost = [change for change in changes if change.job_id not in held]
    if lost:
        log.warning("leases lost to other workers", jobs=len(lost))
        report.lost += len(lost)
        hint_at_late_charges(
            parts,
            [
                (change.payment.id, change.answered.number, change.answered.gateway_ref)
                for change in lost
                if change.answered is not None and change.answered.status == "APPROVED"
            ],
        )
    return {change.job_id for change in lost}


def _each_alone(parts: PipelineParts, changes: list[Change], report: RunReport) -> Written:
    alone = [persist(parts, [change], report) for change in changes]
    return Written(
        {id for written in alone for id in written.held},
        min(written.leased_from_s for written in alone),
        lost={id for written in alone for id in written.lost},
        refused={id for written in alone for id in written.refused},
        taken={id for written in alone for id in written.taken},
        cancelled={id for written in alone for id in written.cancelled},
        rebased={id: change for written in alone for id, change in written.rebased.items()},
    )


def _on_what_moved(
    changes: list[Change], moved: set[str], now: Mapping[str, Payment], report: RunReport
) -> list[Change]:
    """The changes, those of payments that moved as they are on top of what they moved to, or left out."""
    kept = []
    for change in changes:
        again = _rebased(change, now) if change.payment.id in moved else change
        if again is None:
            log.warning("payment moved meanwhile", payment_id=change.payment.id)
            report.lost += 1
        else:
            kept.append(again)
    return kept


def _rebased(change: Change, now: Mapping[str, Payment]) -> Change | None:
    try:
        return rebased(change, now[change.payment.id])
    except (KeyError, IllegalTransition):
        return None


def hint_at_late_charges(parts: PipelineParts, charged: Sequence[tuple[str, int, str | None]]) -> None:
    """A zombie writes nothing, but the charges (payment, number, the gateway's reference) that it heard of may be news to
    whoever gave them up, or heard of another one under the same key: have them asked about.
    """
    if not charged:
        return
    try:
        parts.jobs.recheck_now(charged)
    except DatabaseUnavailable:
        # They are asked about later all the same; what was just written must still be gone on with.
        log.warning("late charges not hinted at", payments=len(charged))
