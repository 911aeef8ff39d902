"""The settings of the server, in one place. config/aegis.env.example explains those that the environment sets."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aegis_worker.errors import ConfigurationError

# A proxy usually keeps an idle connection for 60 s. The side that sends requests must be the one that closes, or now and
# then a request meets a closing connection. It is also how long a client may take for the headers of a request.
HEAD_WITHIN_S = 75

# The time for requests in flight at TERM; less than the 30 s after which an orchestrator usually kills.
STOP_WITHIN_S = 20

# Connections of a burst wait in this queue for a process. Beyond it, the client's kernel would try again after a second
# or more. Linux limits it to net.core.somaxconn (4096).
BACKLOG = 4096

# The head of a request. A line has room for a list's filters at their longest, percent-encoded. Beyond 64 KiB or 100
# headers in all, Granian itself answers 431, without a body.
LONGEST_LINE, MOST_HEADERS, LONGEST_HEADER = 8190, 64, 4096
HEAD_BUFFER = 64 << 10

# Connections of one process, however many files it may open. An idle one costs some kilobytes and no thread, one that
# sends a head or a usual body slowly up to 64 KiB of each.
_MOST_CONNECTIONS = 4096
# Files of a process that are no connections of clients: PostgreSQL, Redis, logs, modules.
_OTHER_FILES = 256
_MOST_FILES = 65_536


@dataclass(frozen=True, slots=True)
class Bind:
    """Where the server listens: a host and port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What may differ between installations.

    `threads`: of each worker process. `usual_body`: how many bytes a body may have that is read before a thread takes the
    request; only batches are longer. `body_within_s`: the time for one, and three times that for a longer one.
    """

    bind: Bind
    workers: int
    threads: int
    usual_body: int
    body_within_s: int


def load_server_settings(environ: Mapping[str, str], *, usual_body: int) -> ServerSettings:
    """The server's settings from the environment. Raises ConfigurationError.

    One process a core, because Python runs one thread of a process at a time. 16 threads in each: most of them wait, for
    PostgreSQL, a connection of the pool, or with `Prefer: wait`.
    """
    return ServerSettings(
        bind=parsed_bind(environ.get("AEGIS_BIND") or "127.0.0.1:8000"),
        workers=_whole_number("AEGIS_WEB_WORKERS", min(16, os.cpu_count() or 1), 1, 1024),
        threads=_whole_number("AEGIS_WEB_THREADS", 16, 1, 1024),
        usual_body=usual_body,
        body_within_s=_whole_number("AEGIS_BODY_WITHIN_S", 20, 1, 600),
    )


def parsed_bind(text: str) -> Bind:
    """`host:port`, `[::1]:port` or `unix:PATH`. Raises ConfigurationError."""
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Bind(path=Path(text.removeprefix("unix:")))
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65_536 and host):
        raise ConfigurationError("AEGIS_BIND must be host:port or unix:PATH, such as 127.0.0.1:8000")
    return Bind(host, int(port))


def allow_many_files() -> int:
    """Raise this process's limit of open files as far as it may; returns how many connections a worker may hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = wanted if soft == resource.RLIM_INFINITY else soft
    return max(64, min(_MOST_CONNECTIONS, files - _OTHER_FILES))


def _whole_number(name: str, default: int, least: int, most: int) -> int:
    """A variable. Raises ConfigurationError."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise ConfigurationError(f"{name} must be a whole number from {least} to {most}")
    return int(text)
