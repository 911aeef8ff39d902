"""`aegis routing history`."""

from __future__ import annotations

from .documents import COMMANDS

command = COMMANDS.history(
    "Show who changed routing, when and why, newest first. --json also shows the configurations."
)
