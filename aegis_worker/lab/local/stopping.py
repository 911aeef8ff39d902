"""How whoever runs an installation is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from aegis_worker.terminal.interrupts import event_on_signals


class Stopped(Exception):
    """Somebody asked to stop while something was under way."""


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that TERM, Ctrl-C and the closing of the terminal set, for the whole of the block."""
    wanted = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        wanted.append(signal.SIGHUP)
    with event_on_signals(wanted) as stopping:
        yield stopping


@contextmanager
def ending_when_stopped(ctx: click.Context, say: Callable[[str], None]) -> Iterator[None]:
    """End a command with 3 where what it runs is stopped before its end."""
    try:
        yield
    except Stopped:
        say("stopped before the end")
        ctx.exit(3)


def check_stopped(stopping: threading.Event) -> None:
    """Raises Stopped once somebody asked to stop."""
    if stopping.is_set():
        raise Stopped
