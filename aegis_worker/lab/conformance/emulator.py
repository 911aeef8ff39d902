"""A gateway's emulator as a process of its own, and a plain HTTP client for it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aegis_worker.lab.embedded.processes import Processes

CLIENT_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP answer. `headers` are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, where the body is as the sandbox words errors."""
        return str(self.json["error"]["code"])


def request_to(netloc: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(netloc, timeout=CLIENT_TIMEOUT_S)
    try:
        connection.request(method, path, body or None, dict(headers))
        answer = connection.getresponse()
        return HttpAnswer(answer.status, answer.read(), {n.lower(): v for n, v in answer.getheaders()})
    finally:
        connection.close()


class RunningEmulator:
    """One instance. After `kill`, `start` runs it again with the same ledger and port. `headers`: sent with each call."""

    def __init__(
        self,
        processes: Processes,
        folder: Path,
        name: str,
        flags: tuple[str, ...],
        env: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ):
        self.name, self._processes, self._folder, self._flags, self._env = name, processes, folder, flags, env
        self._headers = headers or {}
        self.url = ""
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        ready = self._folder / f"{self.name}.ready"
        ready.unlink(missing_ok=True)
        port = str(urlsplit(self.url).port) if self.url else "0"
        module = ["-m", "aegis_worker.emulator", "--name", self.name, "--port", port]
        files = ["--ledger", str(self._folder / f"{self.name}.sqlite"), "--ready-file", str(ready)]
        self._processes.start(
            self.name,
            [sys.executable, *module, *files, *self._flags],
            env={**os.environ, **self._env},
            log_path=self._folder / f"{self.name}.log",
            ready=ready.exists,
        )
        self.url = json.loads(ready.read_text())["url"]

    @property
    def files(self) -> Iterator[bytes]:
        """What it keeps in its folder: its ledger, with its journal, and its log."""
        return (path.read_bytes() for path in sorted(self._folder.glob(f"{self.name}.*")))

    def calls_so_far(self) -> dict[str, int]:
        """How often each endpoint was called since the start."""
        calls: dict[str, int] = self.call("GET", "/_sandbox/calls").json["calls"]
        return calls

    def kill(self) -> None:
        """Send SIGKILL."""
        self._processes.stop(self.name, signal.SIGKILL)

    def stop(self) -> int:
        """Send SIGTERM; returns the exit code."""
        return self._processes.stop(self.name)

    def call(
        self, method: str, path: str, body: object = None, timeout_s: float = CLIENT_TIMEOUT_S, **headers: str
    ) -> HttpAnswer:
        """One request on a connection of its own. `idempotency_key="k"` becomes the header Idempotency-Key."""
        target = urlsplit(self.url)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=timeout_s)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        try:
            connection.request(method, path, raw, {**self._headers, **named})
            answer = connection.getresponse()
            return HttpAnswer(answer.status, answer.read(), {n.lower(): v for n, v in answer.getheaders()})
        finally:
            connection.close()

    def post(
        self, path: str, body: object, timeout_s: float = CLIENT_TIMEOUT_S, **headers: str
    ) -> HttpAnswer:
        """POST as JSON."""
        return self.call("POST", path, body, timeout_s, **headers)

    def set_faults(self, **faults: Any) -> HttpAnswer:
        """Replace the instance's faults; without arguments, heal it."""
        return self.post("/_sandbox/faults", faults)

    def ledger(self, page: int = 1000) -> list[dict[str, Any]]:
        """Every payment that the ledger holds, page by page."""
        rows: list[dict[str, Any]] = []
        cursor: int | None = 0
        while cursor is not None:
            answer = self.call("GET", f"/_sandbox/ledger?cursor={cursor}&limit={page}").json
            rows, cursor = rows + answer["charges"], answer["next_cursor"]
        return rows


@contextmanager
def running_emulator(
    wire: str, api_key: str, folder: Path, *flags: str, env: Mapping[str, str] | None = None
) -> Iterator[RunningEmulator]:
    """The emulator of this wire format in `folder`, named like it, stopped at the end."""
    given = {"SANDBOX_API_KEY": api_key, **(env or {})}
    headers = {"Authorization": f"Bearer {api_key}"}
    with Processes() as processes:
        yield RunningEmulator(processes, folder, wire, ("--wire", wire, *flags), given, headers)


def eventually(true: Callable[[], bool], within_s: float = 15.0) -> bool:
    """Whether `true()` becomes true within `within_s` seconds. It is asked every 50 ms."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return true()
