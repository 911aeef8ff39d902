"""One process that hooks run in, as the process that asks sees it: started, written to, read, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec import MsgspecError

from .asked import Asked
from .frames import Answers, Ask, Begin, Broken, Incoming, Loaded, Refused, framed, told_by
from .page import Page, Running

_MODULE = f"{__package__}.host"


class HookProcess:
    """A process of its own session, so that what hooks start in it ends with it. Used by one thread, which starts it too:
    Linux ends the process with that thread (see `host`).

    `in_flight`: the questions that it has, by the number under which they were sent. `look_at_ns`: when to look at what it
    does. `has_suspect`: one of its questions is for a hook that may well hang.
    """

    def __init__(self, begin: Begin, environment: Mapping[str, str], now_ns: int) -> None:
        ours, theirs = socket.socketpair()
        fd = Page.new_file()
        try:
            self.page = Page(fd)
            self._process = subprocess.Popen(
                (sys.executable, "-m", _MODULE, str(theirs.fileno()), str(fd)),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a hook prints is no message of ours, and no output of a command
                env=dict(environment),
                pass_fds=(theirs.fileno(), fd),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(fd)
            theirs.close()
        ours.setblocking(False)
        self.socket, self.pid = ours, self._process.pid
        self.is_ready, self.begun_ns, self.look_at_ns = False, now_ns, 0
        self.in_flight: dict[int, Asked] = {}
        self.has_suspect = False
        self._taken_back: dict[int, Asked] = {}
        self._incoming, self._unsent = Incoming(), bytearray()
        self._write(framed(begin))

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
            self.page.take_back(behind[0], behind[-1])
            self._taken_back.update((number, self.in_flight.pop(number)) for number in behind)
        return [self._taken_back[number] for number in behind]

    def running(self) -> Running:
        """Which hook it is running, since when."""
        return self.page.running()

    @property
    def is_looked_at(self) -> bool:
        """Whether it has something to do, so that it has to be looked at where it does not say anything."""
        return bool(self.in_flight) or not self.is_ready

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Send what waits, as far as that goes without waiting."""
        self._write(b"")

    def read(self) -> list[Loaded | Refused | Answers] | None:
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
            return [told_by(message) for message in self._incoming.messages(more)]
        except (Broken, MsgspecError, RecursionError):
            return None

    def kill(self) -> None:
        """End it and what its hooks have started, at once. Nothing can prevent that."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            self._process.kill()
        self.socket.close()
        self.page.close()

    def has_ended(self) -> bool:
        """Whether it is gone; then nothing of it is left to look after."""
        return self._process.poll() is not None

    def _write(self, more: bytes) -> None:
        self._unsent += more
        try:
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # it has ended, which reading will show
