"""For tests of what the worker asks hooks and rules: one hook at a point, answers that are kept back, rules in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from aegis_worker.domain.screening import Finding
from aegis_worker.hooks import Point
from aegis_worker.hooks.asking import Done
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.screen import DeclinedCall
from support.scripted_hooks import Scripted, ScriptedHooks


class OurHooks(ScriptedHooks):
    """One hook at each point that has a script, named `our_shop:POINT`. What `holds` picks is told when it is let go."""

    def __init__(self, **scripts: Scripted) -> None:
        super().__init__({Point(name): {f"our_shop:{name}": script} for name, script in scripts.items()})
        self.holds: Callable[[Any], bool] = lambda context: False
        self.held: list[Callable[[], None]] = []

    def begin(
        self, point: Point, context: Struct, done: Done, *, within_s: float, only: str | None = None
    ) -> None:
        if self.holds(context):
            said = self.ask(point, context, within_s=within_s)
            self.held.append(lambda: done(said))
        else:
            super().begin(point, context, done, within_s=within_s)

    def shown_at(self, point: Point) -> list[Any]:
        """What the hook of the point was shown, in order."""
        return [context for name, context in self.asked if name == f"our_shop:{point}"]


class ScriptedRules:
    """Rules that find what the test says, and remember which payments they were asked about together."""

    def __init__(self, *findings: Finding, on: bool = True) -> None:
        self.findings, self.on = findings, on
        self.asked: list[list[str]] = []

    def applies(self) -> bool:
        return self.on

    def screen(self, asked: Sequence[Asked]) -> list[tuple[Finding, ...]]:
        self.asked.append([one.payment.id for one in asked])
        return [self.findings for _ in asked]

    def declined(self, calls: Sequence[DeclinedCall]) -> None:
        """Nothing of it is counted."""
