"""`aegis routing check`."""

from __future__ import annotations

from .documents import COMMANDS

command = COMMANDS.check(
    """
    Check a configuration against the gateways of config/gateways.toml, and name each wrong value.

    Shows the resulting configuration, including defaults. Needs no database. Exits with 1 when a value is wrong, and with 2
    when the file is not valid TOML or JSON.
    """
)
