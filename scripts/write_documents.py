"""Writes what is made from the code: blocks of documents, each between two comments that name it, and the client's modules.

With --check nothing is written, and the exit code is 1 if a block is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from references import (
    adyen,
    alerts,
    client,
    commands,
    emulator,
    errors,
    events,
    hooks,
    metrics,
    sandbox,
    settings,
    stripe,
)
from references.markdown import code, codes, table

from aegis_worker.domain.dispute_statuses import DISPUTE_TRANSITIONS, MEANINGS, DisputeStatus
from aegis_worker.domain.transitions import LEADS_TO, TERMINAL, TRANSITIONS, EventType, State

ROOT = Path(__file__).parents[1]


def state_diagram() -> str:
    """The payment's transitions as a Mermaid diagram, each with the event that leads there."""
    event_to = {state: event for event, state in LEADS_TO.items()}
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.INITIATED}: {EventType.INITIATED.wire}"]
    for state in State:
        lines += [
            f"    {state} --> {following}: {event_to[following].wire}"
            for following in State
            if following in TRANSITIONS[state]
        ]
    lines += [f"    {state} --> [*]" for state in State if state in TERMINAL]
    return "\n".join([*lines, "```"])


def dispute_statuses() -> str:
    """The statuses of a dispute, what each means, and which may follow it."""
    rows = [
        (
            code(status),
            MEANINGS[status],
            codes(each for each in DisputeStatus if each in DISPUTE_TRANSITIONS[status]),
        )
        for status in DisputeStatus
    ]
    return table(("status", "means", "may be followed by"), rows)


# By document, and then by the name of the block in it.
BLOCKS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/state-machine.md": {"states": state_diagram, "disputes": dispute_statuses},
    "docs/reference/settings.md": {"settings": settings.tables},
    "docs/reference/commands.md": {"overview": commands.overview, "commands": commands.details},
    "docs/reference/errors.md": {
        "problems": errors.problems,
        "declines": errors.declines,
        "elsewhere": errors.elsewhere,
        "exceptions": errors.exceptions,
    },
    "docs/reference/events.md": {"example": events.example, "events": events.events, "fields": events.fields},
    "docs/reference/emulator.md": {
        "failures": emulator.failures,
        "faults": emulator.faults,
        "scenarios": emulator.scenarios,
    },
    "docs/reference/sandbox.md": {"tokens": sandbox.tokens},
    "docs/reference/metrics.md": {
        "processes": metrics.of_processes,
        "buckets": metrics.buckets,
        "shared": metrics.of_shared_state,
    },
    "docs/howto/operate.md": {"alerts": alerts.runbook},
    "docs/howto/write-a-hook.md": {
        "points": hooks.points,
        "contexts": hooks.what_hooks_get,
        "example": hooks.example,
    },
    "docs/howto/stripe.md": {"cards": stripe.cards},
    "docs/howto/adyen.md": {"cards": adyen.cards},
}

# Written whole.
MODULES: Mapping[str, Callable[[], str]] = {
    "aegis_client/models.py": client.models,
    "aegis_client/problems.py": client.problems,
    "aegis_client/resources.py": client.resources,
}


def rewritten(text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """The document with its blocks as the code has them now. Raises ValueError if the document lacks a block."""
    for name, content in blocks.items():
        begin = f"<!-- {name}: written by scripts/documents, begin -->"
        end = f"<!-- {name}: written by scripts/documents, end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the document must hold once: {begin} and {end}")
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{content()}\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Write the stale blocks, or only name them; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: scripts/documents [--check]", file=sys.stderr)
        return 2
    stale = False
    for name in (*BLOCKS, *MODULES):
        document = ROOT / name
        written = document.read_text(encoding="utf-8") if document.exists() else ""
        wanted = MODULES[name]() if name in MODULES else rewritten(written, BLOCKS[name])
        if wanted == written:
            continue
        stale = True
        if arguments:
            print(f"{name} is stale; scripts/documents writes it anew")
        else:
            document.write_text(wanted, encoding="utf-8")
            print(f"{name} written")
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
