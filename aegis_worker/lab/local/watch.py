"""Starting again what dies, ever more patiently."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis_worker.errors import StackFailed

_LOOK_EVERY_S = 0.25
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# A part that has lived this long counts as well: its next restart waits for the shortest pause again.
_WELL_AFTER_S = 15.0


@dataclass(slots=True)
class Part:
    """Something that should live. `ended` says how it ended, None while it lives; `start` may raise StackFailed."""

    name: str
    ended: Callable[[], str | None]
    start: Callable[[], object]
    started_at: float = 0.0
    pause_s: float = 0.0
    again_at: float | None = None


class Watch:
    """Looks after parts on a thread of its own: a dead one is started again after 1 s, 2 s, 4 s, … 30 s."""

    def __init__(self, parts: Sequence[Part], note: Callable[[str], None]) -> None:
        self._parts = parts
        self._note = note
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def start(self) -> None:
        """Look from now on; every part lives."""
        now = time.monotonic()
        for part in self._parts:
            part.started_at = now
        self._thread.start()

    def stop(self) -> None:
        """Start nothing any more. Waits for a start that is under way."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            for part in self._parts:
                self._look_after(part, time.monotonic())

    def _look_after(self, part: Part, now: float) -> None:
        if part.again_at is not None:
            if now >= part.again_at:
                self._start_again(part)
        elif (how := part.ended()) is not None:
            was_well = now - part.started_at > _WELL_AFTER_S
            part.pause_s = (
                _FIRST_PAUSE_S if was_well else min(max(_FIRST_PAUSE_S, 2 * part.pause_s), _LONGEST_PAUSE_S)
            )
            part.again_at = now + part.pause_s
            self._note(f"{part.name} {how}; starting it again in {part.pause_s:g} s")

    def _start_again(self, part: Part) -> None:
        part.again_at = None
        try:
            part.start()
        except StackFailed as error:
            self._note(f"{part.name} did not start: {error}")
        part.started_at = time.monotonic()
