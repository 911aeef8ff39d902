"""The `aegis` command as people and scripts use it, and an installation for it to work on."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from aegis_worker.cli import main
from support.checkout import CHECKOUT

NOBODY_THERE = "redis://127.0.0.1:1/0"
CONFIG_DIR = CHECKOUT / "config"


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Aegis = Callable[..., Ran]

# The tests may run as a background job, in which a shell ignores SIGINT, and child processes inherit that.
_AS_IN_A_TERMINAL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from aegis_worker.cli import main; main()"
)


@pytest.fixture
def aegis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Aegis]:
    """Run `aegis ARGUMENT…` through the console script's own function."""
    handlers, level = logging.root.handlers[:], logging.root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["aegis", *arguments])
        capsys.readouterr()
        try:
            main()
            exit_code = 0
        except SystemExit as ended:
            exit_code = ended.code if isinstance(ended.code, int) else 1
        printed = capsys.readouterr()
        return Ran(exit_code, printed.out, printed.err)

    yield run
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


class RunningAegis:
    """`aegis ARGUMENT…` as a process of its own, with the given environment."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-c", _AS_IN_A_TERMINAL, *arguments]
        # Files in place of pipes, because a full pipe that nobody reads blocks the writer.
        self._out, self._err = TemporaryFile("w+"), TemporaryFile("w+")  # noqa: SIM115 - `end` closes them
        self._process = subprocess.Popen(command, stdout=self._out, stderr=self._err)

    def has_said(self, text: str) -> bool:
        """Whether `text` is in its standard error by now."""
        return text.encode() in os.pread(self._err.fileno(), 1 << 20, 0)

    def wait_for_lines(self, count: int) -> None:
        """Wait, at most 60 s, until its standard output has `count` lines."""
        for _ in range(1200):
            if os.pread(self._out.fileno(), 1 << 20, 0).count(b"\n") >= count:
                return
            time.sleep(0.05)
        raise AssertionError(f"it did not print {count} lines")

    def end(self, number: signal.Signals | None = None) -> Ran:
        """Send the signal, if one is given, and wait for the end."""
        with self._out, self._err:
            try:
                if number is not None:
                    self._process.send_signal(number)
                self._process.wait(timeout=60)
            finally:
                self._process.kill()
                self._process.wait()
            self._out.seek(0)
            self._err.seek(0)
            return Ran(self._process.returncode, self._out.read(), self._err.read())


def install(monkeypatch: pytest.MonkeyPatch, database_url: str, **environ: str) -> None:
    """Set the environment of an installation on this database; without Redis unless REDIS_URL is given."""
    defaults = {
        "DATABASE_URL": database_url,
        "REDIS_URL": NOBODY_THERE,
        "AEGIS_SECRET": "s" * 40,
        "AEGIS_ENV": "test",
        "AEGIS_CONFIG_DIR": str(CONFIG_DIR),
        "AEGIS_SANDBOX_A_KEY": "sk_sandbox",
        "AEGIS_SANDBOX_B_KEY": "sk_sandbox",
        "COLUMNS": "200",
    }
    for name, value in (defaults | environ).items():
        monkeypatch.setenv(name, value)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Write nothing, because the tests read the command's standard error."""


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve the application on a real socket; yields its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
