"""What a run needs of the database, whichever tables stand behind it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from aegis_worker.domain.card_networks import CardDecline, CardHistory
from aegis_worker.domain.changes import Change
from aegis_worker.domain.exchanges import AttemptExchange
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.payment import Payment


class JobStore(Protocol):
    """Jobs, and what is written of them. Each method is one transaction and raises DatabaseUnavailable.

    `persistence.job_store` has it on PostgreSQL, the tests' model in memory; tests/integration/pipeline/test_job_store.py
    holds both to the same behaviour.
    """

    def claim(self, queue: str, *, limit: int, lease_s: float, worker: str) -> list[ClaimedJob]:
        """Up to `limit` due or abandoned jobs of the queue, each ours for `lease_s` seconds under its own fence."""

    def begin(self, jobs: Sequence[ClaimedJob]) -> None:
        """Mark claims as begun: left without an answer, they count as a death."""

    def record(
        self, changes: Sequence[Change], declines: Mapping[str, CardDecline], *, lease_s: float
    ) -> set[str]:
        """Write the changes; the ids of the jobs whose change stands. The rest lost their fence and wrote nothing.

        `declines`, by job, are remembered with the changes that stand. Writing the same again is safe. With nothing
        written it raises VersionConflict for a payment that moved, ReferenceTaken for a reference that is another
        payment's, and ChangeRefused for what the tables don't take.
        """

    def payments(self, payment_ids: Collection[str]) -> dict[str, Payment]:
        """The payments as they stand now, by id."""

    def hand_back(self, jobs: Sequence[ClaimedJob], *, delay_s: float) -> None:
        """Give up claims that nothing was done about; they are due again after `delay_s`."""

    def excuse(self, jobs: Sequence[ClaimedJob]) -> None:
        """Take back that whoever claimed these has died, as is or will be believed because they were left."""

    def recheck_now(self, charges: Sequence[tuple[str, int, str | None]]) -> None:
        """Have charges (payment, number, the gateway's reference where it is known) asked about soon, where they were given
        up as refused or absent, or stand under another reference.
        """

    def declined_lately(self, card_keys: Collection[bytes]) -> dict[bytes, CardHistory]:
        """What is remembered of each of the cards."""


class ExchangeStore(Protocol):
    """Where exchanges with gateways are kept; `persistence.exchange_rows` has it on PostgreSQL."""

    def keep(self, exchanges: Sequence[AttemptExchange]) -> None:
        """Keep them, up to so many of an attempt. Keeping the same again is safe. Raises DatabaseUnavailable."""
