"""A decision that stands beside the review, and somebody who is quicker between any two looks at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.payments import accept_one, job_of, payment_of, pipeline, rows, story_of
from support.reviews import DOWN, HASTY, SEEN, WHY, doubtful, in_review
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidState
from aegis_worker.intake import request_sync
from aegis_worker.persistence.audit_log import list_entries, verify
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.review import looking, standing
from aegis_worker.review.resolve import Resolution, Resolved, ReviewParts, resolve
from aegis_worker.review.standing import carry_out_due

NOTHING_BECAME = {"took_effect": 0, "refused": 0, "overtaken": 0}


class Interrupted:
    """PostgreSQL, with what others do just before this process's next reads and writes: the first one first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.before_reads: list[Callable[[], Any]] = []
        self.before_writes: list[Callable[[], Any]] = []

    def read(self) -> Any:
        if self.before_reads:
            self.before_reads.pop(0)()
        return self._database.read()

    def run(self, work: Any) -> Any:
        if self.before_writes:
            self.before_writes.pop(0)()
        return self._database.run(work)


class Deaf(Interrupted):
    """Every commit is made, is not heard of, and is made once more."""

    def run(self, work: Any) -> Any:
        self._database.run(work)
        return self._database.run(work)


def parts_of(database: Any, *gateways: Any) -> ReviewParts:
    by_name = {gateway.config.name: gateway for gateway in gateways}
    return ReviewParts(database, lambda: by_name, lambda queue: None, 900.0)


def decide(database: Any, payment_id: str, kind: Any, *gateways: Any, **more: Any) -> Resolved:
    resolution = Resolution(kind, WHY, **({"evidence": SEEN} | more))
    return resolve(parts_of(database, *gateways), payment_id, resolution, actor="cli:asha")


def make_due(database: Database) -> None:
    database.run(lambda tx: tx.exec_driver_sql("UPDATE decisions SET look_at = now()"))


def tick(database: Database, *gateways: Any, seen_through: Any = None) -> dict[str, int]:
    make_due(database)
    return carry_out_due(parts_of(seen_through or database, *gateways))


def nothing() -> None:
    """Nobody comes between."""


def standing_now(database: Database) -> list[Any]:
    return rows(database, "SELECT resolution, refused_because FROM decisions")


def log_of(database: Database, payment_id: str) -> list[str]:
    assert verify(database).why is None
    with database.read() as connection:
        return [entry.action for entry in list_entries(connection, limit=20, payment_id=payment_id)]


def ask_again_by_a_worker(database: Database) -> None:
    database.run(
        lambda tx: tx.exec_driver_sql("UPDATE jobs SET status = 'waiting', queue = 'verify', run_at = now()")
    )


def test_a_decision_is_not_kept_where_the_job_left_review_while_the_gateway_was_asked(
    database: Database,
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)

    def meanwhile(query: Any) -> Any:
        ask_again_by_a_worker(database)
        return DOWN

    gateway.look_up = meanwhile
    with pytest.raises(InvalidState, match="left review"):
        decide(database, payment_id, "not_charged", gateway)
    assert (standing_now(database), log_of(database, payment_id)) == ([], [])


