"""docs/reference/emulator.md: failure modes of the emulated gateways, faults of an instance, scenarios."""

from __future__ import annotations

import json

from aegis_worker.emulator.failures import FAILURES, as_markdown
from aegis_worker.emulator.faults import MEANS, FaultSwitch
from aegis_worker.emulator.scenarios.shipping import shipped
from aegis_worker.emulator.wire_formats import REACHES

from .markdown import code, table


def failures() -> str:
    """The table, a section for each family."""
    return f"There are {len(FAILURES)}.\n\n{as_markdown()}"


def scenarios() -> str:
    """Each scenario with what happens in it, and one of them as it is written."""
    known = shipped(REACHES)
    rows = [(code(one.name), one.about) for one in known.values()]
    return f"{table(('scenario', 'what happens'), rows)}\n\n```toml\n{known['late-news'].text.strip()}\n```"


def faults() -> str:
    """Each fault with what it may be, and what it is where a POST leaves it out."""
    rows = [
        (code(name), allowed, code(json.dumps(FaultSwitch.usual[name])), meaning)
        for name, (allowed, meaning) in MEANS.items()
    ]
    return table(("fault", "may be", "without it", "does"), rows)
