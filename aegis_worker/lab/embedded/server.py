"""What the two embedded servers share: a folder, a password, a port that stays, joining one that lives."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.child import Child
from aegis_worker.lab.embedded.ports import free_port, port_is_free

# Starting includes crash recovery, which reads up to max_wal_size or the whole append-only file.
_READY_S = 60.0
# For a server of the same folder that comes up under another process, or goes down after its parent's death.
_SETTLE_S = 30.0
_POLL_S = 0.1


class EmbeddedServer(ABC):
    """One server on 127.0.0.1, its data under `data_dir`. Dies with the process that started it (Linux)."""

    name: str
    program: str
    death_signal: signal.Signals
    # In turn, from polite to firm; KILL comes after the last.
    stop_signals: Sequence[signal.Signals]

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        """`port` 0: the one it had before when that is free, else any free one."""
        self.data_dir = data_dir.absolute()
        self.port = port
        self._child: Child | None = None

    @property
    @abstractmethod
    def home(self) -> Path:
        """The folder of the data, resolved: the working directory of the server's processes."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what must exist before a launch."""

    @abstractmethod
    def _launch(self) -> Child:
        """Start the server on `self.port`."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server on `self.port` takes our password and serves `home`."""

    @abstractmethod
    def _furnish(self) -> None:
        """Make what clients expect to find; the server answers by now."""

    @property
    def pid(self) -> int | None:
        """Of the server, while it runs and we are the one who started it."""
        return self._child.pid if self._child and self._child.exit_code() is None else None

    @property
    def password(self) -> str:
        """Made at the first start, kept in `data_dir` for its owner alone."""
        return self._file("password").read_text()

    @property
    def log_path(self) -> Path:
        """What the server prints."""
        return self._file("log")

    def start(self) -> str:
        """Start it, or join the one that serves this folder already. Returns its URL. Raises StackFailed.

        One that is joined ends when the process that started it ends.
        """
        try:
            self._make_data_dir()
            with self._alone():
                self._make_password()
                if not self._joined():
                    self._prepare()
                    self._choose_port()
                    self._start_child()
        except OSError as error:
            raise StackFailed(f"{self.name} in {self.data_dir}: {error}") from error
        return self.url

    def stop(self, first: signal.Signals | None = None, grace_s: float = 15.0) -> None:
        """Stop it when we started it; one we joined is another's. `first` goes before the usual signals."""
        if self._child is not None:
            self._child.stop([first, *self.stop_signals] if first else self.stop_signals, grace_s)
            self._child = None

    def _start_child(self) -> None:
        child = self._launch()
        try:
            child.wait_ready(self._answers, _READY_S)
            self._furnish()
        except BaseException:
            child.stop(self.stop_signals, grace_s=5)
            raise
        self._child = child

    def _joined(self) -> bool:
        """Whether a server of this folder lives and answers. Waits for one that comes up or goes down."""
        asked, deadline = self.port, time.monotonic() + _SETTLE_S
        while holders := _processes_in(self.home, self.program):
            self.port = self._kept_port()
            if self.port and self._answers():
                return True
            if time.monotonic() > deadline:
                pids = ", ".join(map(str, holders))
                raise StackFailed(
                    f"{self.home} is held by {self.program} (pid {pids}) that does not answer; end it first"
                )
            time.sleep(_POLL_S)
        self.port = asked
        return False

    def _choose_port(self) -> None:
        if self.port:
            if not port_is_free(self.port):
                raise StackFailed(f"{self.name}: port {self.port} of 127.0.0.1 is taken")
        else:
            kept = self._kept_port()
            self.port = kept if kept and port_is_free(kept) else free_port()
        self._file("port").write_text(f"{self.port}\n")

    def _kept_port(self) -> int:
        with suppress(FileNotFoundError, ValueError):
            return int(self._file("port").read_text())
        return 0

    def _make_data_dir(self) -> None:
        if not self.data_dir.is_dir():
            self.data_dir.mkdir(parents=True)
            # Root's servers drop their rights and must still pass through; nobody may look around.
            self.data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def _make_password(self) -> None:
        if not self._file("password").exists():
            write_secret(self._file("password"), secrets.token_urlsafe(24))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Where two processes start the same folder at once, the second waits here, then finds a server to join.
        with self._file("lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _file(self, kind: str) -> Path:
        return self.data_dir / f"{self.name}.{kind}"


def write_secret(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, in place of any that stands there."""
    path.unlink(missing_ok=True)
    # O_EXCL: never write through a link that somebody else put into the folder meanwhile.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _processes_in(folder: Path, program: str) -> list[int]:
    """Processes of `program` whose working directory is `folder`: who holds it, whatever pid files say."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name().startswith(program) and process.cwd() == str(folder):
                found.append(process.pid)
    return found
