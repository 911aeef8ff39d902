"""Clocks that are wrong, beats that are too many or none, gateways slower than every limit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.installation import SOON_S, STOP_S, Installation, wait_until
from support.own_worker import OwnWorker, own_worker
from support.processes import SKEWED_CLOCK

_JOB = "SELECT status, lease_epoch, claimed_by FROM jobs WHERE payment_id = %(id)s"


def clock_off_by(seconds: int) -> dict[str, Any]:
    path = os.pathsep.join(filter(None, (SKEWED_CLOCK, os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, "TEST_CLOCK_SKEW_S": str(seconds)}


@pytest.mark.row(51)
@pytest.mark.slow
@pytest.mark.parametrize("skew_s", [-600, 600])
@pytest.mark.parametrize("is_holder_skewed", [False, True])
def test_a_wrong_clock_ends_no_lease_early(
    running: Installation, skew_s: int, is_holder_skewed: bool
) -> None:
    long_lease: dict[str, Any] = {"AEGIS_LEASE_S": "60"}
    skewed, right = clock_off_by(skew_s) | long_lease, long_lease
    with own_worker(running, **(skewed if is_holder_skewed else right)) as holder:
        held = running.accepted("tok_latency_1800")
        wait_until(lambda: [attempt["status"] for attempt in running.attempts(held)] == ["SENT"], SOON_S)
        holder.freeze()
        before = running.rows(_JOB, id=held)
        with OwnWorker(running, **(right if is_holder_skewed else skewed)):
            # The other one works, and had its chance.
            assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
            assert running.rows(_JOB, id=held) == before
            assert [row["status"] for row in before] == ["running"]
            holder.thaw()
            assert running.ended(held)["state"] == "SUCCESS"


@contextmanager
def another_beat(running: Installation, folder: Path) -> Iterator[None]:
    argv = [sys.executable, "-m", "celery", "--app", "aegis_worker.celery:app", "beat", "--pidfile="]
    with (folder / "beat.log").open("wb") as log:
        argv += ["--schedule", str(folder / "schedule")]
        env = {**os.environ, **running.settings}
        beat = subprocess.Popen(argv, env=env, stdout=log, stderr=log)
    try:
        wait_until(lambda: list(folder.glob("schedule*")), SOON_S)
        yield
        assert beat.poll() is None
    finally:
        beat.terminate()
        beat.wait(STOP_S)


@pytest.mark.row(52)
@pytest.mark.slow
def test_two_beats_come_to_the_same_as_one(running: Installation, tmp_path: Path) -> None:
    with another_beat(running, tmp_path):
        tokens = ("tok_visa", "tok_drop", "tok_500", "tok_soft_try_again_at_sandbox_a")
        payment_ids = [running.accepted(token) for token in 5 * tokens]
        assert {running.ended(payment_id)["state"] for payment_id in payment_ids} == {"SUCCESS"}


@pytest.mark.row(52)
@pytest.mark.slow
def test_without_a_beat_the_relay_asks_about_what_is_in_doubt(running: Installation) -> None:
    def settled() -> bool:
        running.aegis("relay", "--once")
        return bool(running.payment(payment_id)["state"] == "SUCCESS")

    with running.without("beat"):
        # The gateway's own webhook has it asked at once; that must not settle it.
        with running.gateway_faults(status_down=True):
            payment_id = running.accepted("tok_drop")
            wait_until(lambda: running.payment(payment_id)["certainty"] == "unknown", SOON_S)
        wait_until(settled, SOON_S)


@pytest.mark.row(28)
@pytest.mark.slow
def test_a_gateway_slower_than_every_limit_leaves_doubt_until_it_answers_again(running: Installation) -> None:
    with running.gateway_faults(latency_ms=6000):
        payment_id = running.accepted("tok_visa")
        wait_until(lambda: running.payment(payment_id)["certainty"] == "unknown", SOON_S)
        wait_until(lambda: running.attempts(payment_id)[0]["checks"] >= 2, SOON_S)
        assert running.payment(payment_id)["state"] == "PROCESSING"
    payment = running.ended(payment_id)
    assert payment["state"] == "SUCCESS"
    assert [attempt["sends"] for attempt in payment["attempts"]["data"]] == [1]
