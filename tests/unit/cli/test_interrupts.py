"""Signals that come while a command waits."""

from __future__ import annotations

import signal
import subprocess
import sys

# The timer's signals come at every place of the waiting, again and again, also where the event's own lock is held.
_WAITS = """
import signal, time
from aegis_worker.terminal.interrupts import event_on_signals
with event_on_signals([signal.SIGALRM]) as event:
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.0021)
    ends_at = time.monotonic() + 1
    while time.monotonic() < ends_at:
        event.wait(0.00005)
        event.clear()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.raise_signal(signal.SIGALRM)
    print(event.wait(60))
"""

_TWICE = """
import signal
from aegis_worker.terminal.interrupts import event_on_signals
with event_on_signals([signal.SIGTERM], once=True) as event:
    signal.raise_signal(signal.SIGTERM)
    print(event.wait(60), flush=True)
    signal.raise_signal(signal.SIGTERM)
"""


def _ran(program: str) -> tuple[str, int]:
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    return ran.stdout.strip(), ran.returncode


def test_a_signal_in_the_midst_of_a_wait_ends_the_wait_and_stops_nothing() -> None:
    assert _ran(_WAITS) == ("True", 0)


def test_the_second_signal_ends_the_process_where_that_is_wanted() -> None:
    assert _ran(_TWICE) == ("True", -signal.SIGTERM)
