"""The programs of an installation as processes: started, waited for, killed and stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.processes import Processes

from .programs import Program
from .stopping import check_stopped
from .watch import Part

# Generous, because all programs start at once and the disk may be slow. A program that fails ends sooner by itself.
_READY_S = 90.0
_POLL_S = 0.05


class LaunchedPrograms:
    """Runs programs whose output goes into a folder. Those that were never given to it are not known to it."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._processes = Processes()
        self._programs: list[Program] = []

    def start(self, programs: Sequence[Program], stopping: threading.Event) -> None:
        """Start them in this order and wait until all answer. Raises StackFailed, or Stopped once `stopping` is set."""
        self._programs = list(programs)
        for program in self._programs:
            self._launch(program)
        self._wait_until_ready(self._programs, stopping)

    def restart(
        self,
        names: Sequence[str],
        stopping: threading.Event,
        extra_env: Mapping[str, str] | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """SIGKILL those of the programs that run, with their children, and start all of them, with `extra_env` too.

        For programs that nobody watches. With `wait`, until they answer. Raises StackFailed, or Stopped.
        """
        programs = [program for program in self._programs if program.name in names]
        for program in programs:
            self.kill(program.name)
        for program in programs:
            self._launch(replace(program, env={**program.env, **(extra_env or {})}))
        if wait:
            self._wait_until_ready(programs, stopping)

    def kill(self, name: str) -> None:
        """SIGKILL a program with its children; nothing when it has ended."""
        if name in self._processes.alive():
            self._processes.stop(name, signal.SIGKILL)

    def running(self) -> list[Program]:
        """Those that run, in the order of their starting."""
        alive = self._processes.alive()
        return [program for program in self._programs if program.name in alive]

    def stop(self, program: Program) -> None:
        """Ask a program to end, and kill it with its children when it takes too long."""
        self._processes.stop(program.name, grace_s=program.stop_s)

    def pid(self, name: str) -> int:
        """Of a program's main process, which leads a group of the same number."""
        return self._processes.pid(name)

    def ended(self) -> dict[str, str]:
        """The programs that don't run, and how each ended."""
        return {name: _how(code) for name, code in self._processes.exit_codes().items()}

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self._logs / f"{name}.log"

    def parts(self) -> list[Part]:
        """The programs for whoever watches them and starts again what has ended."""
        return [
            Part(program.name, partial(self._how_ended, program.name), partial(self._launch, program))
            for program in self._programs
        ]

    def _launch(self, program: Program) -> None:
        self._processes.start(program.name, program.argv, program.env, self.log(program.name))

    def _wait_until_ready(self, programs: Sequence[Program], stopping: threading.Event) -> None:
        waiting = list(programs)
        deadline = time.monotonic() + _READY_S
        while waiting:
            check_stopped(stopping)
            for program in waiting:
                if (how := self._how_ended(program.name)) is not None:
                    raise StackFailed(
                        f"{program.name} {how} before it was ready. {self._processes.log_tail(program.name)}"
                    )
            if time.monotonic() > deadline:
                name = waiting[0].name
                raise StackFailed(
                    f"{name} does not answer after {_READY_S:g} s. {self._processes.log_tail(name)}"
                )
            waiting = [program for program in waiting if not program.ready()]
            time.sleep(_POLL_S)

    def _how_ended(self, name: str) -> str | None:
        code = self._processes.exit_codes().get(name)
        return None if code is None else _how(code)


def _how(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
