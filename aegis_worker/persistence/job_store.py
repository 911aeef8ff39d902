"""Jobs on PostgreSQL, as a run works with them: `pipeline.ports.JobStore`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.crash_points import reached
from aegis_worker.domain.card_networks import CardDecline, CardHistory
from aegis_worker.domain.changes import Change
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.payment import Payment
from aegis_worker.errors import ChangeRefused
from aegis_worker.sealing.ring import KeyRing

from .action_secrets import keep_actions
from .asking import recheck_now
from .card_declines import declined_lately, note_declines
from .claims import begin, claim, excuse, hand_back
from .confirm_rows import erase_confirms, with_confirms
from .database import Database
from .mapping import payments_now
from .record import record


class PostgresJobs:
    """Each method is one transaction, which is repeated after a lost connection (see `Database.run`).

    `ring` seals what may be kept for moments only.
    """

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring

    def claim(self, queue: str, *, limit: int, lease_s: float, worker: str) -> list[ClaimedJob]:
        """See `claims.claim`."""

        def take(connection: Connection) -> list[ClaimedJob]:
            jobs = claim(connection, queue, limit=limit, lease_s=lease_s, worker=worker)
            return with_confirms(connection, self._ring, jobs)

        return self._database.run(take)

    def begin(self, jobs: Sequence[ClaimedJob]) -> None:
        """See `claims.begin`."""
        self._database.run(lambda connection: begin(connection, jobs))

    def record(
        self, changes: Sequence[Change], declines: Mapping[str, CardDecline], *, lease_s: float
    ) -> set[str]:
        """See `record.record`."""

        def write(connection: Connection) -> set[str]:
            held = record(connection, changes, lease_s=lease_s)
            note_declines(connection, [decline for job_id, decline in declines.items() if job_id in held])
            stand = [change for change in changes if change.job_id in held]
            keep_actions(connection, self._ring, stand)
            erase_confirms(connection, stand)
            reached(changes, "attempt.written", "outcome.written")
            return held

        try:
            return self._database.run(write)
        except DBAPIError as error:
            raise ChangeRefused([change.payment.id for change in changes]) from error

    def payments(self, payment_ids: Collection[str]) -> dict[str, Payment]:
        """The payments as they stand now, by id."""
        return self._database.run(lambda connection: payments_now(connection, payment_ids))

    def hand_back(self, jobs: Sequence[ClaimedJob], *, delay_s: float) -> None:
        """See `claims.hand_back`."""
        self._database.run(lambda connection: hand_back(connection, jobs, delay_s=delay_s))

    def excuse(self, jobs: Sequence[ClaimedJob]) -> None:
        """See `claims.excuse`."""
        self._database.run(lambda connection: excuse(connection, jobs))

    def recheck_now(self, charges: Sequence[tuple[str, int, str | None]]) -> None:
        """See `asking.recheck_now`."""
        self._database.run(lambda connection: recheck_now(connection, charges))

    def declined_lately(self, card_keys: Collection[bytes]) -> dict[bytes, CardHistory]:
        """See `card_declines.declined_lately`."""
        return self._database.run(lambda connection: declined_lately(connection, card_keys))
