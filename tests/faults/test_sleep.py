"""A machine that sleeps: what was true before it says nothing about what may be done after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from support.payments import accept_one, attempts_of, job_of, payment_of
from support.processes import SLEEPING_WORKER
from support.sandbox_process import Sandbox, eventually, running_sandbox

KEY_LIFETIME_S = 4.0
HIDDEN_S = 600


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A gateway that forgets keys soon, and whose look-ups lag far behind its charges."""
    folder = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(folder, "--key-window-s", str(KEY_LIFETIME_S)) as running:
        running.set_faults(status_lag_s=HIDDEN_S)
        yield running


@contextmanager
def asleep(database_url: str, sandbox: Sandbox, **wanted: Any) -> Iterator[dict[str, Any]]:
    """A worker that has fallen asleep; awake at the end, when what it reports stands in what was yielded."""
    worker = subprocess.Popen(
        [sys.executable, SLEEPING_WORKER, database_url, sandbox.url, json.dumps(wanted)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    report: dict[str, Any] = {}
    try:
        assert eventually(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED)
        yield report
    finally:
        worker.send_signal(signal.SIGCONT)
        told, _ = worker.communicate(timeout=30)
    report |= json.loads(told.splitlines()[-1])


@pytest.mark.row(67)
@pytest.mark.slow
@pytest.mark.parametrize("where", ["asking", "heard", "decided", "committed"])
def test_a_charge_is_not_sent_again_after_a_sleep_in_which_its_key_was_forgotten(
    database, database_url, sandbox, where
):
    payment_id = accept_one(database, payment_method={"type": "card", "token": "tok_drop"}).payment.id
    with asleep(database_url, sandbox, asleep=where, lease_s=90.0, key_lifetime_s=KEY_LIFETIME_S):
        (attempt,) = attempts_of(database, payment_id)
        assert (attempt["sends"], len(sandbox.booked(f"{payment_id}-p1"))) == (1 + (where == "committed"), 1)
        time.sleep(KEY_LIFETIME_S + 0.5)
    assert len(sandbox.booked(f"{payment_id}-p1")) == 1
    assert payment_of(database, payment_id).certainty == "unknown"


@pytest.mark.slow
@pytest.mark.row(67)
@pytest.mark.parametrize("where", ["asking", "heard"])
def test_a_worker_that_slept_past_its_lease_decides_nothing_though_nobody_took_over(
    database, database_url, sandbox, where
):
    lease_s = 1.5
    payment_id = accept_one(database, payment_method={"type": "card", "token": "tok_drop"}).payment.id
    with asleep(database_url, sandbox, asleep=where, lease_s=lease_s, key_lifetime_s=86_400) as report:
        before = attempts_of(database, payment_id), job_of(database, payment_id)["status"]
        time.sleep(lease_s)
    assert report["lost"] == 1
    assert (attempts_of(database, payment_id), job_of(database, payment_id)["status"]) == before
    assert before[1] == "running"
    assert len(sandbox.booked(f"{payment_id}-p1")) == 1
