"""A failure mode of the emulated gateways: what it is, where there is it, and how it is brought about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .choosing import Reach
from .script_table import AMOUNT_BASE, SCRIPTS
from .scripts import Script
from .tokens import TOKEN_PREFIX, named
from .wire_formats import WIRE_FORMATS


@dataclass(frozen=True, slots=True)
class Failure:
    """`script`: what a header or a scenario names for it, on a call that does `operation`; empty: none does it.

    `then`: what has to be done besides. `faults`: the body of `POST /_sandbox/faults` that does it.
    """

    name: str
    family: str
    meaning: str
    script: str = ""
    operation: str = "charge"
    then: str = ""
    faults: str = ""
    wires: tuple[str, ...] = ()

    @property
    def where(self) -> list[str]:
        """The wire formats that have it."""
        return [name for name, one in WIRE_FORMATS.items() if self._is_at(name, one.books.reach)]

    def _is_at(self, wire: str, reach: Reach) -> bool:
        if self.wires and wire not in self.wires:
            return False
        if self.operation not in reach.operations:
            return False
        return not self.script or reach.takes(named(self.script), self.operation)

    @property
    def triggers(self) -> dict[str, str]:
        """How it is brought about, by the means: a token, an amount, a header, a scenario, the faults of an instance."""
        found: dict[str, str] = {}
        if self.script:
            found |= _of_script(SCRIPTS.get(self.name), self.script, self.operation)
        if self.faults:
            found["faults"] = f"POST /_sandbox/faults {self.faults}"
        if self.then:
            found["then"] = self.then
        return found

    def as_dict(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "name": self.name,
            "family": self.family,
            "gateways": self.where,
            "what_happens": self.meaning,
            "triggers": self.triggers,
        }


def _of_script(own: Script | None, script: str, operation: str) -> dict[str, str]:
    by_name = named(script)
    suffix = "" if operation in by_name.acts_on else f"_on_{operation}"
    found: dict[str, str] = {}
    if operation != "look_up":
        found["token"] = f"{TOKEN_PREFIX}{script}{suffix}"
    if own is not None and own.amount_suffix and not suffix:
        found["amount"] = str(AMOUNT_BASE + own.amount_suffix)
    found["header"] = f"Emulator-Script: {script}"
    on = "" if operation in by_name.acts_on else f', on = "{operation}"'
    found["scenario"] = f'script = "{script}"{on}'
    return found
