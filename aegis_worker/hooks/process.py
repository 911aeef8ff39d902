"""One process that hooks run in, as the process that asks sees it: written to, read, killed."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from msgspec import MsgspecError

from .asked import Asked
from .frames import Answers, Ask, Broken, Incoming, answers_of, framed
from .page import Page, Running


class HookProcess:
    """A process of its own session, so that what hooks start in it ends with it. Used by one thread.

    `in_flight`: the questions that it has, by the number under which they were sent. `look_at_ns`: when to look at what it
    does. `has_suspect`: one of its questions is for a hook that may well hang. `seen_ns`: when it was last seen at work.
    """

    def __init__(self, pid: int, ours: socket.socket, page: Page) -> None:
        ours.setblocking(False)
        self.pid, self.socket, self._page = pid, ours, page
        self.seen_ns = self.look_at_ns = 0
        self.in_flight: dict[int, Asked] = {}
        self.has_suspect = False
        self._taken_back: dict[int, Asked] = {}
        self._incoming, self._unsent = Incoming(), bytearray()

    def ask(self, asks: Sequence[tuple[int, Asked]]) -> None:
        """Send questions, each under its number; numbers rise."""
        self.in_flight.update(asks)
        self._write(
            framed(
                [
                    Ask(
                        number,
                        asked.until_ns,
                        asked.point,
                        tuple(hook.name for hook in asked.sent),
                        asked.context,
                    )
                    for number, asked in asks
                ]
            )
        )

    def asked(self, number: int) -> Asked | None:
        """The question of this number, also one that was taken back: it may have begun just then."""
        return self.in_flight.get(number) or self._taken_back.get(number)

    def over(self, number: int) -> None:
        """The process is done with the question."""
        self.in_flight.pop(number, None)
        if self._taken_back and number > max(self._taken_back):
            self._taken_back.clear()

    def take_back(self, after: int) -> list[Asked]:
        """The questions after that of this number, which has begun; the process won't begin them."""
        behind = [number for number in self.in_flight if number > after]
        if behind:
            self._page.take_back(behind[0], behind[-1])
            self._taken_back.update((number, self.in_flight.pop(number)) for number in behind)
        return [self._taken_back[number] for number in behind]

    def running(self) -> Running:
        """Which hook it is running, since when."""
        return self._page.running()

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Send what waits, as far as that goes without waiting."""
        self._write(b"")

    def read(self) -> list[Answers] | None:
        """What it says; None when it has ended, or says what is no message."""
        try:
            more = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not more:
            return None
        try:
            return [answers_of(message) for message in self._incoming.messages(more)]
        except (Broken, MsgspecError, RecursionError):
            return None

    def kill(self) -> None:
        """End it and what its hooks have started, at once. Nothing can prevent that."""
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)
        self.socket.close()
        self._page.close()

    def _write(self, more: bytes) -> None:
        self._unsent += more
        try:
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # it has ended, which reading will show
