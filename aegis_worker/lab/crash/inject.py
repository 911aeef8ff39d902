"""Doing a fault to a running installation, and undoing it."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil
import redis
import urllib3

from aegis_worker.crash_points import VARIABLE

from .points import programs_of
from .schedule import Fault
from .stage import Stage

_TIMEOUT_S = 5.0
_PROGRAMS = {"kill the worker": "worker", "kill the API": "web", "kill beat": "beat"}


class Injector:
    """Begins and ends faults. Raises StackFailed when something does not come up again, Stopped when asked to stop."""

    def __init__(
        self, stage: Stage, seed: int, env: Mapping[str, str] | None = None, *, wait: bool = True
    ) -> None:
        """`env`: more of the environment of what is started again. `wait`: until it answers."""
        self._stage, self._stack, self._env, self._wait = stage, stage.stack, env, wait
        self._rng = random.Random(seed)
        self._http = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)
        self._begin: dict[str, Callable[[Fault], None]] = {
            "kill a pool child": self._kill_child,
            "freeze the worker past its lease": lambda fault: self._signal_worker(signal.SIGSTOP),
            "stop Redis": lambda fault: self._stack.stores.stop_redis(),
            "kill Redis": lambda fault: self._stack.stores.stop_redis(signal.SIGKILL),
            "flush Redis": lambda fault: self._flush(),
            "stop PostgreSQL at once": lambda fault: self._stack.stores.postgres.stop(signal.SIGQUIT),
            "crash point": self._arm,
            **{kind: lambda fault: self._stack.launched.kill(_PROGRAMS[fault.kind]) for kind in _PROGRAMS},
        }
        self._end: dict[str, Callable[[Fault], object]] = {
            "freeze the worker past its lease": lambda fault: self._signal_worker(signal.SIGCONT),
            "stop Redis": lambda fault: self._stack.stores.start_redis(),
            "kill Redis": lambda fault: self._stack.stores.start_redis(),
            "stop PostgreSQL at once": lambda fault: self._stack.stores.postgres.start(),
            "crash point": lambda fault: self._restart(*programs_of(fault.target.partition(":")[0])),
            **{kind: lambda fault: self._restart(_PROGRAMS[fault.kind]) for kind in _PROGRAMS},
        }

    def begin(self, fault: Fault) -> None:
        """Do it."""
        if not fault.is_gateways:
            self._begin[fault.kind](fault)
        elif fault.switch is None:
            self._stack.launched.kill(fault.target)
        else:
            self._set_faults(fault.target, fault)

    def end(self, fault: Fault) -> None:
        """Undo it; the consequences stay."""
        if not fault.is_gateways:
            if fault.kind in self._end:
                self._end[fault.kind](fault)
        elif fault.switch is None:
            self._restart(fault.target)
        else:
            self._set_faults(fault.target, None)

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()

    def _restart(self, *names: str) -> None:
        self._stack.launched.restart(names, self._stage.stopping, self._env, wait=self._wait)

    def _arm(self, fault: Fault) -> None:
        programs = programs_of(fault.target.partition(":")[0])
        # Don't wait until it answers: under load an API that dies at a crash point may never get to answer.
        self._stack.launched.restart(programs, self._stage.stopping, {VARIABLE: fault.target}, wait=False)

    def _kill_child(self, fault: Fault) -> None:
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._stack.launched.pid("worker")).children(recursive=True)
            if children:
                self._rng.choice(children).kill()

    def _signal_worker(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._stack.launched.pid("worker"), number)

    def _flush(self) -> None:
        with redis.Redis.from_url(self._stage.running.redis_url, socket_timeout=_TIMEOUT_S) as client:
            client.flushall()

    def _set_faults(self, gateway: str, fault: Fault | None) -> None:
        switch = dict(fault.switch or {}) if fault else {}
        if "fail_share" in switch:
            switch["seed"] = self._rng.randrange(2**31)
        url = f"{self._stage.running.sandboxes[gateway]['url']}/_sandbox/faults"
        self._http.request("POST", url, body=json.dumps(switch).encode())
