"""Rows of disputes, and who is asking about one, as `gateway_events.disputes` and `persistence.dispute_rows` have it. Pure.

Look-ups are put in order by when they were begun, and only their order counts: so a rank stands for PostgreSQL's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.disputes import Dispute, DisputeReport, KnownDispute
from aegis_worker.domain.payment import Event, Payment
from aegis_worker.gateway_events.decide import Unbelieved, heard

from .setups import EPOCH_S


class DisputeRow(Struct, frozen=True):
    """A row of `disputes`. `asked`: the rank of the look-up that it was written after."""

    dispute: Dispute
    asked: int = 0


class Asking(Struct, frozen=True):
    """A process that asks how a dispute stands. `rank`: of its look-up; `shown`: what it was answered, once it was.
    `of_event`: it does so because of an event, which comes again if nothing comes of it.
    """

    rank: int
    of_event: bool
    shown: DisputeReport | None = None


class Noted(Struct, frozen=True):
    """What an answer changes. `payment`: with its `events`, where there is anything to tell."""

    payment: Payment
    events: Sequence[Event]
    disputes: tuple[DisputeRow, ...]


def noted(
    payment: Payment, disputes: tuple[DisputeRow, ...], gateway: str, asking: Asking
) -> Noted | Unbelieved:
    """What is written down of an answer, or why it is not believed (`gateway_events.disputes._write`)."""
    shown = asking.shown
    if shown is None:
        raise AssertionError("unreachable: it was answered")
    row = disputes[0] if disputes else None
    known = None if row is None else KnownDispute(row.dispute, _moment(row.asked))
    result = heard(payment, known, gateway, shown, _moment(asking.rank), "dsp_1")
    if isinstance(result, Unbelieved):
        return result
    dispute, facts = result
    after, events = payment.record(facts)
    return Noted(after, events, (DisputeRow(dispute, asking.rank),))


def ranked_anew(
    disputes: tuple[DisputeRow, ...], asking: tuple[Asking, ...]
) -> tuple[tuple[DisputeRow, ...], tuple[Asking, ...]]:
    """With small ranks in the same order."""
    ranks = sorted({*(row.asked for row in disputes), *(one.rank for one in asking)})
    anew = {rank: number for number, rank in enumerate(ranks)}
    return (
        tuple(replace(row, asked=anew[row.asked]) for row in disputes),
        tuple(replace(one, rank=anew[one.rank]) for one in asking),
    )


def _moment(rank: int) -> datetime:
    return datetime.fromtimestamp(EPOCH_S + rank, UTC)
