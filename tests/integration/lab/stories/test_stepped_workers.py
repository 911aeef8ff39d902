"""Workers of a story: the product's own run, halted between its effects, under a clock that goes on when it is told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.payments import accept_one, attempts_of, job_of, rows, story_of
from support.stories import LEASE_S, Ledger, tables_of_stories, worker

from aegis_worker.clock import clock_s
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.lab.stories.installation import CLAIMED, LEAVING, WRITTEN, StoryInstallation, StoryTables


@pytest.fixture(scope="module")
def tables(stores: Stores) -> Iterator[StoryTables]:
    with tables_of_stories(stores) as told:
        yield told


@pytest.fixture
def story(tables: StoryTables) -> Iterator[StoryInstallation]:
    with tables.begun() as installation:
        yield installation


def test_a_worker_that_is_stepped_to_its_end_has_charged_the_payment(story: StoryInstallation) -> None:
    ledger, payment_id = Ledger(story, "a"), accept_one(story.database).payment.id
    one = worker(story, "worker 1", ledger)
    assert [one.until(CLAIMED), one.until(LEAVING), one.until("gateway.answered")] == [
        CLAIMED,
        LEAVING,
        "gateway.answered",
    ]
    assert attempts_of(story.database, payment_id)[0]["status"] == "SENT"
    assert one.until() is None
    assert story_of(story.database, payment_id)[-1] == "SUCCEEDED"


def test_time_stands_still_until_it_is_told_to_pass_and_then_passes_for_postgresql_and_this_process_alike(
    story: StoryInstallation,
) -> None:
    def both() -> tuple[float, float]:
        (row,) = rows(story.database, "SELECT extract(epoch FROM statement_timestamp())::float8 AS at_s")
        return clock_s(), row["at_s"]

    before, again = both(), both()
    assert again[0] == before[0]
    assert again[1] - before[1] < 0.001
    story.clock.pass_until(3600.0)
    after = both()
    assert after[0] - before[0] == 3600.0
    assert after[1] - before[1] == pytest.approx(3600.0, abs=0.001)
    with pytest.raises(ValueError, match="is over"):
        story.clock.pass_until(3599.0)


def test_a_worker_that_wakes_after_another_has_taken_over_writes_nothing(story: StoryInstallation) -> None:
    ledger, payment_id = Ledger(story, "a"), accept_one(story.database).payment.id
    frozen = worker(story, "worker 1", ledger)
    assert frozen.until(LEAVING) == LEAVING
    assert worker(story, "worker 2", ledger).until() is None  # nothing is due
    assert job_of(story.database, payment_id)["lease_epoch"] == 1
    story.clock.pass_until(LEASE_S + 1)
    assert (
        worker(story, "worker 2", ledger).until() is None
    )  # it finds nothing, and repeats the call under its key
    told = story_of(story.database, payment_id)
    assert told[-1] == "SUCCEEDED"
    assert frozen.until("gateway.answered", WRITTEN) == "gateway.answered"
    assert frozen.until(WRITTEN) == WRITTEN
    assert frozen.until() is None
    assert story_of(story.database, payment_id) == told
    assert (job_of(story.database, payment_id)["lease_epoch"], len(ledger.charged)) == (2, 1)


def test_a_worker_that_is_left_where_it_halts_does_nothing_any_more_and_the_next_story_begins_empty(
    tables: StoryTables,
) -> None:
    with tables.begun() as story:
        ledger = Ledger(story, "a")
        accept_one(story.database)
        dead = worker(story, "worker 1", ledger)
        assert dead.until(LEAVING) == LEAVING
    with tables.begun() as story:
        assert rows(story.database, "SELECT id FROM payments") == []
        assert accept_one(story.database).replayed is False
        assert worker(story, "worker 1", Ledger(story, "a")).until() is None
        assert rows(story.database, "SELECT state FROM payments") == [{"state": "SUCCESS"}]
    assert ledger.charged == []
    assert dead.at == LEAVING
