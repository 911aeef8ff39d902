"""Gateways that an operator has paused. They get no new payments, but payments open there are still looked after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from .tables.oversight import gateway_pauses

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Pause:
    """A paused gateway, since when, who paused it and why."""

    gateway: str
    reason: str
    actor: str
    paused_at: datetime


def list_pauses(connection: Connection) -> Sequence[Pause]:
    """What is paused now, in the order of the names."""
    statement = select(gateway_pauses).order_by(gateway_pauses.c.gateway).limit(_MOST)
    return [Pause(**row) for row in connection.execute(statement).mappings()]


def pause(connection: Connection, gateway: str, *, actor: str, reason: str) -> bool:
    """Pause a gateway. Returns False if it was paused already; then that pause keeps its actor and reason."""
    statement = insert(gateway_pauses).values(gateway=gateway, reason=reason, actor=actor)
    return connection.execute(statement.on_conflict_do_nothing()).rowcount == 1


def resume(connection: Connection, gateway: str) -> bool:
    """End a gateway's pause. Returns False if there was none."""
    return (
        connection.execute(gateway_pauses.delete().where(gateway_pauses.c.gateway == gateway)).rowcount == 1
    )
