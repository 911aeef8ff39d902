"""What gateways took in and gave back for us, by day: to be held against what they pay out.

It is counted by the day on which a payment was accepted, from the totals that events keep, seconds behind. Gateways pay
out by the day on which they captured, less their fees: over a few days the sums agree, on one day they may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

MOST_ROWS = 2000

_BY_DAY = """
SELECT at AS day, gateway, mode, currency,
    coalesce(sum(payments) FILTER (WHERE captured_minor > 0), 0)::bigint AS payments,
    sum(captured_minor)::bigint AS captured_minor, sum(refunded_minor)::bigint AS refunded_minor,
    sum(charged_back_minor)::bigint AS charged_back_minor
FROM payment_totals
WHERE kind = 'day' AND merchant_id = '' AND at >= %(since)s AND gateway <> ''
GROUP BY 1, 2, 3, 4 HAVING sum(captured_minor) > 0 ORDER BY 1 DESC, 2, 3, 4 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """One day at one gateway in one currency, in minor units. `payments`: those of which something was captured."""

    day: datetime
    gateway: str
    mode: str
    currency: str
    payments: int
    captured_minor: int
    refunded_minor: int
    charged_back_minor: int

    @property
    def net_minor(self) -> int:
        """What is left before the gateway's fees."""
        return self.captured_minor - self.refunded_minor - self.charged_back_minor


def settlement(connection: Connection, since: datetime, *, limit: int = MOST_ROWS) -> Sequence[Settled]:
    """By day (in UTC) that begins at `since` or later, gateway, mode and currency, the newest first; of all merchants."""
    rows = connection.exec_driver_sql(_BY_DAY, {"since": since, "limit": limit})
    return [Settled(*row) for row in rows]
