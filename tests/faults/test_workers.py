"""Workers that are killed, stopped or poisoned: what they had begun is finished by another, or by themselves."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import Any

import pytest
from support.installation import LEASE_S, SOON_S, STOP_S, Installation, wait_until
from support.own_worker import OwnWorker, own_worker
from support.resources_at_rest import Baseline
from support.steady_load import Load


def sent_by(running: Installation, payment_id: str) -> int:
    """The process that is calling a gateway for the payment, once it does."""
    wait_until(lambda: [attempt["status"] for attempt in running.attempts(payment_id)] == ["SENT"], SOON_S)
    (job,) = running.rows("SELECT claimed_by FROM jobs WHERE payment_id = %(id)s", id=payment_id)
    return int(job["claimed_by"].rpartition(":")[2])


@pytest.mark.row(24)
@pytest.mark.slow
def test_a_killed_childs_payment_is_finished_by_another_child(running: Installation) -> None:
    wait_until(running.worker_pid, SOON_S)
    worker_pid = running.worker_pid()
    payment_id = running.accepted("tok_latency_1800")
    os.kill(sent_by(running, payment_id), signal.SIGKILL)
    payment = running.ended(payment_id, within_s=LEASE_S + SOON_S)
    assert payment["state"] == "SUCCESS"
    assert len(payment["attempts"]["data"]) == 1
    assert running.worker_pid() == worker_pid


@pytest.mark.row(25)
@pytest.mark.slow
def test_a_killed_workers_payment_is_finished_by_another(running: Installation) -> None:
    payment_id = running.accepted("tok_latency_1800")
    sent_by(running, payment_id)
    running.kill_worker()
    payment = running.ended(payment_id, within_s=LEASE_S + SOON_S)
    assert payment["state"] == "SUCCESS"
    # Killed between the attempt's commit and its first byte, the charge is sent again under the same key.
    assert len(payment["attempts"]["data"]) == 1


@pytest.mark.row(29)
@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"REMAP_SIGTERM": "SIGQUIT"}], ids=["TERM", "QUIT"])
def test_ten_restarts_under_load_interrupt_no_call(running: Installation, settings: dict[str, Any]) -> None:
    running.ended(running.accepted("tok_visa"))
    baseline = Baseline.of(running)
    with running.without_worker(), ExitStack() as workers:
        worker = workers.enter_context(OwnWorker(running, AEGIS_RUN_LIMIT_S="1", **settings))
        stopped = []
        with Load(running) as load:
            for _ in range(10):
                following = workers.enter_context(OwnWorker(running, AEGIS_RUN_LIMIT_S="1", **settings))
                worker.process.terminate()  # Celery's soft shutdown takes its 25 s; the next one goes on meanwhile
                stopped.append(worker)
                worker = following
        assert [worker.process.wait(STOP_S) for worker in stopped] == 10 * [0]
        assert worker.answers()
        payments = [running.ended(payment_id) for payment_id in load.payment_ids]
    assert not load.refused
    assert {payment["state"] for payment in payments} == {"SUCCESS"}
    # Every call came back to the one who had made it, if only as a timeout of its own.
    interrupted = "SELECT * FROM attempts WHERE payment_id = ANY(%(ids)s) AND latency_ms IS NULL"
    assert running.rows(interrupted, ids=load.payment_ids) == []
    baseline.reached_again()


@pytest.mark.row(30)
@pytest.mark.slow
def test_a_payment_that_kills_its_worker_goes_to_review_and_takes_no_other_along(
    running: Installation,
) -> None:
    with running.without_worker():
        poison = running.accepted("tok_poison")
        others = [running.accepted("tok_latency_200") for _ in range(6)]
        with OwnWorker(running, including="poison", AEGIS_POISON_CAP="4"):
            assert {running.ended(payment_id)["state"] for payment_id in others} == {"SUCCESS"}
            reviewed = "SELECT id FROM jobs WHERE payment_id = %(id)s AND status = 'review'"
            wait_until(lambda: running.rows(reviewed, id=poison), SOON_S)
            assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
    assert running.charges(poison) == []


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_finishes_the_call_that_it_has_begun(running: Installation) -> None:
    with own_worker(running, AEGIS_RUN_LIMIT_S="1") as worker:
        payment_id = running.accepted("tok_latency_1800")
        sent_by(running, payment_id)
        assert worker.terminate() == 0
        payment = running.payment(payment_id)
    assert payment["state"] == "SUCCESS"
    assert [(attempt["sends"], attempt["checks"]) for attempt in payment["attempts"]["data"]] == [(1, 0)]
