"""What a process does that hooks run in: it asks hooks, one after the other, as it is told.

It has no limit of its own: whoever asks kills it where a hook takes too long, so a hook can neither catch nor swallow the
end of its time.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from msgspec import msgpack

from .frames import LARGEST_ANSWER, Answers, Ask, Incoming, Result, asks_of, framed
from .loading import Loaded
from .page import Page
from .points import ABOUT

_NOTHING = msgpack.encode(None)
# Answers that took longer than this to get are sent before the next hook begins, so that they are not lost if it hangs.
_WORTH_SENDING_NS = 2_000_000


def serve(hooks: Sequence[Loaded], connection: socket.socket, page: Page) -> None:
    """Ask hooks until the other end closes the socket; then this process ends, whatever a hook is doing."""
    threading.Thread(target=_end_with, args=(connection.fileno(),), name="asker", daemon=True).start()
    incoming, asking = Incoming(), _Asking(hooks, connection, page)
    while more := connection.recv(1 << 16):
        for message in incoming.messages(more):
            for ask in asks_of(message):
                if not page.is_taken_back(ask.number):
                    asking.ask(ask)


class _Asking:
    def __init__(self, hooks: Sequence[Loaded], connection: socket.socket, page: Page) -> None:
        self._hooks = {hook.offered.name: hook for hook in hooks}
        self._connection, self._page, self._process = connection, page, os.getpid()
        self._fd = connection.fileno()
        self._socket = os.fstat(self._fd).st_ino
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
                os._exit(0)  # a hook has forked: this is the copy, and must not answer in our place
            if os.fstat(self._fd).st_ino != self._socket:
                os._exit(
                    1
                )  # the hook has closed our socket: end while it counts as running, so that it is blamed
            self._page.end()
            results.append(Result(name, answer, failed, took_us))
        self._send(Answers(ask.number, tuple(results), over=True))

    def _send(self, answers: Answers) -> None:
        self._connection.sendall(framed(answers))

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


def _end_with(fd: int) -> None:
    look = select.poll()
    look.register(fd, 0)  # with no events asked for, poll still reports that the other end was closed
    look.poll()
    os._exit(0)
