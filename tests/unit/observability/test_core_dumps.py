"""A process that may open cards writes no core dump, and lets nobody of its own user read its memory."""

from __future__ import annotations

import subprocess
import sys

_SAYS = """
import ctypes, os, resource
from aegis_worker.observability.core_dumps import never_dump
never_dump()
def dumpable(): return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if os.uname().sysname == "Linux" else 0
print(resource.getrlimit(resource.RLIMIT_CORE), dumpable(), flush=True)
if os.fork() == 0:
    print(resource.getrlimit(resource.RLIMIT_CORE), dumpable(), flush=True)
    os._exit(0)
os.wait()
"""


def test_neither_the_process_nor_its_children_can_be_dumped() -> None:
    told = subprocess.run([sys.executable, "-c", _SAYS], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == 2 * ["(0, 0) 0"]
