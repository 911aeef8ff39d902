"""The processes that hooks run in: the one that loads plug-ins, and those that it forks, as many as are needed."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from msgspec import MsgspecError

from .frames import Begin, Born, Broken, Incoming, Order, Plugins, Refused, framed, told_by
from .page import Page
from .process import HookProcess

log = structlog.get_logger(__name__)

_S = 1_000_000_000
_LONGEST_PAUSE_NS = 30 * _S
_MODULE = f"{__package__}.loader"
_FORK_WITHIN_NS = 10 * _S
# A process that has had nothing to do for so long is ended.
_IDLE_NS = 60 * _S

Told = Callable[[Plugins | str], None]


class Fleet:
    """The loading process, and at most `most` processes that it has forked. Used by one thread, because Linux ends the
    loading process together with the thread that started it. `selector` watches the sockets of all of them; that of the
    loading process is registered as `LOADER`.

    `tell` is told which hooks were loaded, or why that failed; it is then tried again later.
    """

    LOADER: Final = "loader"

    def __init__(
        self,
        begin: Begin,
        environment: Mapping[str, str],
        selector: selectors.BaseSelector,
        *,
        most: int,
        load_within_ns: int,
        tell: Told,
    ) -> None:
        self._begin, self._environment, self._selector, self._most = begin, environment, selector, most
        self._load_within_ns, self._tell = load_within_ns, tell
        self._loader: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._incoming = Incoming()
        self._ended: list[subprocess.Popen[bytes]] = []
        self._failed, self._start_at_ns, self._was_loaded = 0, 0, False
        self._has_loaded = False
        # Until when the loading process has to have done what it was told; None: it is told nothing.
        self._answers_by_ns: int | None = None
        self.processes: list[HookProcess] = []

    def idle(self) -> list[HookProcess]:
        """Those that may be sent something now."""
        return [process for process in self.processes if not process.in_flight]

    def suspects(self) -> int:
        """In how many a hook runs that may well hang."""
        return sum(bool(process.in_flight) and process.has_suspect for process in self.processes)

    def due(self) -> list[int]:
        """When something has to be done, though none of them says anything (CLOCK_MONOTONIC)."""
        dues = [process.look_at_ns for process in self.processes if process.in_flight]
        if self._loader is None:
            dues.append(self._start_at_ns)
        if self._answers_by_ns is not None:
            dues.append(self._answers_by_ns)
        if self._ended:
            dues.append(time.monotonic_ns() + _S)
        if len(idle := self.idle()) > 1:
            dues.append(idle[-1].seen_ns + _IDLE_NS)
        return dues

    def watch(self, process: HookProcess) -> None:
        """Wake up when the process has said something and, while a message to it waits, when its socket takes more."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if process.wants_to_write else 0)
        if self._selector.get_key(process.socket).events != events:
            self._selector.modify(process.socket, events, process)

    def keep_up(self, now_ns: int) -> None:
        """Have plug-ins loaded, and one more process where all are busy."""
        self._ended = [process for process in self._ended if process.poll() is None]
        if self._loader is None:
            if now_ns >= self._start_at_ns:
                self._start(now_ns)
        elif self._answers_by_ns is not None:
            if now_ns >= self._answers_by_ns:
                late = f"hooks take longer than {self._load_within_ns // 1_000_000} ms to load"
                self._lost("the process that loads hooks does not fork" if self._has_loaded else late)
        else:
            self._fit(now_ns)

    def hear(self) -> None:
        """What the loading process says."""
        if self._control is None:
            return
        try:
            more, fds, _, _ = socket.recv_fds(self._control, 1 << 16, 2)
        except BlockingIOError:
            return
        except OSError:
            more, fds = b"", []
        if not more:
            self._lost("the process that loads hooks has ended")
            return
        try:
            for message in self._incoming.messages(more):
                self._take(told_by(message), fds)
        except (Broken, MsgspecError):
            self._lost("the process that loads hooks says what is no message")

    def end(self, process: HookProcess) -> None:
        """End a process at once."""
        self._selector.unregister(process.socket)
        self.processes.remove(process)
        process.kill()
        self._order(Order(process.pid))

    def end_all(self) -> None:
        """End them all, the loading process too."""
        for process in list(self.processes):
            self.end(process)
        self._end_loader()
        for loader in self._ended:
            with suppress(subprocess.TimeoutExpired):
                loader.wait(timeout=1)

    def close_sockets(self) -> None:
        """In the child of a fork: close this copy of the sockets to the processes."""
        for process in self.processes:
            process.socket.close()
        if self._control is not None:
            self._control.close()

    def _fit(self, now_ns: int) -> None:
        idle = self.idle()
        if len(self.processes) < self._most and not idle:
            self._answers_by_ns = now_ns + _FORK_WITHIN_NS
            self._order(Order())
        elif len(idle) > 1 and now_ns - idle[-1].seen_ns > _IDLE_NS:
            self.end(idle[-1])

    def _start(self, now_ns: int) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._loader = subprocess.Popen(
                (sys.executable, "-m", _MODULE, str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a plug-in prints is no message of ours, and no output of a command
                env=dict(self._environment),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            ours.sendall(framed(self._begin))
        except OSError as error:
            ours.close()
            self._failed_to_load(f"{type(error).__name__}: {error.strerror}")
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._control, self._incoming, self._has_loaded = ours, Incoming(), False
        self._answers_by_ns = now_ns + self._load_within_ns
        self._selector.register(ours, selectors.EVENT_READ, self.LOADER)

    def _take(self, told: Plugins | Refused | Born, fds: list[int]) -> None:
        self._answers_by_ns = None
        if isinstance(told, Born):
            process = HookProcess(told.pid, socket.socket(fileno=fds[0]), Page(fds[1]))
            process.seen_ns = time.monotonic_ns()
            os.close(fds[1])
            self.processes.append(process)
            self._selector.register(process.socket, selectors.EVENT_READ, process)
        elif isinstance(told, Plugins):
            self._failed, self._has_loaded, self._was_loaded = 0, True, True
            self._tell(told)
        else:
            self._lost(told.why)

    def _order(self, order: Order) -> None:
        if self._control is not None:
            with suppress(OSError):  # it has ended, which reading will show
                self._control.send(framed(order))

    def _lost(self, why: str) -> None:
        """The loading process is gone or broken. Its forks end with it, which we notice when we read from them."""
        self._end_loader()
        self._failed_to_load(why)

    def _end_loader(self) -> None:
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
        if self._loader is not None:
            self._loader.kill()
            self._ended.append(self._loader)
        self._loader = self._control = self._answers_by_ns = None

    def _failed_to_load(self, why: str) -> None:
        pause_ns = min(_S << min(self._failed, 5), _LONGEST_PAUSE_NS)
        self._failed += 1
        self._loader, self._start_at_ns = None, time.monotonic_ns() + pause_ns
        # The first failure is told to whoever starts this process, which may refuse to start in one line.
        if self._was_loaded or self._failed > 1:
            log.error("hooks can't be asked", reason=why, retry_in_s=pause_ns // _S)
        self._tell(why)
