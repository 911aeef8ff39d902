"""The blueprint of the console's pages."""

from __future__ import annotations

from .login.guard import ConsoleBlueprint

blueprint = ConsoleBlueprint("console", __name__)
