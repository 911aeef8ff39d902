"""Granian, set up for the API: its worker processes, their one listening socket, and how they stop."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import stat
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from aegis_api.app import create_app
from aegis_worker.errors import ConfigurationError

from .front import Front, Wsgi
from .settings import (
    BACKLOG,
    HEAD_BUFFER,
    HEAD_WITHIN_S,
    STOP_WITHIN_S,
    Bind,
    ServerSettings,
    allow_many_files,
)

# How often a worker looks whether the main process lives.
_LOOK_S = 1.0

# Requests under way keep some thousand objects alive until they are answered. By default the collector would scan them
# after every few hundred new ones, and now and then everything that was imported.
_NEW_OBJECTS = 20_000

# Granian's lines go where ours go, in the same form. It has no access log here, which would hold query strings.
_LOGS: dict[str, Any] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}},
}


class _Server(MPServer):
    """Granian, whose workers share one listening socket.

    By default each worker on Linux has a socket of its own on the same port (SO_REUSEPORT): a second server on the port
    would start without an error, and connections that wait for a worker that dies would be lost.
    """

    def __init__(self, listening: socket.socket, **settings: Any) -> None:
        super().__init__("", **settings)
        self._listening = listening

    def _init_shared_socket(self) -> None:
        is_unix = self._listening.family == socket.AF_UNIX
        self._listening.set_inheritable(True)
        self._sfd = self._listening.fileno()  # type: ignore[assignment]
        self._shd = SocketHolder(self._sfd, is_unix, self.backlog)  # type: ignore[assignment,call-arg]
        self._sso = self._listening


def serve(settings: ServerSettings, *, application: str | None = None) -> None:
    """Serve until TERM or Ctrl-C; then requests in flight have 20 s. A worker process that dies is started again.

    `application`: `MODULE:FACTORY` of a WSGI application, in place of the API. Raises ConfigurationError where the
    address can't be used, and SystemExit where the same worker dies twice within some seconds.
    """
    listening = listen(settings.bind)
    os.register_at_fork(after_in_child=_end_at_signals)
    loader: Any = partial(load_front, settings, application)
    try:
        _Server(
            listening,
            # Only for the log, because the socket is open already.
            address=settings.bind.host or "unix",
            port=settings.bind.port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=settings.workers,
            backlog=BACKLOG,
            backpressure=allow_many_files(),
            http1_settings=HTTP1Settings(
                header_read_timeout=HEAD_WITHIN_S * 1000, max_buffer_size=HEAD_BUFFER
            ),
            log_dictconfig=_LOGS,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_WITHIN_S,
        ).serve(target_loader=loader, wrap_loader=False)
    finally:
        listening.close()
        if settings.bind.path is not None:
            settings.bind.path.unlink(missing_ok=True)


def load_front(settings: ServerSettings, application: str | None) -> Front:
    """Called in each worker process: the application is built there, so that no connection is shared with another one."""
    threading.Thread(target=_end_without, args=(os.getppid(),), name="parent", daemon=True).start()
    front = Front(_application(settings, application), settings)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
    return front


def _end_at_signals() -> None:
    """In a worker until it has started: by fork it has the main process's handlers, under which it would not end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _end_without(parent: int) -> None:
    """End this worker when the main process is gone: nobody would start another, and it would keep the address."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os._exit(1)


def listen(bind: Bind) -> socket.socket:
    """A listening socket on this address, which nobody else listens on. Raises ConfigurationError."""
    try:
        if bind.path is not None:
            return _listen_on_path(bind.path)
        family, _, _, _, address = socket.getaddrinfo(
            bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        return listening
    except OSError as error:
        raise ConfigurationError(
            f"AEGIS_BIND: can't listen on {bind}: {error.strerror or type(error).__name__}"
        ) from error


def _listen_on_path(path: Path) -> socket.socket:
    """A server that was killed leaves its path behind, so one on which nobody answers is taken over."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
            probe.connect(str(path))
            raise ConfigurationError(f"AEGIS_BIND: another server listens on unix:{path}")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(BACKLOG)
    return listening


def _application(settings: ServerSettings, name: str | None) -> Wsgi:
    if name is None:
        return create_app(threads=settings.threads).wsgi_app
    module, _, factory = name.partition(":")
    made: Wsgi = getattr(importlib.import_module(module), factory)()
    return made
