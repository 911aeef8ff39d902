"""Who tells hooks: one thread of one process of a worker, so that no task waits for a slow hook."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from aegis_worker.delivery.turn import Turn
from aegis_worker.errors import Retryable

from .deliver import HookDelivery, ListenReport

log = structlog.get_logger(__name__)

_BUDGET_S = 20.0


class Listening:
    """Wakes the thread, and ends it. Where no hook listens, nothing is done.

    `wake` must be called again and again, as a drain is: what is put off is found only then.
    """

    def __init__(self, delivery: HookDelivery, close: Callable[[], None]) -> None:
        self._delivery, self._close = delivery, close
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False
        self._stop = threading.Event()

    def wake(self, turn: Turn) -> None:
        """Have what is due told, unless another process of this worker is doing so. Never waits."""
        if not self._delivery.listeners:
            return
        with self._lock:
            self._again = True
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._tell, args=(turn,), name="listening")
                self._thread.start()

    def wait(self, within_s: float) -> None:
        """Return when the thread has nothing more to tell, at most after `within_s`."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(within_s)

    def run(self, *, budget_s: float = _BUDGET_S) -> ListenReport:
        """Tell what is due, and wait for that. Raises DatabaseUnavailable."""
        return self._delivery.run(budget_s=budget_s) if self._delivery.listeners else ListenReport()

    def finish(self) -> None:
        """Begin nothing more, and return when what was begun is settled and the hooks' processes have ended."""
        self._stop.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
        self._close()

    def _tell(self, turn: Turn) -> None:
        while self._goes_on():
            if not turn.take():
                continue
            try:
                self._tell_in_turn()
            finally:
                turn.give_back()

    def _goes_on(self) -> bool:
        """Whether somebody has asked since the last look. Otherwise the thread ends."""
        with self._lock:
            goes_on = self._again and not self._stop.is_set()
            self._again = False
            if not goes_on:
                self._thread = None
            return goes_on

    def _tell_in_turn(self) -> None:
        try:
            report = self._delivery.run(budget_s=_BUDGET_S, stopped=self._stop.is_set)
        except Retryable as error:
            log.warning("hooks not told; what is due stays due", error=str(error))
            return
        except Exception:
            log.exception("hooks not told; what was claimed is told again when its lease ends")
            return
        if report.more:
            with self._lock:
                self._again = True
