"""Becomes the program it is given, bound to die with the process that asked for it. Run, never imported:

    python -I -S _exec.py DEATH_SIGNAL PARENT_PID UID GID PROGRAM [ARGUMENT…]        (UID -1: keep the user)

A small program instead of `preexec_fn`, which runs Python between fork and exec and can deadlock in a process
with threads. The order matters: the kernel clears the death signal when the user changes, so the user changes
first.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(death_signal: int, parent_pid: int, uid: int, gid: int, argv: list[str]) -> None:
    """Drop to `uid`:`gid`, bind to the parent, exec `argv`. Does not return."""
    libc = None
    if sys.platform == "linux":
        # Import before the user changes, because the interpreter may lie under a home that only root may enter.
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is not None and libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        # The parent died before it was watched, so no death signal will come.
        sys.exit("the parent ended before its child began")
    # Python ignores these two signals, and the program would inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        # No search along PATH, which imports modules that may be out of the new user's reach.
        os.execv(argv[0], argv)
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    signal_, parent, uid_, gid_ = map(int, sys.argv[1:5])
    main(signal_, parent, uid_, gid_, sys.argv[5:])
