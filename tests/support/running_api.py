"""The API under its real server, as a process of its own, and a client that sends it raw bytes."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import Any

from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.lab.embedded.processes import Processes
from aegis_worker.lab.local.programs import web_program
from support.checkout import CHECKOUT

_CONFIG = CHECKOUT / "config"
# A limit for a busy machine. An answer takes milliseconds.
_ANSWER_S = 20.0


@dataclass(frozen=True)
class Answer:
    """The answer, and whether the server closed the connection after it."""

    status: int
    headers: HTTPMessage
    body: bytes
    closed: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RunningApi:
    """Knows where the API listens, and the id of its main process."""

    port: int
    log: Path
    pid: int

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=_ANSWER_S) as connection:
            yield connection

    def send(self, raw: bytes, *, method: str = "GET", end: bool = False) -> Answer:
        """Send bytes and read one answer. `end`: close the sending side afterwards."""
        with self.connection() as connection:
            connection.sendall(raw)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return read_answer(connection, method)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """Read one answer. The end of the connection is awaited only if the answer announces it."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    body = response.read()
    closes = response.headers.get("Connection", "").lower() == "close"
    return Answer(response.status, response.headers, body, closes and _is_closed(connection))


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@contextmanager
def running_api(
    database_url: str, redis_url: str, folder: Path, *application: str, **settings: str
) -> Iterator[RunningApi]:
    """The API on these stores, under the installation's web server, or another `application`: `MODULE:FACTORY`."""
    env = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "AEGIS_SECRET": "s" * 40,
        "AEGIS_CONFIG_DIR": str(_CONFIG),
        "AEGIS_WEB_WORKERS": "1",
        "PYTHONPATH": str(CHECKOUT / "tests"),
        **settings,
    }
    port = free_port()
    program = web_program(port, env)
    with Processes() as processes:
        argv = [*program.argv, *application]
        processes.start(program.name, argv, program.env, folder / "web.log", program.ready)
        yield RunningApi(port, folder / "web.log", processes.pid(program.name))
