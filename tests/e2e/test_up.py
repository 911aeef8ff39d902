"""`aegis up`: what it leaves behind, which is nothing, and what it keeps, which is the data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3
from celery import Celery
from support.checkout import CHECKOUT
from support.installation import AEGIS, SOON_S, START_S, STOP_S, Installation, alive, wait_until

from aegis_worker.lab.embedded.ports import free_port


@pytest.mark.slow
def test_it_can_be_stopped_killed_and_started_again(folder: Path, environ: dict[str, str]) -> None:
    first = Installation(folder / "own", environ, workers=1)
    payment_id = first.accepted("tok_visa")
    first.ended(payment_id)
    second_up = [AEGIS, "up", "--data", str(first.data_dir), "--port", "0"]
    refused = subprocess.run(second_up, env=environ, capture_output=True, text=True, timeout=SOON_S)
    assert refused.returncode == 3
    assert f"already (pid {first.process.pid})" in refused.stderr

    started = first.pids()
    assert first.stop(signal.SIGINT) == 0
    assert alive(started) == []

    again = Installation(first.data_dir, environ, workers=1)
    assert again.ready["api_key"] == first.ready["api_key"]
    assert again.ready["operator_key"] == first.ready["operator_key"]
    assert again.settings["AEGIS_OPERATOR_KEY"] == again.ready["operator_key"]
    assert again.payment(payment_id)["state"] == "SUCCESS"
    again.accepted("tok_latency_1800")
    started = again.pids()
    assert again.stop(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not alive(started), STOP_S)


def test_its_files_with_secrets_are_for_their_owner_alone(running: Installation) -> None:
    for name in ("secrets.json", "aegis.env", "../shared.ready.json"):
        assert (running.data_dir / name).stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_the_processes_of_the_procfile_start_under_honcho(running: Installation, tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(CHECKOUT / "config")
    bind = f"127.0.0.1:{free_port()}"
    env = {**os.environ, **running.settings, "AEGIS_BIND": bind, "AEGIS_WORKER_CONCURRENCY": "1"}
    env["PATH"] = f"{Path(AEGIS).parent}:{env['PATH']}"
    argv = [sys.executable, "-m", "honcho", "-f", str(CHECKOUT / "Procfile"), "start"]
    argv += ["web", "worker", "beat", "relay"]
    with (tmp_path / "out").open("w+") as out:
        honcho = subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=out, stderr=out)
        try:
            wait_until(lambda: is_ready(bind) and len(workers_of(running)) == 2, START_S)
            assert honcho.poll() is None
            started = [child.pid for child in psutil.Process(honcho.pid).children(recursive=True)]
        finally:
            honcho.terminate()
            honcho.wait(STOP_S)
    wait_until(lambda: not alive(started), STOP_S)
    said = (tmp_path / "out").read_text()
    assert "relay started" in said
    assert "beat.1" in said


def is_ready(bind: str) -> bool:
    try:
        return urllib3.request("GET", f"http://{bind}/readyz", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def workers_of(running: Installation) -> list[Any]:
    with Celery(broker=running.ready["redis_url"], set_as_current=False) as app:
        return list(app.control.ping(timeout=2, limit=2))
