"""The engine's thread: it waits for sockets and for time, and lets libcurl work on what is ready."""

from __future__ import annotations

import heapq
import math
import resource
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue

import pycurl
import structlog

from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.domain.retries import NotSentKind

from .connections import Connections
from .handles import Handle
from .places import Asked, Places
from .sockets import Sockets
from .time_limits import TimeLimits
from .transfers import Done, Peer, Result, Transfer

log = structlog.get_logger(__name__)

# Idle connections that are kept, of all peers together; half of the files that the process may open at most. Of more,
# libcurl closes the one that was idle longest, and over TLS the next call pays for another handshake.
_MOST_IDLE = 4096
# Free handles that are kept for the next transfers to a peer. Of a burst that ends together, more are made anew next time.
_MOST_FREE = 1024
# Each transfer under way needs a file descriptor, and many systems allow 1,024 by default.
_FILES = 32_768
_LONGEST_SLEEP_S = 60.0
# libcurl waits for the system's resolver, which knows no time limit, before it lets its threads go. Nobody waits for that.
_CLOSES_WITHIN_S = 2.0
# A turn of the loop takes milliseconds. One that takes longer is stuck in somebody's callback.
_SAYS_WITHIN_S = 2.0
_STOPPED = NotSent("the process is about to end")


class Loop:
    """One libcurl multi handle and its thread, from the first transfer to `stop`. Any thread may call what is public."""

    def __init__(self) -> None:
        files = _allow_many_files()
        self._sockets = Sockets()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, min(_MOST_IDLE, files // 2))
        self._wakes, self._woken = socket.socketpair()
        for end in (self._wakes, self._woken):
            end.setblocking(False)
        self._woken_fd = self._woken.fileno()
        self._sockets.watch(pycurl.POLL_IN, self._woken_fd)
        self._asked: deque[Callable[[], None]] = deque()
        self._is_asleep = self._is_stopped = False
        self._curl_due_at = math.inf
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._places, self._limits, self._connections = Places(), TimeLimits(), Connections()
        self._under_way: dict[pycurl.Curl, tuple[Handle, Asked]] = {}
        self._free: dict[Peer, list[Handle]] = {}
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it takes transfers."""
        return not self._is_stopped

    def begin(self, transfer: Transfer, done: Done) -> None:
        """Begin the transfer as soon as its peer has a place."""
        connect_by = time.monotonic() + transfer.peer.connect_timeout_s
        if transfer.deadline is not None:
            connect_by = min(connect_by, transfer.deadline)
        self._ask(partial(self._take, Asked(transfer, done, connect_by)))

    def after(self, at: float, callback: Callable[[], None]) -> None:
        """Call back on this thread when it is `at` (monotonic)."""
        self._ask(lambda: heapq.heappush(self._timers, (at, next(self._numbers), callback)))

    def stops_if_idle(self) -> bool:
        """Take no more transfers if there are none now. Returns whether it takes none any more; not, if it doesn't say."""
        told: SimpleQueue[bool] = SimpleQueue()

        def stop_if_idle() -> None:
            self._is_stopped = self._is_stopped or not (self._under_way or self._timers or self._asked)
            told.put(self._is_stopped)

        if threading.current_thread() is self._thread:
            stop_if_idle()
        else:
            self._ask(stop_if_idle)
        try:
            return told.get(timeout=_SAYS_WITHIN_S)
        except Empty:
            return False

    def stop(self) -> None:
        """End all transfers, close all connections, and return when that is done, or takes more than 2 s."""
        self._is_stopped = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSES_WITHIN_S)

    def _ask(self, what: Callable[[], None]) -> None:
        self._asked.append(what)
        if self._is_asleep:
            self._is_asleep = False
            self._wake()
        if self._is_stopped:
            self._do_what_is_asked()

    def _wake(self) -> None:
        with suppress(OSError):  # it is full, so the thread wakes up anyway; or the loop has ended
            self._wakes.send(b"!")

    def _run(self) -> None:
        try:
            while not self._is_stopped:
                self._turn()
        except Exception:
            log.exception("the engine broke; its calls end without an answer")
        finally:
            self._end()

    def _turn(self) -> None:
        self._do_what_is_asked()
        socket_action = self._multi.socket_action
        for fd, events in self._wait():
            if fd == self._woken_fd:
                self._woken.recv(4096)
            else:
                socket_action(fd, events)
        now = time.monotonic()
        if self._curl_due_at <= now:
            self._curl_due_at = math.inf
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        for handle in self._limits.over(now):
            self._ended(handle.curl, None)
        self._collect()

    def _wait(self) -> list[tuple[int, int]]:
        self._is_asleep = True
        # Look again: what was asked for before the flag was set has not woken anybody.
        due_at = (
            -math.inf if self._asked or self._is_stopped else min(self._curl_due_at, self._limits.next_at())
        )
        if self._timers:
            due_at = min(due_at, self._timers[0][0])
        try:
            return self._sockets.ready(min(max(due_at - time.monotonic(), 0.0), _LONGEST_SLEEP_S))
        finally:
            self._is_asleep = False

    def _do_what_is_asked(self) -> None:
        while self._asked:
            try:
                what = self._asked.popleft()
            except IndexError:
                return  # another thread has done it, because the loop has ended
            what()

    def _take(self, asked: Asked) -> None:
        if self._is_stopped:
            self._tell(asked.done, _STOPPED)
        elif self._places.take(asked):
            self._start(asked)
        else:
            # Only weakly, because the timer may outlast the transfer, whose body may hold a card.
            give_up: Callable[[], None] = partial(self._give_up, weakref.ref(asked))
            heapq.heappush(self._timers, (asked.connect_by, next(self._numbers), give_up))

    def _give_up(self, known: weakref.ref[Asked]) -> None:
        asked = known()
        if asked is not None and self._places.gives_up(asked):
            self._tell(asked.done, NotSent("no free connection"))

    def _start(self, asked: Asked, *, fresh: bool = False) -> None:
        transfer, now = asked.transfer, time.monotonic()
        peer = transfer.peer
        connect_s = asked.connect_by - now
        total_s = connect_s + peer.timeout_s
        if transfer.deadline is not None:
            total_s = min(total_s, transfer.deadline - now)
        if connect_s <= 0:
            self._leave(peer)
            self._tell(asked.done, NotSent("no time was left for the call", kind=NotSentKind.TIMEOUT))
            return
        free = self._free.get(peer)
        handle = free.pop() if free else Handle(peer, self._connections, self._limits.begin)
        try:
            curl = handle.begin(transfer, connect_s, total_s, fresh=fresh)
        except (pycurl.error, ValueError, TypeError):
            # Nothing has left, because libcurl has not begun. The handle is not used again.
            log.exception("libcurl does not take a transfer")
            self._leave(peer)
            self._tell(asked.done, NotSent("libcurl does not take this call"))
            return
        self._under_way[curl] = handle, asked
        self._multi.add_handle(curl)

    def _collect(self) -> None:
        """End the transfers that libcurl is done with."""
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            for curl in good:
                self._ended(curl, (0, ""))
            for curl, error, message in bad:
                self._ended(curl, (error, message))

    def _ended(self, curl: pycurl.Curl, how: tuple[int, str] | None) -> None:
        """`how`: libcurl's error and its message; None where the time was over before."""
        handle, asked = self._under_way.pop(curl)
        self._multi.remove_handle(curl)
        self._limits.end(handle)
        begins_again = handle.may_begin_again
        try:
            result = handle.given_up() if how is None else handle.result(*how)
        except Exception:
            # Whoever waits has to be told, and a request may have left. The handle is not used again.
            log.exception("the engine can't say how a transfer ended")
            result = Unknown("the engine can't say how it ended")
        else:
            free = self._free.setdefault(handle.peer, [])
            if len(free) < _MOST_FREE:
                free.append(handle)
            else:
                curl.close()  # it and its callbacks refer to each other, so it would wait for the garbage collector
        if begins_again and not self._is_stopped:
            self._start(asked, fresh=True)
            return
        self._leave(handle.peer)
        self._tell(asked.done, result)

    def _leave(self, peer: Peer) -> None:
        next_one = self._places.give_back(peer)
        if next_one is not None:
            self._start(next_one)

    def _tell(self, done: Done, result: Result) -> None:
        try:
            done(result)
        except Exception:
            log.exception("what was to be done with an answer broke")

    def _set_timer(self, in_ms: int) -> None:
        """Called by libcurl: when it wants to look at its own time limits."""
        if in_ms == 0:
            self._curl_due_at = -math.inf
        else:
            self._curl_due_at = math.inf if in_ms < 0 else time.monotonic() + in_ms / 1000

    def _end(self) -> None:
        self._is_stopped = True
        # Before the places of those under way are free, or these would begin now, and nobody would hear how they end.
        waiting = self._places.empty()
        for curl in list(self._under_way):
            self._ended(curl, (pycurl.E_ABORTED_BY_CALLBACK, "the process is about to end"))
        for asked in waiting:
            self._tell(asked.done, _STOPPED)
        self._do_what_is_asked()
        for handles in self._free.values():
            for handle in handles:
                handle.curl.close()
        self._multi.close()
        self._sockets.close()
        self._wakes.close()
        self._woken.close()


def _allow_many_files() -> int:
    """Raise this process's limit of open files as far as it may; returns how many it may open at least."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if least == resource.RLIM_INFINITY or least >= wanted:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return wanted
