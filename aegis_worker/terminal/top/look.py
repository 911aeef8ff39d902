"""One look at an installation: what is due, what is in doubt, what waits for people, how gateways and endpoints do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aegis_worker.queries.backlogs import EndpointBacklog, QueueBacklog, queue_backlogs, slow_endpoints
from aegis_worker.queries.by_minute import PaymentsThen, payments_by_minute
from aegis_worker.queries.doubts import Doubt, list_doubts
from aegis_worker.queries.gateway_reports import GatewayReport, report_gateways
from aegis_worker.queries.reviews import Waiting, list_reviews
from aegis_worker.queries.safety import Safety, read_safety
from aegis_worker.wiring.worker import Worker

# As many rows as anybody reads; the first line says how many there are in all.
MOST_ROWS = 50
_MINUTES = 30


@dataclass(frozen=True, slots=True)
class Look:
    """Everything as of `safety.as_of`, at most MOST_ROWS rows of each kind. `rates`: payments by minute, oldest first."""

    safety: Safety
    queues: Sequence[QueueBacklog]
    rates: Sequence[PaymentsThen]
    gateways: Sequence[GatewayReport]
    doubts: Sequence[Doubt]
    reviews: Sequence[Waiting]
    endpoints: Sequence[EndpointBacklog]

    @property
    def as_of(self) -> datetime:
        """When it was looked."""
        return self.safety.as_of


def look(parts: Worker) -> Look:
    """Look once. Raises DatabaseUnavailable. Where Redis is away, gateways have no figures."""
    with parts.database.read() as connection:
        safety = read_safety(connection)
        queues = queue_backlogs(connection)
        _, rates = payments_by_minute(connection, minutes=_MINUTES)
        doubts = list_doubts(connection, limit=MOST_ROWS).rows
        reviews = list_reviews(connection, limit=MOST_ROWS).rows
        endpoints = slow_endpoints(connection, limit=MOST_ROWS)
    gateways = report_gateways(parts.database, parts.gateways, parts.monitor)
    return Look(safety, queues, rates, gateways, doubts, reviews, endpoints)
