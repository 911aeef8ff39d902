"""`aegis rules apply`."""

from __future__ import annotations

from .documents import COMMANDS

command = COMMANDS.apply(
    """
    Change the rules; every worker uses them within two seconds.

    They are checked first; if anything in them is wrong, all of them are refused. If they are already in force, nothing is
    written.
    """,
    """
    aegis rules apply draft.toml --reason "a wave of stolen cards"
    aegis rules apply --version 2 --reason "version 3 sent too much to review"
    aegis rules apply --back-to-file --reason "the wave is over"
    """,
)
