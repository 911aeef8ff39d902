"""Hooks that are functions of the test: asked on threads of this process, in place of processes of their own.

For tests of who asks and what becomes of the answers. How hooks run and are cut off is tested with the real ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from aegis_worker.hooks import Point, Said
from aegis_worker.hooks.asking import Done
from aegis_worker.hooks.points import ABOUT

Scripted = Callable[[Any], Any]


class CrowdedOut(Exception):
    """A script raises it in place of being asked: others were before it."""


class ScriptedHooks:
    """`scripts`: by point, its hooks by name. One that raises has failed; `policies` by point where not the usual ones.
    `takes_ms`: how long each is said to have run.
    """

    def __init__(
        self, scripts: Mapping[Point, Mapping[str, Scripted]], policies: Mapping[Point, Any] | None = None
    ) -> None:
        self.scripts = scripts
        self.policies = policies or {}
        self.asked: list[tuple[str, Any]] = []
        self.closed = False
        self.takes_ms = 1.0

    def has(self, point: Point) -> bool:
        return bool(self.scripts.get(point))

    def names(self, point: Point) -> tuple[str, ...]:
        return tuple(self.scripts.get(point, ()))

    def within_s(self, point: Point) -> float:
        return len(self.names(point)) * 1.0

    def begin(
        self, point: Point, context: Struct, done: Done, *, within_s: float, only: str | None = None
    ) -> None:
        threading.Thread(target=lambda: done(self.ask(point, context, within_s=within_s, only=only))).start()

    def ask(
        self, point: Point, context: Struct, *, within_s: float, only: str | None = None
    ) -> tuple[Said, ...]:
        return tuple(self._said(point, name, context) for name in self.names(point) if only in (None, name))

    def close(self) -> None:
        self.closed = True

    def _said(self, point: Point, name: str, context: Struct) -> Said:
        self.asked.append((name, context))
        policy = self.policies.get(point, ABOUT[point].policy)
        try:
            answer = self.scripts[point][name](context)
        except CrowdedOut:
            return Said(name, None, "was not asked in time", 0.0, policy, crowded_out=True)
        except Exception as error:
            return Said(name, None, f"raised {type(error).__name__}", self.takes_ms, policy)
        return Said(name, answer, None, self.takes_ms, policy)
