"""A Celery worker of the test's own, beside a running installation or in place of the installation's worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import psutil
from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError

from aegis_worker.celery import QUEUES
from support.checkout import TESTS
from support.installation import START_S, STOP_S, Installation, wait_until


class OwnWorker:
    """Started as in the Procfile, in a process group of its own, and killed at the end of the `with` block.

    `including`: a module of tests/support/processes that it also imports. `settings`: variables of its environment.
    """

    def __init__(
        self, running: Installation, *, concurrency: int = 2, including: str = "", **settings: str
    ) -> None:
        self._broker = running.ready["redis_url"]
        self._node = f"test-{uuid.uuid4().hex[:8]}@localhost"
        self._log = running.data_dir / "logs" / "own-worker.log"
        argv = [sys.executable, "-m", "celery", "--app", "aegis_worker.celery:app", "worker"]
        argv += [
            "--hostname",
            self._node,
            "--pool",
            "prefork",
            "--concurrency",
            str(concurrency),
            "-O",
            "fair",
        ]
        argv += ["--queues", ",".join(QUEUES), "--without-gossip", "--without-mingle", "--without-heartbeat"]
        env = {**os.environ, **running.settings, **settings}
        if including:
            argv += ["--include", f"support.processes.{including}"]
            env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(TESTS), env.get("PYTHONPATH"))))
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until(self._is_ready, START_S)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-2000:]
        return self.answers()

    def answers(self) -> bool:
        """Whether it answers a ping."""
        with Celery(broker=self._broker, set_as_current=False) as app:
            try:
                return bool(app.control.ping(destination=[self._node], timeout=1, limit=1))
            except (
                OperationalError,
                RedisError,
            ):  # kombu keeps connections, of which a test may have cut one
                return False

    def pids(self) -> list[int]:
        """Its main process and its children."""
        main = psutil.Process(self.process.pid)
        return [main.pid, *(child.pid for child in main.children(recursive=True))]

    def freeze(self) -> None:
        """Send SIGSTOP to all its processes."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Send SIGCONT to all its processes."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def terminate(self) -> int:
        """Send TERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(STOP_S)

    def kill(self) -> None:
        """Send SIGKILL to its processes that are left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_S)


@contextmanager
def own_worker(
    running: Installation, *, concurrency: int = 2, including: str = "", **settings: str
) -> Iterator[OwnWorker]:
    """For the time of the block, this worker works in place of the installation's own."""
    with (
        running.without_worker(),
        OwnWorker(running, concurrency=concurrency, including=including, **settings) as worker,
    ):
        yield worker
