"""Which script a call follows: its header's, else the scenario's, else its token's or amount's, else the instance's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .faults import FaultSwitch
from .scenarios.rules import Scenario
from .scenarios.running import Running
from .script_table import OK
from .scripts import Script
from .tokens import UnknownScript, named

HEADER = "emulator-script"


@dataclass(frozen=True, slots=True)
class Reach:
    """What a wire format can be told to do. `ends_later`: operations that may be decided, or undone, after the answer.
    `without`: the names of scripts that mean nothing there, by operation.
    """

    wire: str
    operations: frozenset[str]
    ends_later: frozenset[str]
    without: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)

    def takes(self, script: Script, operation: str) -> bool:
        """Whether the script can act on this operation here."""
        if operation not in self.operations or (script.wires and self.wire not in script.wires):
            return False
        if script.name in self.without.get(operation, ()):
            return False
        if script.ends_later and operation != "charge" and operation not in self.ends_later:
            return False
        return operation in script.acts_on or script.fits(operation)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as far as its script is chosen by it. `script`: what its token or amount (in minor units) names.

    The names in `headers` are in lower case. `may_be_struck`: whether the faults of the instance choose where nothing does.
    """

    operation: str
    headers: Mapping[str, str]
    script: Script = OK
    token: str = ""
    amount: int = 0
    may_be_struck: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """The script of a call. `given`: its name, where it is not the token's. `telling`: the name of the one that the
    payment's webhooks follow from now on, empty where that stays as it is.
    """

    script: Script
    given: str = ""
    telling: str = ""


class Choice:
    """What is in force at one instance. Safe from several threads."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.faults = FaultSwitch()
        self.running: Running | None = None

    def play(self, scenario: Scenario | None) -> None:
        """Begin a scenario, all its counts at 0, in place of the one that is running; None: end that."""
        self.running = Running(scenario, self.reach.wire) if scenario else None

    def chosen(self, asked: Asked) -> Chosen:
        """What this call follows. Raises UnknownScript for a header that names what is not there."""
        given = self._in_header(asked) if HEADER in asked.headers else []
        if self.running is not None:
            given += self._in_scenario(self.running, asked)
        telling = next((script.text for script in given if script.telling), "")
        script = next((script for script in given if not script.telling), None)
        if script is not None:
            return Chosen(script, script.text, telling)
        script = self._of_payment(asked)
        return Chosen(script, "", telling or (script.text if script.telling else ""))

    def _of_payment(self, asked: Asked) -> Script:
        script = asked.script
        if script is OK and asked.operation == "charge" and asked.may_be_struck:
            script = self.faults.script_for_plain_charge()
        if script is OK and asked.operation in self.reach.ends_later:
            script = self.faults.script_for_plain_movement(asked.operation)
        if asked.operation == "confirm" and script.then is not None:
            script = script.then
        return script if asked.operation in script.acts_on else OK

    def _in_header(self, asked: Asked) -> list[Script]:
        return [self.here(name.strip(), asked.operation) for name in asked.headers[HEADER].split(",")]

    def _in_scenario(self, running: Running, asked: Asked) -> list[Script]:
        claimed = running.claimed_by(asked.operation, asked.token, asked.amount, asked.headers)
        scripts = [script for script in map(named, claimed) if self.reach.takes(script, asked.operation)]
        return [replace(script, acts_on=frozenset({asked.operation})) for script in scripts]

    def here(self, name: str, operation: str) -> Script:
        """The script of this name, of this operation. Raises UnknownScript where it can't act on it."""
        script = named(name)
        if not self.reach.takes(script, operation):
            raise UnknownScript(f"{name!r} cannot act on {operation!r} at {self.reach.wire}")
        return replace(script, acts_on=frozenset({operation}))
