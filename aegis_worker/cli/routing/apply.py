"""`aegis routing apply`."""

from __future__ import annotations

from .documents import COMMANDS

command = COMMANDS.apply(
    """
    Change the routing configuration; every worker uses it within two seconds.

    The configuration is checked first; if anything in it is wrong, all of it is refused. If it is already in force, nothing
    is written.
    """,
    """
    aegis routing apply draft.toml --reason "the new contract begins today"
    aegis routing apply --version 6 --reason "version 7 sent too much to sandbox_b"
    aegis routing apply --back-to-file --reason "the experiment is over"
    """,
)
