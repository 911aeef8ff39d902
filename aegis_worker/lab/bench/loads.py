"""Loads, each in a process of its own, and what came of them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict

from aegis_worker.errors import OperatorError
from aegis_worker.lab.local.stopping import Stopped

from .load import Plan, Sent

_POLL_S = 0.1


def run_loads(plans: Sequence[Plan], stopping: threading.Event) -> list[Sent]:
    """All at once; what came of each. Raises Stopped once `stopping` is set, OperatorError for a load that broke."""
    loads = [_start(plan) for plan in plans]
    try:
        return [_sent(load, stopping) for load in loads]
    finally:
        for load in loads:
            load.kill()
            load.wait()


def _sent(load: subprocess.Popen[str], stopping: threading.Event) -> Sent:
    while True:
        try:
            out, _ = load.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if stopping.is_set():
                raise Stopped from None
        else:
            break
    if load.returncode:
        raise OperatorError(f"the load ended with exit code {load.returncode}")
    return Sent(**json.loads(out))


def _start(plan: Plan) -> subprocess.Popen[str]:
    load = subprocess.Popen(
        [sys.executable, "-m", "aegis_worker.lab.bench.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert load.stdin is not None
    load.stdin.write(json.dumps(asdict(plan)))
    load.stdin.close()
    load.stdin = None
    return load
