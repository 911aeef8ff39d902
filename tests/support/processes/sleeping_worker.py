"""A worker process that falls asleep between an answer and what it does next: `python sleeping_worker.py URL URL JSON`.

JSON: `{"asleep": where, "lease_s": …, "key_lifetime_s": …}`. It charges, gets no answer, asks, and stops itself; the
test sends CONT. It prints its report as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import create_engine

from aegis_worker.domain.card_networks import CardDecline
from aegis_worker.domain.changes import Change
from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.outcomes import Lookup
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.requests import StatusQuery
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.permits import STATUS, Verdict, Wanted
from support.payments import A_RING, OpenGates, make_due, pipeline
from support.sandbox_process import API_KEY


class Sleeper:
    """Stops the process the first time that it passes `where`, once it is told to."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.is_tired = False

    def comes_by(self, where: str) -> None:
        if self.is_tired and where == self._where:
            self.is_tired = False
            os.kill(os.getpid(), signal.SIGSTOP)


class Gates(OpenGates):
    """Gates that may sleep between a decision and its commit."""

    def __init__(self, comes_by: Callable[[str], None]) -> None:
        self._comes_by = comes_by

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        if any(want.operations != (STATUS,) for want in wanted):
            self._comes_by("decided")
        return super().admit(wanted)


class Jobs(PostgresJobs):
    """A job store that may sleep between a commit and the call that the commit allows."""

    def __init__(self, database: Database, comes_by: Callable[[str], None]) -> None:
        super().__init__(database, A_RING)
        self._comes_by, self.asked = comes_by, False

    def record(
        self, changes: Sequence[Change], declines: Mapping[str, CardDecline], *, lease_s: float
    ) -> set[str]:
        held = super().record(changes, declines, lease_s=lease_s)
        if self.asked:
            self._comes_by("committed")
        return held


def main(database_url: str, gateway_url: str, wanted: str) -> None:
    """Charge and ask, and sleep once."""
    asleep, lease_s, key_lifetime_s = (
        json.loads(wanted)[name] for name in ("asleep", "lease_s", "key_lifetime_s")
    )
    sleeper = Sleeper(asleep)
    database = Database(create_engine(database_url))
    jobs = Jobs(database, sleeper.comes_by)

    class Gateway(LoadedGateway):
        def ask(self, query: StatusQuery, done: Callable[[Lookup], None], note: Note | None = None) -> None:
            def heard(said: Lookup) -> None:
                sleeper.comes_by("heard")
                jobs.asked = True
                done(said)

            sleeper.comes_by("asking")
            super().ask(query, heard, note)

    config = GatewayConfig(
        "sandbox_a",
        "sandbox",
        gateway_url,
        API_KEY,
        connect_timeout_s=0.3,
        timeout_s=0.7,
        options={"key_lifetime_s": key_lifetime_s, "absence_window_s": 120},
    )
    parts = pipeline(
        database,
        Gateway(SandboxAdapter(config)),
        lease_s=lease_s,
        # One call at a time, and over when it goes on: it has no room to claim its own job again, nor time to.
        calls_in_flight=1,
        run_limit_s=1,
        gates=Gates(sleeper.comes_by),
        jobs=jobs,
    )
    run(parts, "payments")
    make_due(database)
    sleeper.is_tired = True
    report = run(parts, "verify")
    parts.tail.finish()  # the run's time was over when it woke up, and the answer came behind it
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(*sys.argv[1:])
