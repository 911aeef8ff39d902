"""Hooks that listen, as a sink: a delivery for each that is to hear of an event; `deliver` tells them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from sqlalchemy import Connection

from aegis_worker.delivery.sink import Sink
from aegis_worker.hooks import Hooks
from aegis_worker.persistence import hook_rows
from aegis_worker.persistence.hook_rows import Listener
from aegis_worker.persistence.published import PublishedEvent

from .contexts import hears, listeners_of


class HookFanOut(Sink):
    """Makes the deliveries to hooks. Each is then told and tried again on its own."""

    name = "hooks"

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    @cached_property
    def _listeners(self) -> tuple[Listener, ...]:
        return listeners_of(self._hooks)

    def fan_out(self, connection: Connection, events: Sequence[PublishedEvent]) -> int:
        """One delivery of each event to every hook whose point hears of it."""
        wanted = [
            (listener, event)
            for event in events
            for listener in self._listeners
            if hears(listener.point, event)
        ]
        return hook_rows.make(connection, wanted) if wanted else 0
