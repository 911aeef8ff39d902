"""Rows of `webhook_deliveries`: made, claimed in order per endpoint and payment, and settled.

`due_at` is "not before" and, while it is `leased`, the end of the worker's lease; `lease_epoch` is the fence. A delivery
is claimed only together with every earlier *pending* one of its payment to the same endpoint, or when there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from msgspec import Struct
from msgspec.json import Encoder
from sqlalchemy import Connection

from aegis_worker.domain.trails import NO_TRAIL, Trail

from .prepared import ROW_BY_ROW, Prepared
from .published import JOIN_PUBLISHED, PUBLISHED_COLUMNS, PublishedEvent, published_from_row
from .statement_files import text_of
from .trails import TRAIL_OF_EVENT

# dead: given up after its tries, but it can be delivered again. cancelled: its endpoint is gone, so it can't.
Status = Literal["pending", "delivered", "dead", "cancelled"]

# Asked first, because most merchants have no endpoint, and an INSERT of hundreds of events costs more than this question.
_WITH_ENDPOINTS = """
SELECT DISTINCT merchant_id FROM webhook_endpoints
WHERE merchant_id = ANY (%(merchant_ids)s::text[]) AND disabled_at IS NULL
"""
_MAKE = """
INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id, mode)
SELECT 'whd_' || replace(uuidv7()::text, '-', ''), e.payment_id, e.seq, w.id, e.merchant_id, e.mode
FROM unnest(%(payment_ids)s::text[], %(seqs)s::int[], %(types)s::text[], %(merchant_ids)s::text[], %(modes)s::text[])
    AS e(payment_id, seq, type, merchant_id, mode)
JOIN webhook_endpoints w ON w.merchant_id = e.merchant_id AND w.mode = e.mode AND w.disabled_at IS NULL
WHERE w.event_types = '{}' OR e.type = ANY (w.event_types)
ORDER BY e.payment_id, e.seq
ON CONFLICT (payment_id, seq, endpoint_id) DO NOTHING
"""

_CLAIM = Prepared(
    "webhook_claim",
    text_of(
        "webhook_claim",
        published_columns=PUBLISHED_COLUMNS,
        join_published=JOIN_PUBLISHED,
        trail_of_event=TRAIL_OF_EVENT,
    ),
    "int, float8, int, int, int, text[], text[], text[]",
    before=ROW_BY_ROW,
)
_SETTLE = Prepared(
    "webhook_settle",
    text_of("webhook_settle"),
    "text[], int[], text[], int[], text[], float8[], text[], int",
    before=ROW_BY_ROW,
)

_ENCODER = Encoder()

# Entries kept in a delivery's log: two rounds of ten tries. Older ones are dropped.
_MAX_LOG = 20


class ClaimedDelivery(Struct, frozen=True):
    """A delivery that this worker holds; `tries` counts the failures so far. `trail`: of the request
    that led to the event.
    """

    id: str
    endpoint_id: str
    url: str
    secret_version: int
    lease_epoch: int
    tries: int
    event: PublishedEvent
    trail: Trail = NO_TRAIL


class ClaimShares(TypedDict):
    """The parameters of `claim` that say how many deliveries it takes from which endpoints and merchants."""

    per_endpoint: int
    per_merchant: int
    per_proven: int
    proven: Sequence[str]
    skip: Sequence[str]
    skip_merchants: Sequence[str]


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """`deliveries` by payment, endpoint and seq. `moved` also counts due deliveries that were put off behind others.

    If it is 0, nothing is due but perhaps deliveries that another worker is claiming at this moment.
    """

    deliveries: tuple[ClaimedDelivery, ...]
    moved: int


class Settlement(Struct, frozen=True):
    """What becomes of a claimed delivery. If pending, it is due after `delay_s`. Without an `entry` it was not sent."""

    delivery: ClaimedDelivery
    status: Status
    delay_s: float = 0.0
    entry: Mapping[str, Any] | None = None


def make(connection: Connection, events: Sequence[PublishedEvent]) -> int:
    """Make a delivery of each event for every active endpoint of its merchant and mode that wants it.

    Returns how many are new.
    """
    merchant_ids = list({event.merchant_id for event in events})
    found = connection.exec_driver_sql(_WITH_ENDPOINTS, {"merchant_ids": merchant_ids})
    with_endpoints = set(found.scalars())
    wanted = [event for event in events if event.merchant_id in with_endpoints]
    if not wanted:
        return 0
    parameters = {
        "payment_ids": [event.payment_id for event in wanted],
        "seqs": [event.seq for event in wanted],
        "types": [event.type.value for event in wanted],
        "merchant_ids": [event.merchant_id for event in wanted],
        "modes": [event.mode for event in wanted],
    }
    return connection.exec_driver_sql(_MAKE, parameters).rowcount


def claim(
    connection: Connection,
    *,
    limit: int,
    lease_s: float,
    per_endpoint: int,
    skip: Sequence[str],
    per_merchant: int | None = None,
    per_proven: int | None = None,
    proven: Sequence[str] = (),
    skip_merchants: Sequence[str] = (),
) -> DeliveryClaim:
    """Look at up to `limit` due deliveries and take those whose turn it is.

    At most `per_endpoint` come from one endpoint and `per_merchant` from one merchant; but `per_proven` from an endpoint
    in `proven`, and from its merchant. Endpoints that are disabled, at rest or in `skip`, and merchants in
    `skip_merchants`, are left out.
    """
    rows: Sequence[Sequence[Any]] = _CLAIM.execute(
        connection,
        limit,
        lease_s,
        per_endpoint,
        limit if per_merchant is None else per_merchant,
        per_endpoint if per_proven is None else per_proven,
        list(proven),
        list(skip),
        list(skip_merchants),
    ).all()
    deliveries = tuple(_claimed(row) for claimed, _, *row in rows if claimed)
    return DeliveryClaim(deliveries, moved=sum(moved for _, moved, *_ in rows))


def settle(connection: Connection, settlements: Sequence[Settlement]) -> int:
    """Write down what became of claimed deliveries; returns how many were still ours."""
    deliveries = [settlement.delivery for settlement in settlements]
    settled = _SETTLE.execute(
        connection,
        [delivery.event.payment_id for delivery in deliveries],
        [delivery.event.seq for delivery in deliveries],
        [delivery.endpoint_id for delivery in deliveries],
        [delivery.lease_epoch for delivery in deliveries],
        [settlement.status for settlement in settlements],
        [settlement.delay_s for settlement in settlements],
        [_ENCODER.encode(item.entry).decode() if item.entry is not None else None for item in settlements],
        _MAX_LOG,
    )
    return int(settled.scalar_one())


def _claimed(row: Sequence[Any]) -> ClaimedDelivery:
    id, endpoint_id, url, secret_version, lease_epoch, tries, correlation_id, traceparent, *event = row
    return ClaimedDelivery(
        id,
        endpoint_id,
        url,
        secret_version,
        lease_epoch,
        tries,
        published_from_row(event),
        Trail(correlation_id, traceparent),
    )
