"""`aegis rules check`."""

from __future__ import annotations

from .documents import COMMANDS

command = COMMANDS.check(
    """
    Check rules, and name each wrong value with its line.

    Shows the resulting rules. Needs no database. Exits with 1 when a value is wrong, and with 2 when the file is not valid
    TOML or JSON.
    """
)
