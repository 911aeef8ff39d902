"""What went out to gateways and came back (`exchanges`), kept for a while for people to read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aegis_worker.domain.exchanges import AttemptExchange

from .database import Database
from .prepared import ROW_BY_ROW, Prepared
from .statement_files import text_of

# The verify ladder asks 17 times in a week, and a charge that was given up is asked about five times more.
MOST_OF_ATTEMPT = 32

# Nobody waits for the disk: a crash of PostgreSQL may cost the exchanges of its last moments, never an outcome.
KEEP = Prepared(
    "keep_exchanges",
    text_of("keep_exchanges", most=str(MOST_OF_ATTEMPT)),
    "text[], bigint[], text[], int[], text[], float8[], text[]",
    before=f"{ROW_BY_ROW}; SET LOCAL synchronous_commit = off",
)


class PostgresExchanges:
    """`pipeline.ports.ExchangeStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, exchanges: Sequence[AttemptExchange]) -> None:
        """Keep them, at most MOST_OF_ATTEMPT of an attempt, the first ones. Raises DatabaseUnavailable."""
        self._database.run_alone(KEEP, *columns_of(exchanges))


def columns_of(exchanges: Sequence[AttemptExchange]) -> list[list[Any]]:
    """What KEEP takes: the columns of these exchanges, told now."""
    now_s = time.monotonic()
    return [
        [one.payment_id for one in exchanges],
        [one.id for one in exchanges],
        [one.operation for one in exchanges],
        [one.number for one in exchanges],
        [one.kind.value for one in exchanges],
        [now_s - one.noted.began_s for one in exchanges],
        [one.noted.told for one in exchanges],
    ]
