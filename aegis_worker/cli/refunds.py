"""`aegis refunds`: the refunds of all merchants."""

from __future__ import annotations

from aegis_worker.domain.entities import EntityKind

from .entity_lists import list_command

command = list_command(EntityKind.REFUND, "Show the newest refunds of all merchants.")
