"""The process that loads plug-ins: `python -m aegis_worker.hooks.loader FD`, the number of the socket that it is told by.

It imports them once and then forks, each time it is told to, a process that hooks run in. So a process that was killed is
replaced within milliseconds, however long the imports take; the process that asks, which has threads and connections, is
never forked. It ends with the process that started it, and what it has forked ends with it: on Linux the kernel kills them,
elsewhere they see their sockets closed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Sequence

from aegis_worker.errors import ConfigurationError

from .frames import Begin, Born, Incoming, Plugins, Refused, begin_of, framed, order_of
from .loading import Loaded, in_one_line, load_hooks
from .page import Page
from .serving import serve

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(argv: Sequence[str]) -> None:
    """Load, then fork as told, until the other end closes the socket."""
    control = socket.socket(fileno=int(argv[0]))
    incoming, waiting = Incoming(), list[bytes]()
    while not waiting:
        waiting.extend(incoming.messages(_more(control)))
    begin = begin_of(waiting.pop(0))
    _end_with(begin.parent)
    try:
        hooks = _loaded(begin)
    except ConfigurationError as error:
        control.sendall(framed(Refused(in_one_line(error))))
        return
    control.sendall(framed(Plugins(tuple(hook.offered for hook in hooks))))
    ended: set[int] = set()
    while True:
        for message in incoming.messages(_more(control)):
            order = order_of(message)
            if order.ended:
                ended.add(order.ended)
            else:
                _fork(hooks, control)
        ended = {pid for pid in ended if not _has_ended(pid)}


def _loaded(begin: Begin) -> tuple[Loaded, ...]:
    _limit_memory(begin.memory_mb)
    sys.path[:] = [*begin.path, *(() if os.getcwd() in begin.path else (os.getcwd(),))]
    process = os.getpid()
    hooks = load_hooks(begin.hooks)
    if os.getpid() != process:
        os._exit(0)  # a plug-in has forked: this is the copy, and must not go on in our place
    if others := [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]:
        raise ConfigurationError(
            f"a plug-in starts a thread when it is imported ({others[0]}), and hooks run in forks of the process that "
            "imports it, which have none: start it in the hook's first call"
        )
    return hooks


def _fork(hooks: Sequence[Loaded], control: socket.socket) -> None:
    """Fork a process that runs hooks, and send its socket and page to the process that told us to."""
    ours, theirs = socket.socketpair()
    page = Page.new_file()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            control.close()
            theirs.close()
            os.setsid()
            _end_with(parent)
            serve(hooks, ours, Page(page))
        except OSError:  # the socket is gone: a hook closed it, or the process at its other end has ended
            os._exit(1)
        finally:
            os._exit(0)  # at once: threads and exit handlers of plug-ins would hold it up
    socket.send_fds(control, [framed(Born(pid))], [theirs.fileno(), page])
    os.close(page)
    ours.close()
    theirs.close()


def _has_ended(pid: int) -> bool:
    """Whether a process that was killed has ended. Until this has waited for it, the kernel gives nobody else its pid."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _more(control: socket.socket) -> bytes:
    more = control.recv(1 << 16)
    if not more:
        os._exit(0)
    return more


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _limit_memory(memory_mb: int) -> None:
    """Bound the memory of each process, and write no core dump, because it would hold personal data."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = memory_mb << 20
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError:  # the process that started this one has ended
        os._exit(1)
    os._exit(0)
