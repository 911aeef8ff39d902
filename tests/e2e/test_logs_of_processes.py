"""A warning of ours reaches the log of the process that it is about: once, as one JSON line with its fields."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.installation import SOON_S, Installation, wait_until
from support.process_logs import ProcessLogs, events_of

from aegis_worker.delivery.stream import STREAM
from aegis_worker.lab.embedded.postgres import EmbeddedPostgres


@contextmanager
def stream_that_is_none(running: Installation) -> Iterator[None]:
    """A while in which nothing can be appended to the stream."""
    with running.redis() as client:
        kept = client.dump(STREAM)
        client.delete(STREAM)
        client.set(STREAM, "a string")
        try:
            yield
        finally:
            client.delete(STREAM)
            if kept is not None:
                client.restore(STREAM, 0, kept)


@pytest.mark.slow
def test_what_a_child_of_the_worker_warns_of_is_one_line_of_its_log(running: Installation) -> None:
    logs = ProcessLogs(running.data_dir / "logs")
    with stream_that_is_none(running):
        running.ended(running.accepted("tok_visa"))
        wait_until(lambda: named(logs, "worker", "stream not written"), SOON_S)
    line = named(logs, "worker", "stream not written")[0]
    assert line["level"] == "warning"
    assert line["logger"] == "aegis_worker.delivery.drain"
    assert line["events"] > 0
    assert "WRONGTYPE" in str(line["error"])


@pytest.mark.slow
def test_what_the_workers_parent_warns_of_is_one_line_of_its_log(running: Installation) -> None:
    logs = ProcessLogs(running.data_dir / "logs")
    thrown_away = "an entry of a queue is no message and is thrown away: JSONDecodeError"
    with running.redis() as client:
        client.lpush("maintenance", "rubbish")
    wait_until(lambda: named(logs, "worker", thrown_away), SOON_S)
    assert len(named(logs, "worker", thrown_away)) == 1


@pytest.mark.slow
def test_a_child_of_the_worker_that_dies_is_told_of_in_its_log(running: Installation) -> None:
    logs = ProcessLogs(running.data_dir / "logs")
    worker_pid = running.worker_pid()
    assert worker_pid is not None
    psutil.Process(worker_pid).children()[0].kill()
    wait_until(lambda: [e for e in logs.events("worker") if "SIGKILL" in e["event"]], SOON_S)


@pytest.mark.slow
def test_what_the_api_warns_of_is_one_line_of_its_log(
    running: Installation, postgres_to_stop: EmbeddedPostgres
) -> None:
    logs = ProcessLogs(running.data_dir / "logs")
    postgres_to_stop.stop()
    assert running.send("GET", "/v1/payments").status == 503
    assert len(named(logs, "web", "database unavailable")) == 1


@pytest.mark.slow
def test_a_task_that_postgresql_keeps_from_its_work_is_one_line_of_the_workers_log(
    running: Installation, postgres_to_stop: EmbeddedPostgres
) -> None:
    logs = ProcessLogs(running.data_dir / "logs")
    postgres_to_stop.stop()
    wait_until(lambda: named(logs, "worker", "put off"), SOON_S)
    postgres_to_stop.start()
    assert logs.tracebacks() == []


@pytest.mark.slow
def test_what_beat_warns_of_is_one_line_of_its_log(running: Installation, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "celery", "--app", "aegis_worker.celery:app", "beat", "--pidfile="]
    # Nobody listens on port 1 of this machine.
    env = {**os.environ, **running.settings, "REDIS_URL": "redis://:secret-of-redis@127.0.0.1:1/0"}
    log = tmp_path / "beat.log"
    with log.open("wb") as out:
        beat = subprocess.Popen(
            [*argv, "--schedule", str(tmp_path / "schedule")], env=env, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: events_of(log.read_text().splitlines()), SOON_S)
    finally:
        beat.kill()
        beat.wait(SOON_S)
    line = events_of(log.read_text().splitlines())[0]
    assert (line["level"], line["logger"]) == ("error", "celery.beat")
    assert "secret-of-redis" not in log.read_text()


@pytest.mark.parametrize("command", [("relay", "--once"), ("outbox", "drain")], ids=" ".join)
@pytest.mark.slow
def test_what_a_command_warns_of_is_one_line_of_its_standard_error(
    running: Installation, command: tuple[str, ...]
) -> None:
    with running.without_worker(), stream_that_is_none(running):
        running.accepted("tok_visa")
        warned = events_of(running.aegis(*command).stderr.splitlines())
    assert [line["event"] for line in warned] == ["stream not written"]
    assert "WRONGTYPE" in warned[0]["error"]


def named(logs: ProcessLogs, program: str, event: str) -> list[dict[str, Any]]:
    """The lines of that program about that."""
    return [line for line in logs.events(program) if line["event"] == event]
