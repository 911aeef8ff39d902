"""The processes of a running AegisPay (API, workers, beat, …): started, watched and stopped together."""

from __future__ import annotations

import signal as signals
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.child import Child


class Processes:
    """Named child processes. Leaving the `with` block stops them; so does our own death, with SIGTERM."""

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        log_path: Path,
        ready: Callable[[], bool] | None = None,
        ready_timeout_s: float = 30.0,
    ) -> None:
        """Start `argv` under `name`, with `env` as its whole environment, and wait until `ready()`.

        A name whose process has ended may be used again. When it ends early or is not ready in time, stops it
        and raises StackFailed with the end of its log.
        """
        if name in self.alive():
            raise StackFailed(f"{name} is already running")
        # A name started again goes to the end: the order of stopping is the reverse of starting.
        self._children.pop(name, None)
        child = Child(name, argv, env=env, log_path=log_path, death_signal=signals.SIGTERM)
        self._children[name] = child
        if ready is not None:
            try:
                child.wait_ready(ready, ready_timeout_s)
            except BaseException:  # Ctrl-C while waiting, too
                self.stop(name)
                raise

    def pid(self, name: str) -> int:
        """Of the process, which leads a group of the same number."""
        return self._children[name].pid

    def alive(self) -> list[str]:
        """Names of those that run."""
        return [name for name, child in self._children.items() if child.exit_code() is None]

    def exit_codes(self) -> dict[str, int]:
        """By name, of those that ended; negative for a signal."""
        codes = {name: child.exit_code() for name, child in self._children.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def log_tail(self, name: str) -> str:
        """The end of a process's log."""
        return self._children[name].log_tail()

    def stop(self, name: str, signal: signals.Signals = signals.SIGTERM, grace_s: float = 10.0) -> int:
        """Send `signal`, wait up to `grace_s`, KILL its group. Returns the exit code."""
        return self._children[name].stop([signal], grace_s)

    def stop_all(self, grace_s: float = 10.0) -> None:
        """Stop every process, the last started first, each with TERM and up to `grace_s`."""
        for name in reversed(list(self._children)):
            self.stop(name, grace_s=grace_s)
