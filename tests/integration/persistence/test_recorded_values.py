"""What a change holds stands in PostgreSQL afterwards as it was, or PostgreSQL refuses the change: nothing is altered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.outbox_events import execute, settings_with
from support.payments import A_RING, accept_one, events_of, rows

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import AnswerAttempt, Change, JobChange, OpenAttempt
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.replay import differences
from aegis_worker.domain.screening import Action, Finding, Screening, screened, screening_of
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import ChangeRefused
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """As the programs connect."""
    database = Database.connect(settings_with(database_url=database_url), application="test")
    yield database
    database.dispose()


def a_job(database: Database) -> ClaimedJob:
    accept_one(database)
    (job,) = PostgresJobs(database, A_RING).claim("payments", limit=1, lease_s=90, worker="w")
    return job


def record(database: Database, job: ClaimedJob, **what: Any) -> None:
    change = Change(
        job.id, job.lease_epoch, job.payment, job.payment.version, (), JobChange("running"), **what
    )
    assert PostgresJobs(database, A_RING).record([change], {}, lease_s=90) == {job.id}


def answer(database: Database, job: ClaimedJob, stored: dict[str, Any]) -> None:
    outcome = StoredOutcome.from_json(stored)
    record(
        database,
        job,
        answered=AnswerAttempt(
            Operation.PROCESS, 1, "a", AttemptStatus.UNKNOWN, outcome=outcome, latency_ms=1.5
        ),
    )


def opened(database: Database) -> ClaimedJob:
    job = a_job(database)
    attempt = OpenAttempt(Operation.PROCESS, 1, "a", f"{job.payment.id}-p1", "hash", {"weight": 0.1})
    record(database, job, opened=attempt)
    return job


def outcome_of(database: Database) -> Any:
    ((attempt),) = rows(database, "SELECT outcome FROM attempts")
    return attempt["outcome"]


@pytest.mark.parametrize(
    "stored",
    [
        {"reason": 'Überweisung "später" \\ 支付'},
        {"reason": "soon", "retry_after_s": 0.1},
        {"from_another_version": 10**30, "deep": [10**40]},
        {"from_another_version": -(2**63)},
        {"from_another_version": [1e22, 5e-324, {"deep": [None, True]}]},
        {"reason": None, "message": "no", "code": "stolen_card"},
    ],
)
def test_an_outcome_is_kept_as_it_was(database: Database, stored: dict[str, Any]) -> None:
    answer(database, opened(database), stored)
    assert outcome_of(database) == stored


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), ["deep", {"down": -float("inf")}], "half \ud800"]
)
def test_what_postgresql_can_not_keep_is_refused_and_not_changed_into_something_else(
    database: Database, value: object
) -> None:
    job = opened(database)
    with pytest.raises(ChangeRefused):
        answer(database, job, {"from_another_version": value})
    assert outcome_of(database) is None


@pytest.mark.parametrize(("stored", "read"), [("1e400", 10**400), (f"1{'0' * 400}.5", float("inf"))])
def test_numbers_that_no_float_holds_are_read(database: Database, stored: str, read: object) -> None:
    opened(database)
    outcome = f'{{"from_another_version": {stored}}}'
    execute(database, "UPDATE attempts SET outcome = %(outcome)s", outcome=outcome)
    assert outcome_of(database) == {"from_another_version": read}


def test_half_a_surrogate_pair_in_a_known_field_is_refused(database: Database) -> None:
    job = opened(database)
    with pytest.raises(ChangeRefused):
        answer(database, job, {"reason": "half \udfff"})
    assert outcome_of(database) is None


def test_a_screening_is_kept_on_the_row_by_later_changes_too_as_the_events_tell_it(
    database: Database,
) -> None:
    screening = Screening((Finding("hook shop:fraud", Action.FLAG, 'Überweisung "später"', 90),))
    job = a_job(database)
    payment, events = job.payment.record([screened(screening)])
    kept = Change(job.id, job.lease_epoch, payment, job.payment.version, events, JobChange("running"))
    payment, more = payment.record([Fact(EventType.IN_DOUBT, {"gateway": "a", "reason": "no answer"})])
    then = Change(job.id, job.lease_epoch, payment, kept.payment.version, more, JobChange("waiting"))
    for change in (kept, then):
        assert PostgresJobs(database, A_RING).record([change], {}, lease_s=90) == {job.id}
    (again,) = PostgresJobs(database, A_RING).claim("payments", limit=1, lease_s=90, worker="w")
    assert screening_of(again.payment) == screening
    assert not differences(again.payment, events_of(database, again.payment.id))
