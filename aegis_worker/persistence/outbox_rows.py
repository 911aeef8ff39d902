"""The outbox: claim due events, in order within each payment; put off those that failed; remove those delivered.

A row points at an event. `due_at` is "not before" and, while it is `leased`, the end of the drainer's lease;
`lease_epoch` is the fence. A row is claimed only together with every earlier row of its payment, or if there is none. An
earlier row may be missing from a claim because another drain has locked or leased it, because it waits after a failure,
or because LIMIT cut it off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from msgspec import Struct
from sqlalchemy import Connection

from .prepared import ROW_BY_ROW, Prepared
from .published import JOIN_PUBLISHED, PUBLISHED_COLUMNS, PublishedEvent, published_from_row
from .statement_files import text_of

_CLAIM = Prepared(
    "outbox_claim",
    text_of("outbox_claim", published_columns=PUBLISHED_COLUMNS, join_published=JOIN_PUBLISHED),
    "int, float8",
    before=ROW_BY_ROW,
)
_REMOVE = Prepared("outbox_remove", text_of("outbox_remove"), "text[], int[], int[]", before=ROW_BY_ROW)

_BACK_OFF = """
UPDATE outbox o
SET leased = false, tries = o.tries + 1, last_error = %(error)s,
    due_at = statement_timestamp() + make_interval(secs => mine.delay_s)
FROM unnest(%(payment_ids)s::text[], %(seqs)s::int[], %(epochs)s::int[], %(delays_s)s::float8[])
    AS mine(payment_id, seq, lease_epoch, delay_s)
WHERE o.payment_id = mine.payment_id AND o.seq = mine.seq AND o.lease_epoch = mine.lease_epoch
    AND o.leased
"""

_LAG = """
SELECT count(*) AS pending, count(*) FILTER (WHERE tries > 0) AS failed,
    count(*) FILTER (WHERE leased AND due_at > statement_timestamp()) AS leased,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_s
FROM outbox
"""

_MAX_ERROR = 200


class ClaimedEvent(Struct, frozen=True):
    """An outbox row that this drainer holds; `tries` counts the failures so far."""

    event: PublishedEvent
    lease_epoch: int
    tries: int


@dataclass(frozen=True, slots=True)
class OutboxClaim:
    """`events` by payment and seq. `moved` also counts due rows that were put off behind others.

    If it is 0, nothing is due but perhaps rows that another drain is claiming at this moment. `full`: the claim looked at
    as many rows as its limit allows, so more may be due. `to_fan_out` by payment and seq: the claim has marked these
    events as fanned out, so their deliveries must be made in the same transaction.
    """

    events: tuple[ClaimedEvent, ...]
    to_fan_out: tuple[PublishedEvent, ...]
    moved: int
    full: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """`removed`: rows that were still ours and are gone. `freed`: rows behind them that wait for nobody, due now."""

    removed: int
    freed: int


class Lag(TypedDict):
    """How far behind delivery to a sink is: how many are pending, and the age of the oldest in seconds.

    Of the pending ones `failed` have failed before and will be tried again, `leased` are being delivered just now.
    """

    pending: int
    failed: int
    leased: int
    oldest_age_s: float


def claim(connection: Connection, *, limit: int, lease_s: float) -> OutboxClaim:
    """Look at up to `limit` due rows and take those whose turn it is, each for `lease_s` seconds under a raised fence."""
    rows: Sequence[Sequence[Any]] = _CLAIM.execute(connection, limit, lease_s).all()
    events: list[ClaimedEvent] = []
    to_fan_out: list[PublishedEvent] = []
    for claimed, _, lease_epoch, tries, fan_out, *columns in rows:
        if claimed or fan_out:
            event = published_from_row(columns)
            if claimed:
                events.append(ClaimedEvent(event, lease_epoch, tries))
            if fan_out:
                to_fan_out.append(event)
    return OutboxClaim(
        events=tuple(events),
        to_fan_out=tuple(to_fan_out),
        moved=sum(moved for _, moved, *_ in rows),
        full=len(rows) >= limit,
    )


def remove(connection: Connection, claimed: Sequence[ClaimedEvent]) -> Removal:
    """Remove delivered events whose rows are still ours."""
    row = _REMOVE.execute(connection, *_mine(claimed).values()).one()
    return Removal(removed=row.removed, freed=row.freed)


def back_off(
    connection: Connection, claimed: Sequence[ClaimedEvent], delays_s: Sequence[float], error: str
) -> int:
    """Put off events that were not delivered, each by its delay; returns how many rows were still ours."""
    parameters = {**_mine(claimed), "delays_s": list(delays_s), "error": error[:_MAX_ERROR]}
    return connection.exec_driver_sql(_BACK_OFF, parameters).rowcount


def lag(connection: Connection) -> Lag:
    """Reads the whole outbox: for people and for a gauge every few seconds, not for a hot path."""
    row = connection.exec_driver_sql(_LAG).one()
    return Lag(pending=row.pending, failed=row.failed, leased=row.leased, oldest_age_s=row.oldest_age_s)


def _mine(claimed: Sequence[ClaimedEvent]) -> dict[str, list[str] | list[int]]:
    return {
        "payment_ids": [row.event.payment_id for row in claimed],
        "seqs": [row.event.seq for row in claimed],
        "epochs": [row.lease_epoch for row in claimed],
    }
