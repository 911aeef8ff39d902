"""What processes know of the database's newest configuration: at most two seconds old, and looked up by one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from sqlalchemy import Connection

from aegis_worker.errors import DatabaseUnavailable

from .database import Database

LOOK_EVERY_S = 2.0

T = TypeVar("T")


class LookedUp(Generic[T]):
    """A value that `look` gets from the database, given the one that is known, or None before the first look.

    Safe among threads.
    """

    def __init__(
        self,
        database: Database,
        look: Callable[[Connection, T | None], T],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._look, self._clock = database, look, clock
        self._lock = Lock()
        self._known: T | None = None
        self._look_at = 0.0

    def current(self) -> T:
        """The value, looked up at most every two seconds; the last known one while the database is away.

        Raises DatabaseUnavailable where it was never known.
        """
        known = self._known
        if known is not None and self._clock() < self._look_at:
            return known
        # One thread asks the database; the others go on with what is known.
        if not self._lock.acquire(blocking=known is None):
            assert known is not None
            return known
        try:
            return self._looked_up()
        finally:
            self._lock.release()

    def _looked_up(self) -> T:
        if self._known is not None and self._clock() < self._look_at:
            return self._known
        try:
            with self._database.read() as connection:
                self._known = self._look(connection, self._known)
        except DatabaseUnavailable:
            if self._known is None:
                raise
        self._look_at = self._clock() + LOOK_EVERY_S
        return self._known
