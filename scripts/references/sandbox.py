"""docs/reference/sandbox.md: the emulator's scripts, and the faults of a whole instance."""

from __future__ import annotations

from aegis_worker.emulator.tokens import as_markdown


def tokens() -> str:
    """The table that `python -m aegis_worker.emulator --scripts` prints."""
    scripts, grammar = as_markdown().split("\n\n", 1)
    return f"{scripts}\n\n```text\n{grammar}\n```"
