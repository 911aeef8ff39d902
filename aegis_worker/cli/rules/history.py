"""`aegis rules history`."""

from __future__ import annotations

from .documents import COMMANDS

command = COMMANDS.history(
    "Show who changed the rules, when and why, newest first. --json also shows the rules."
)
