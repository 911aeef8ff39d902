"""Hooks as a process of ours asks them: loaded once, asked in a bounded pool of processes of their own."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from msgspec import Struct, msgpack
from redis import Redis

from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import HOOK_ENDS

from .asked import Asked, Hook
from .asking import Done, Said
from .config import Configured, HooksConfig, configured
from .counts import End
from .frames import LARGEST_CONTEXT, Begin, Plugins
from .points import ABOUT, Point
from .statistics import Reporter
from .supervisor import Supervisor

log = structlog.get_logger(__name__)

_S = 1_000_000_000
# How much longer than `within_s` a question may wait for the thread that ends it.
_GRACE_S = 2.0


class HookPool:
    """Asks hooks in processes that it starts when they are first needed; see `asking.Hooks`. For any thread.

    `paths`: what AEGIS_HOOKS names. `environment`: of the processes. `processes`: how many may be asked at once; by default
    what the configuration says. `redis`: where its statistics go. `like`: another pool of the same
    hooks, which has loaded them.
    """

    def __init__(
        self,
        paths: Sequence[str],
        config: HooksConfig,
        environment: Mapping[str, str],
        *,
        processes: int | None = None,
        redis: Redis | None = None,
        like: HookPool | None = None,
    ) -> None:
        self._paths, self._config, self._environment = tuple(paths), config, environment
        self._processes, self._like = processes or config.pool.processes, like
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._supervisor: Supervisor | None = None
        self._redis = redis
        self._reporter: Reporter | None = None
        self._hooks: Mapping[Point, tuple[Hook, ...]] | None = None
        self._configured: tuple[Configured, ...] = ()
        self._is_closed = False

    def load(self) -> tuple[Configured, ...]:
        """Load the hooks, which otherwise happens at the first question; returns them, those too that are switched off.

        Waits for the plug-ins to be imported, in a process of their own. Raises ConfigurationError.
        """
        self._loaded()
        return self._configured

    def has(self, point: Point) -> bool:
        """Whether any hook is to be asked at this point. Raises ConfigurationError where hooks can't be loaded."""
        return bool(self._loaded().get(point))

    def names(self, point: Point) -> tuple[str, ...]:
        """The hooks of this point, in the order in which they are asked. Raises ConfigurationError."""
        return tuple(hook.name for hook in self._loaded().get(point, ()))

    def within_s(self, point: Point) -> float:
        """The sum of their limits where a merchant waits, and `most_within_ms` at most. Raises ConfigurationError."""
        most_ms = self._config.pool.most_within_ms
        if ABOUT[point].runs != "api":
            return most_ms / 1000
        return min(sum(hook.timeout_ms for hook in self._loaded().get(point, ())), most_ms) / 1000

    def begin(
        self, point: Point, context: Struct, done: Done, *, within_s: float, only: str | None = None
    ) -> None:
        """Ask the hooks of a point; see `asking.Hooks.begin`."""
        hooks = [hook for hook in self._loaded().get(point, ()) if only in (None, hook.name)]
        until_ns = time.monotonic_ns() + int(within_s * _S)
        try:
            encoded = msgpack.encode(context)
        except Exception as error:
            log.error("a context can't be sent to hooks", point=point.value, error=type(error).__name__)
            encoded = b""
        asked = Asked(point, hooks, encoded, until_ns, _never_raising(done))
        if not hooks:
            asked.finish()
        elif not encoded:
            asked.finish("was not asked: what it would be shown can't be sent")
        elif len(encoded) > LARGEST_CONTEXT:
            asked.finish(f"was not asked: what it would be shown is more than {LARGEST_CONTEXT >> 10} KiB")
        else:
            self._running().put(asked)

    def ask(
        self, point: Point, context: Struct, *, within_s: float, only: str | None = None
    ) -> tuple[Said, ...]:
        """As `begin`, but wait for the answers and return them."""
        said: list[tuple[Said, ...]] = []
        is_done = threading.Event()

        def done(what: tuple[Said, ...]) -> None:
            said.append(what)
            is_done.set()

        self.begin(point, context, done, within_s=within_s, only=only)
        if is_done.wait(within_s + _GRACE_S):
            return said[0]
        hooks = [hook for hook in self._loaded().get(point, ()) if only in (None, hook.name)]
        return tuple(
            Said(hook.name, None, "was not asked in time", within_s * 1000, hook.policy) for hook in hooks
        )

    def beside(self, *, processes: int) -> HookPool:
        """The same hooks with processes and breakers of their own."""
        return HookPool(
            self._paths, self._config, self._environment, processes=processes, redis=self._redis, like=self
        )

    def close(self) -> None:
        """End the processes; what is being asked has failed."""
        with self._lock:
            self._is_closed = True
            supervisor, self._supervisor = self._supervisor, None
            reporter, self._reporter = self._reporter, None
        if supervisor is not None and self._pid == os.getpid():
            supervisor.close()
            if reporter is not None:
                reporter.close()

    def hooks(self) -> tuple[Hook, ...]:
        """Those that are switched on, with what is known of them in this process. Raises ConfigurationError."""
        return tuple(hook for hooks in self._loaded().values() for hook in hooks)

    def _loaded(self) -> Mapping[Point, tuple[Hook, ...]]:
        if self._hooks is not None:
            return self._hooks
        with self._lock:
            if self._hooks is None:
                self._configured = self._like.load() if self._like else self._load()
                of = [Hook(one, self._config.breaker) for one in self._configured if one.enabled]
                self._hooks = {
                    point: tuple(hook for hook in of if hook.point is point)
                    for point in Point
                    if any(hook.point is point for hook in of)
                }
                _begin_at_0(of)
                if self._supervisor is not None:
                    self._report()
            return self._hooks

    def _load(self) -> tuple[Configured, ...]:
        """What the first process says that it has loaded, with what holds for it."""
        told: list[Plugins | str] = []
        is_told = threading.Event()

        def tell(what: Plugins | str) -> None:
            if not told:
                told.append(what)
                is_told.set()

        supervisor = self._supervised(tell)
        is_told.wait(self._config.pool.load_within_ms / 1000 + _GRACE_S)
        first = told[0] if told else "hooks can't be loaded: their process does not answer"
        try:
            if isinstance(first, str):
                raise ConfigurationError(first)
            hooks = configured(first.hooks, self._config)
        except ConfigurationError:
            supervisor.close()
            raise
        self._supervisor, self._pid = supervisor, os.getpid()
        return hooks

    def _running(self) -> Supervisor:
        supervisor = self._supervisor
        if supervisor is not None and self._pid == os.getpid():
            return supervisor
        with self._lock:
            if self._supervisor is not None and self._pid != os.getpid():
                self._supervisor.abandon()  # this is a fork: threads are not copied
                self._supervisor = None
            if self._supervisor is None:
                self._supervisor, self._pid = self._supervised(lambda told: None), os.getpid()
                if self._is_closed:
                    self._supervisor.close()
                self._report()
            return self._supervisor

    def _report(self) -> None:
        if self._redis is not None and self._hooks is not None and not self._is_closed:
            hooks = tuple(hook for hooks in self._hooks.values() for hook in hooks)
            self._reporter = Reporter(self._redis, hooks)

    def _supervised(self, tell: Callable[[Plugins | str], None]) -> Supervisor:
        pool = self._config.pool

        begin = Begin(self._paths, tuple(map(str, sys.path)), pool.memory_mb, os.getpid())
        return Supervisor(
            begin,
            self._environment,
            processes=self._processes,
            load_within_ns=pool.load_within_ms * 1_000_000,
            tell=tell,
        )


def _never_raising(done: Done) -> Done:
    def told(said: tuple[Said, ...]) -> None:
        try:
            done(said)
        except Exception:
            log.exception("whoever asked hooks could not be told")

    return told


def _begin_at_0(hooks: Sequence[Hook]) -> None:
    """A hook that is loaded has counts, so that monitors see the first one that is raised."""
    for hook in hooks:
        for end in End:
            METER.increment(HOOK_ENDS, hook.name, hook.point, end.value, by=0)
