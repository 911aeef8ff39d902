"""Hooks for tests, which processes of hooks import by this module's name: one that does what a payment's metadata says, one
that does what it should, and twenty that hang."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from aegis_worker.hooks import Action, FraudAnswer, FraudCheck, Routing, hookimpl

LONG_S = 60.0


def _swallow() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        try:
            time.sleep(LONG_S)
        except BaseException:
            continue


def _circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    return circle


def _stop_once_it_has_answered() -> None:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGSTOP)).start()


def _end_behind_a_child_that_stays() -> None:
    """The child holds what its parent's end would be seen by."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(5)
        os._exit(0)
    threading.Timer(0.1, os._exit, (1,)).start()


def _keyboard_interrupt() -> None:
    raise KeyboardInterrupt


_DOES: dict[str, Callable[[], Any]] = {
    "sleep": lambda: time.sleep(LONG_S),
    "swallow signals": _swallow,
    "fork": lambda: os.fork() and None,
    "stop once it has answered": _stop_once_it_has_answered,
    "end behind a child that stays": _end_behind_a_child_that_stays,
    "end": lambda: os._exit(3),
    "crash": lambda: ctypes.string_at(0),
    "close all files": lambda: os.closerange(3, 300),
    "exit": lambda: sys.exit(3),
    "interrupt": _keyboard_interrupt,
    "want memory": lambda: bytearray(4 << 30),
    "print": lambda: print("said aloud", flush=True),
    "answer a set": lambda: {1, 2},
    "answer a circle": _circle,
    "answer 1 MB": lambda: "x" * 1_000_000,
    "answer a word": lambda: "block",
    "answer an action that there is not": lambda: {"action": "burn"},
    "answer a score that is none": lambda: {"score": float("nan")},
    "answer a dict": lambda: {"action": "review", "score": 3},
    "show the environment": lambda: FraudAnswer(Action.FLAG, reason=" ".join(sorted(os.environ))),
}


@hookimpl(specname="fraud_check")
def misbehaving(context: FraudCheck) -> Any:
    """Does what metadata.do says, and sleeps for metadata.sleep_ms."""
    metadata = context.payment.metadata
    time.sleep(metadata.get("sleep_ms", 0) / 1000)
    metadata["seen"] = True  # type: ignore[index]  # what no other hook may see
    return _DOES[metadata["do"]]() if "do" in metadata else None


@hookimpl(specname="fraud_check")
def good(context: FraudCheck) -> FraudAnswer:
    """Says whether it sees what another hook has written into the metadata."""
    return FraudAnswer(score=1 if "seen" in context.payment.metadata else 0)


@hookimpl(specname="route")
def routes(context: Routing) -> list[str]:
    """Names the last gateway."""
    return [context.gateways[-1].name] if context.gateways else []


def _hangs(number: int) -> Any:
    def hangs(context: FraudCheck) -> None:
        time.sleep(LONG_S)

    hangs.__name__ = f"hangs_{number}"
    return hookimpl(specname="fraud_check")(hangs)


class Hanging:
    """Twenty fraud checks that hang."""


for _number in range(20):
    setattr(Hanging, f"hangs_{_number}", staticmethod(_hangs(_number)))
