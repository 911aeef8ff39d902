"""The process that hooks run in: `python -m aegis_worker.hooks.host SOCKET PAGE`, the numbers of two open files.

It loads the plug-ins, then asks hooks one after the other as it is told. It has no limit of its own: whoever started it
kills it where a hook takes too long, so a hook can neither catch nor swallow the end of its time. It ends with the process
that started it, also where that is killed: Linux kills it then, and a thread of its own sees the socket closed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from msgspec import msgpack

from aegis_worker.errors import ConfigurationError

from .frames import LARGEST_ANSWER, Answers, Ask, Incoming, Loaded, Refused, Result, asks_of, begin_of, framed
from .loading import Loaded as LoadedHook
from .loading import in_one_line, load_hooks
from .page import Page
from .points import ABOUT

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_NOTHING = msgpack.encode(None)
# Answers that took longer than this to get are sent before the next hook begins, so that they are not lost if it hangs.
_WORTH_SENDING_NS = 2_000_000


def main(argv: Sequence[str]) -> None:
    """Run until the other end closes the socket."""
    connection, page = socket.socket(fileno=int(argv[0])), Page(int(argv[1]))
    threading.Thread(target=_end_with, args=(connection.fileno(),), name="parent", daemon=True).start()
    received = _Received(connection)
    begin = begin_of(received.next())
    _end_with_parent(begin.parent)
    _limit_memory(begin.memory_mb)
    sys.path[:] = [*begin.path, *(() if os.getcwd() in begin.path else (os.getcwd(),))]
    try:
        hooks = load_hooks(begin.hooks)
    except ConfigurationError as error:
        connection.sendall(framed(Refused(in_one_line(error))))
        return
    connection.sendall(framed(Loaded(tuple(hook.offered for hook in hooks))))
    asking = _Asking(hooks, page, connection)
    while True:
        for ask in asks_of(received.next()):
            if not page.is_taken_back(ask.number):
                asking.ask(ask)


class _Asking:
    """Asks hooks, one after the other."""

    def __init__(self, hooks: Sequence[LoadedHook], page: Page, connection: socket.socket) -> None:
        self._hooks = {hook.offered.name: hook for hook in hooks}
        self._page, self._process = page, os.getpid()
        self._connection = connection.fileno()
        self._socket = os.fstat(self._connection).st_ino
        self._send_all = connection.sendall
        self._decoders = {point: msgpack.Decoder(about.context) for point, about in ABOUT.items()}

    def ask(self, ask: Ask) -> None:
        results: list[Result] = []
        begun_ns = time.monotonic_ns()
        for place, name in enumerate(ask.hooks):
            now_ns = time.monotonic_ns()
            if now_ns >= ask.until_ns:
                break
            if results and now_ns - begun_ns > _WORTH_SENDING_NS:
                self._send(Answers(ask.number, tuple(results), over=False))
                results, begun_ns = [], now_ns
            self._page.begin(ask.number, place, now_ns)
            answer, failed = self._answer(ask, name)
            took_us = (time.monotonic_ns() - now_ns) // 1000
            if os.getpid() != self._process:
                os._exit(0)  # a hook has forked: its copy of this process has nothing to say
            if os.fstat(self._connection).st_ino != self._socket:
                os._exit(1)  # while the hook counts as running: it has closed what we speak through
            self._page.end()
            results.append(Result(name, answer, failed, took_us))
        self._send(Answers(ask.number, tuple(results), over=True))

    def _send(self, answers: Answers) -> None:
        self._send_all(framed(answers))

    def _answer(self, ask: Ask, name: str) -> tuple[bytes, str]:
        """What the hook answers, encoded; or why it does not. An exception's message may hold what must not be kept."""
        hook = self._hooks.get(name)
        if hook is None:
            return b"", "is not loaded any more"
        try:
            context = self._decoders[ask.point].decode(ask.context)
            answer = hook.call(context) if hook.takes_context else hook.call()
        except (
            BaseException
        ) as error:  # SystemExit and KeyboardInterrupt too: it ends a hook and not its process
            return b"", f"raised {_name_of(error)}"
        return (_NOTHING, "") if ABOUT[ask.point].answer is None else _encoded(answer)


def _encoded(answer: Any) -> tuple[bytes, str]:
    try:
        encoded = msgpack.encode(answer)
    except BaseException as error:
        return b"", f"answered what can't be sent: {_name_of(error)}"
    if len(encoded) > LARGEST_ANSWER:
        return b"", f"answered more than {LARGEST_ANSWER >> 10} KiB"
    return encoded, ""


def _name_of(error: BaseException) -> str:
    name = type(error).__name__
    return name[:80] if name.isidentifier() else "an exception"


class _Received:
    """Messages as they come; the process ends with the last."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._incoming, self._waiting = connection, Incoming(), list[bytes]()

    def next(self) -> bytes:
        while not self._waiting:
            more = self._connection.recv(1 << 16)
            if not more:
                os._exit(0)
            self._waiting.extend(self._incoming.messages(more))
        return self._waiting.pop(0)


def _end_with(fd: int) -> None:
    """End this process when the other end of the socket is closed, whatever a hook is doing."""
    look = select.poll()
    look.register(fd, 0)  # of itself it tells of a closed end, and of nothing else
    look.poll()
    os._exit(0)


def _end_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _limit_memory(memory_mb: int) -> None:
    """Its memory is bounded, and never written to a disk: it holds personal data."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = memory_mb << 20
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError:  # the socket is gone: closed by a hook, or with whoever would have been told
        os._exit(1)
    # At once: threads and exit handlers of plug-ins would hold it up.
    os._exit(0)
