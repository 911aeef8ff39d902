"""A child process that never outlives this one, not even when it is SIGKILLed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aegis_worker.errors import StackFailed

_EXEC = Path(__file__).with_name("_exec.py")
_POLL_S = 0.05
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 4096

# The kernel sends the death signal when the *thread* that forked ends, not the process. So one thread, which
# ends only with the process, starts every child.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aegis-fork")


@dataclass(frozen=True, slots=True)
class User:
    """Whom a child runs as."""

    uid: int
    gid: int


class Child:
    """A running program: its own session and process group, output appended to a log."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log_path: Path,
        death_signal: signal.Signals,
        user: User | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Starts it. `death_signal` is what it gets when we die (Linux; elsewhere it lives on). Raises StackFailed."""
        program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
        if program is None:
            raise StackFailed(f"{name}: there is no program {argv[0]}")
        self.name = name
        self.log_path = log_path
        uid, gid = (user.uid, user.gid) if user else (-1, -1)
        bound = [
            sys.executable,
            "-I",
            "-S",
            str(_EXEC),
            str(int(death_signal)),
            str(os.getpid()),
            str(uid),
            str(gid),
        ]
        with _appended(log_path) as log:
            self._popen = _forker.submit(
                subprocess.Popen,
                [*bound, program, *argv[1:]],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A terminal's Ctrl-C goes to its whole foreground group, and the order of stopping is ours.
                start_new_session=True,
            ).result()

    @property
    def pid(self) -> int:
        """Of the program itself, and of its process group."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal. What is left of its group is then killed."""
        if self._popen.returncode is None and self._popen.poll() is not None:
            # Kill the group only in the moment that its leader is reaped: later the number may belong to another group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._popen.returncode

    def send(self, number: signal.Signals) -> None:
        """Signal the program, not its group; nothing when it has ended."""
        if self.exit_code() is None:
            self._popen.send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """The exit code, or None when it still runs after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (code := self.exit_code()) is None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return code

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait for `ready()`. Raises StackFailed with the end of the log when it ends first or time is up."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            code = self.exit_code()
            if code is not None:
                how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
                raise StackFailed(f"{self.name} ended with {how} before it was ready. {self.log_tail()}")
            if time.monotonic() > deadline:
                raise StackFailed(f"{self.name} was not ready after {timeout_s:g} s. {self.log_tail()}")
            time.sleep(_POLL_S)

    def stop(self, signals: Sequence[signal.Signals], grace_s: float) -> int:
        """Send `signals` in turn, waiting `grace_s` after each, then KILL the group. Gives the exit code."""
        for number in signals:
            self.send(number)
            if (code := self.wait(grace_s)) is not None:
                return code
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        return self._popen.returncode

    def log_tail(self) -> str:
        """The end of its log, under the log's name."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, self.log_path.stat().st_size - _TAIL_BYTES))
                text = log.read().decode(errors="replace").strip()
        except OSError as error:
            return f"({error})"
        return f"The end of {self.log_path}:\n{text}" if text else f"({self.log_path} is empty)"


@contextmanager
def _appended(path: Path) -> Iterator[IO[bytes]]:
    # Logs stay bounded without a log daemon: at each start a long one is renamed, and one older file is kept.
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_LIMIT_BYTES:
            path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        yield log
