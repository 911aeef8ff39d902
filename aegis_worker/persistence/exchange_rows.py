"""What went out to gateways and came back (`exchanges`), kept for a while for people to read."""

from __future__ import annotations

import time
from collections.abc import Sequence

from aegis_worker.domain.exchanges import AttemptExchange

from .database import Database
from .prepared import Prepared

# The verify ladder asks 17 times in a week, and a charge that was given up is asked about five times more. Sends are not
# counted: an attempt is sent once, and twice more at most where nothing left.
MOST_OF_ATTEMPT = 32

# By arrays, because PostgreSQL reads them faster than JSON that holds JSON. Nobody waits for the disk, so a crash of
# PostgreSQL may cost the exchanges of its last moments, never an outcome.
_KEEP = Prepared(
    "keep_exchanges",
    f"""
    WITH kept AS (
        INSERT INTO exchanges (payment_id, id, operation, number, kind, at, told)
        SELECT n.payment_id, n.id, n.operation, n.number, n.kind, clock_timestamp() - make_interval(secs => n.ago_s), n.told
        FROM unnest($1, $2, $3, $4, $5, $6, $7) AS n(payment_id, id, operation, number, kind, ago_s, told)
        WHERE n.kind = 'send' OR (SELECT count(*) FROM exchanges e WHERE e.payment_id = n.payment_id
            AND e.operation = n.operation AND e.number = n.number) < {MOST_OF_ATTEMPT}
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT count(*) FROM kept
    """,
    "text[], bigint[], text[], int[], text[], float8[], text[]",
    before="SET LOCAL synchronous_commit = off",
)


class PostgresExchanges:
    """`pipeline.ports.ExchangeStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, exchanges: Sequence[AttemptExchange]) -> None:
        """Keep them, at most MOST_OF_ATTEMPT of an attempt, the first ones. Raises DatabaseUnavailable."""
        now_s = time.monotonic()
        self._database.run_alone(
            _KEEP,
            [one.payment_id for one in exchanges],
            [one.id for one in exchanges],
            [one.operation for one in exchanges],
            [one.number for one in exchanges],
            [one.kind.value for one in exchanges],
            [now_s - one.noted.began_s for one in exchanges],
            [one.noted.told for one in exchanges],
        )
