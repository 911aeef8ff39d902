"""PostgreSQL is away while a worker writes, for longer than the worker waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.lab.plants.patching import name_in
from aegis_worker.pipeline import writing

_LONG_S = 1e6


class Outage:
    """Whether it is away."""

    def __init__(self) -> None:
        self._lasts = False

    def check(self) -> None:
        """Raises DatabaseUnavailable while it is away."""
        if self._lasts:
            raise DatabaseUnavailable("the story has PostgreSQL away")

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Within it nothing can be written, and who waits for it has soon waited long enough."""
        self._lasts = True
        try:
            with name_in(writing, "time", _Hurried()):
                yield
        finally:
            self._lasts = False


class _Hurried:
    """Stands for the module `time`: each look is a million seconds later."""

    def __init__(self) -> None:
        self._reads_s = 0.0

    def monotonic(self) -> float:
        self._reads_s += _LONG_S
        return self._reads_s

    def sleep(self, seconds: float) -> None:
        """No waiting."""
