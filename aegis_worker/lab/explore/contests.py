"""What a gateway knows of a dispute over a charge: how it may go on, and what it shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.dispute_statuses import OPEN, DisputeStatus
from aegis_worker.domain.disputes import DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import charges

_S = DisputeStatus


class Contest(Struct, frozen=True):
    """A dispute over the charge `of`, which was made under `key`.

    `owed`: how many events that tell of it have yet to come. `again`: how many came, had the gateway asked for nothing, and
    are followed again.
    """

    of: str
    key: str
    minor: int
    status: DisputeStatus
    owed: int = 1
    again: int = 0


# How it may go on, with the faults that it takes: an appeal is one.
_FOLLOWS: Mapping[DisputeStatus, tuple[tuple[DisputeStatus, int], ...]] = {
    _S.WARNING: ((_S.CLOSED, 0), (_S.NEEDS_RESPONSE, 0)),
    _S.NEEDS_RESPONSE: ((_S.WON, 0), (_S.LOST, 0), (_S.UNDER_REVIEW, 1), (_S.ACCEPTED, 1)),
    _S.UNDER_REVIEW: ((_S.WON, 0), (_S.LOST, 0)),
    _S.WON: ((_S.NEEDS_RESPONSE, 1),),
    _S.LOST: ((_S.WON, 1),),
}


def following(contest: Contest) -> Iterator[tuple[Contest, int]]:
    """Each way in which it may go on, which an event tells of, and the faults that it takes."""
    for status, cost in _FOLLOWS.get(contest.status, ()):
        yield replace(contest, status=status, owed=contest.owed + 1), cost


def shown(contest: Contest, currency: str) -> DisputeReport:
    """What a look-up shows of it."""
    return DisputeReport(
        "dp_1", contest.of, Money(contest.minor, currency), contest.status, contest.status.value
    )


def taken(contest: Contest | None) -> tuple[int, int]:
    """What it takes of the payment: for now, and for good."""
    if contest is None:
        return 0, 0
    if contest.status in OPEN:
        return contest.minor, 0
    return 0, contest.minor if contest.status in (_S.LOST, _S.ACCEPTED) else 0


def is_disputable(operation: str, status: str, captured: int) -> bool:
    """Whether a payer can dispute it: money was taken."""
    return charges(operation) and status == "approved" and captured > 0
