"""The sockets that libcurl waits for, and which of them are ready. Not `selectors`: its bookkeeping took 8 % of a call."""

from __future__ import annotations

import math
import select
from typing import Any

import pycurl

_READ, _WRITE = select.POLLIN, select.POLLOUT  # epoll has the same numbers
_WATCHED = {pycurl.POLL_IN: _READ, pycurl.POLL_OUT: _WRITE, pycurl.POLL_INOUT: _READ | _WRITE}
_BOTH: int = pycurl.CSELECT_IN | pycurl.CSELECT_OUT
_READY = {_READ: pycurl.CSELECT_IN, _WRITE: pycurl.CSELECT_OUT}
_REMOVE: int = pycurl.POLL_REMOVE


class Sockets:
    """An epoll or, elsewhere than on Linux, a poll, which takes longer the more sockets there are."""

    def __init__(self) -> None:
        self._is_epoll = hasattr(select, "epoll")
        self._poll: Any = select.epoll() if self._is_epoll else select.poll()
        self._watched: set[int] = set()

    def watch(self, what: int, fd: int, _multi: object = None, _data: object = None) -> None:
        """Called by libcurl: which of a socket's events it waits for, by its POLL_ numbers."""
        if what == _REMOVE:
            if fd in self._watched:
                self._watched.remove(fd)
                try:
                    self._poll.unregister(fd)
                except OSError:
                    return  # it was closed before
        elif fd in self._watched:
            self._poll.modify(fd, _WATCHED[what])
        else:
            self._poll.register(fd, _WATCHED[what])
            self._watched.add(fd)

    def ready(self, within_s: float) -> list[tuple[int, int]]:
        """Those that are ready, with libcurl's CSELECT_ numbers: as soon as there is one, or when the time is over."""
        found = self._poll.poll(within_s if self._is_epoll else math.ceil(within_s * 1000))
        # What is neither of the two is an error or an end as well, and libcurl finds that in either direction.
        return [(fd, _READY.get(events, _BOTH)) for fd, events in found]

    def close(self) -> None:
        """Watch nothing any more."""
        if self._is_epoll:
            self._poll.close()
