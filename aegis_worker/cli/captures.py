"""`aegis captures`: the captures of all merchants."""

from __future__ import annotations

from aegis_worker.domain.entities import EntityKind

from .entity_lists import list_command

command = list_command(EntityKind.CAPTURE, "Show the newest captures of all merchants.")
