"""What a sink is: one kind of place that events are delivered to, such as the Redis Stream or merchants' endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from sqlalchemy import Connection

from aegis_worker.errors import Retryable
from aegis_worker.persistence.published import PublishedEvent


class SinkUnavailable(Retryable):
    """A sink didn't take events, or it isn't known whether it did. The message is logged and kept with the events."""

    code = "sink_unavailable"


class Sink(Protocol):
    """One kind of place that events are delivered to. The drain hands its events to every sink that it is given.

    A sink overrides one of the two methods, or both:

    - `fan_out` for a sink that first keeps deliveries of its own in our database, and delivers them by itself later.
    - `tell` for a sink that takes events right away, from a server outside.

    Both get events of one payment in order of `seq`. Both may get the same events again, also after they took them: a
    drain may die before it has noted that. Whoever receives the events dedupes on `event.id`.

    A sink catches the errors of its own client, because nothing else knows them. This one appends to a file:

        class FileSink(Sink):
            name = "file"

            def __init__(self, path: Path) -> None:
                self._path = path

            def tell(self, events: Sequence[PublishedEvent]) -> None:
                try:
                    with self._path.open("ab") as file:
                        file.writelines(event.payload() + b"\\n" for event in events)
                except OSError as error:
                    raise SinkUnavailable(f"{type(error).__name__}: {error}") from error

    Add it to the sinks in `wiring/delivery.py`. Nothing else has to know about it.
    """

    name: ClassVar[str]
    """What logs call it."""

    def fan_out(self, connection: Connection, events: Sequence[PublishedEvent]) -> int:
        """Write the deliveries of these events, in one statement for all of them; returns how many are new.

        Runs in the transaction that marks the events as fanned out, so that an event is marked if and only if its
        deliveries exist. It must not wait for anything but the database. An event gets here once, before it is told or
        while it waits for that, so a sink that fans out doesn't wait for those that are down.
        """
        return 0

    def tell(self, events: Sequence[PublishedEvent]) -> None:
        """Deliver the events now; no transaction is open meanwhile, and their lease bounds how long it may take.

        Raises SinkUnavailable. All of them are then told again later, to every sink. Until the next drain this sink is
        left alone, so that a server that hangs costs one wait; it should have a short timeout and no retries.
        """
        return