def test_a_decision_whose_commit_was_not_heard_of_is_made_and_told_once(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    stands = decide(Deaf(database), payment_id, "not_charged", gateway)
    assert stands.decision is not None
    assert standing_now(database) == [{"resolution": "not_charged", "refused_because": None}]
    assert log_of(database, payment_id) == ["payment.decided"]


def test_a_decision_that_is_taken_back_just_as_another_takes_it_out_is_told_to_be_gone(
    database: Database,
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway)

    def withdraw() -> str:
        with pytest.raises(InvalidState) as refused:
            decide(database, payment_id, "withdraw", gateway, evidence=None)
        return str(refused.value)

    with ThreadPoolExecutor(1) as pool:

        def takes_it_out_first(connection: Any) -> Any:
            connection.exec_driver_sql("DELETE FROM decisions")
            withdrawing = pool.submit(withdraw)
            until_somebody_waits_for_a_lock(database)
            return withdrawing

        refused = database.run(takes_it_out_first).result(20)
    assert "took effect meanwhile, or was taken back by another" in refused
    assert log_of(database, payment_id) == ["payment.decided"]


def until_somebody_waits_for_a_lock(database: Database) -> None:
    give_up_at_s = time.monotonic() + 20
    waiting = (
        "SELECT count(*) AS n FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not rows(database, waiting)[0]["n"]:
        assert time.monotonic() < give_up_at_s, "nobody waits"
        threading.Event().wait(0.02)


def test_a_tick_asks_about_all_that_is_due_a_batch_after_the_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "_BATCH", 1)
    gateway = doubtful()
    for key in ("k1", "k2"):
        decide(database, in_review(database, gateway, key=key), "not_charged", gateway)
    assert tick(database, gateway) == {"asked": 2, **NOTHING_BECAME}


def test_a_tick_whose_time_is_spent_leaves_what_is_due_to_the_next_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = doubtful()
    decide(database, in_review(database, gateway), "not_charged", gateway)
    with monkeypatch.context() as spent:
        spent.setattr(standing, "_BUDGET_S", 0.0)
        assert tick(database, gateway)["asked"] == 0
    assert tick(database, gateway)["asked"] == 1


def test_a_decision_that_was_replaced_before_it_was_looked_at_is_left_to_the_look_at_the_new_one(
    database: Database,
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway)
    seen = Interrupted(database)
    seen.before_reads = [lambda: decide(database, payment_id, "charged", gateway, gateway_ref="ch_77")]
    assert tick(database, gateway, seen_through=seen) == {"asked": 1, **NOTHING_BECAME}
    assert standing_now(database) == [{"resolution": "charged", "refused_because": None}]


def test_a_decision_about_a_payment_that_has_ended_closes_its_review_and_changes_no_end(
    database: Database,
) -> None:
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    run(pipeline(database, gateway), "payments")
    before = payment_of(database, payment_id)
    gateway.look_up = lambda query: DOWN
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(pipeline(database, gateway, policy=HASTY), "verify")
    assert job_of(database, payment_id)["status"] == "review"
    decide(database, payment_id, "charged", gateway)
    story = story_of(database, payment_id)
    gateway.look_up = gateway.by_ledger
    assert tick(database, gateway)["took_effect"] == 1
    after = payment_of(database, payment_id)
    assert (after.state, after.gateway_ref) == (State.SUCCESS, before.gateway_ref)
    assert story_of(database, payment_id) == story
    assert job_of(database, payment_id)["status"] == "succeeded"


def test_what_a_gateway_said_too_long_ago_has_no_decision_take_effect(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "charged", gateway, gateway_ref="ch_77")
    gateway.look_up = lambda query: Approved("ch_77")
    with monkeypatch.context() as asleep:
        asleep.setattr(looking, "_ANSWERS_HOLD_S", 0.0)
        assert tick(database, gateway) == {"asked": 1, **NOTHING_BECAME}
    assert payment_of(database, payment_id).state is State.PROCESSING
    assert tick(database, gateway)["took_effect"] == 1


def test_a_decision_that_was_taken_back_while_its_gateway_contradicted_it_is_not_told_as_refused(
    database: Database,
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway)

    def meanwhile(query: Any) -> Any:
        gateway.look_up = lambda query: Unknown("down")
        decide(database, payment_id, "withdraw", gateway, evidence=None)
        return Approved("ch_1")

    gateway.look_up = meanwhile
    tick(database, gateway)
    assert standing_now(database) == []
    assert log_of(database, payment_id) == ["payment.decision_withdrawn", "payment.decided"]


def test_of_two_ticks_that_find_a_decision_overtaken_one_tells_it(database: Database) -> None:
    gateway = doubtful(charges=True)
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway)
    gateway.look_up = gateway.by_ledger
    ask_again_by_a_worker(database)
    run(pipeline(database, gateway, policy=HASTY), "verify")
    seen = Interrupted(database)
    seen.before_writes = [nothing, lambda: tick(database, gateway)]
    tick(database, gateway, seen_through=seen)
    assert standing_now(database) == []
    assert log_of(database, payment_id) == ["payment.decision_overtaken", "payment.decided"]
