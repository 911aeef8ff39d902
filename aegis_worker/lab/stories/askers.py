"""Who asks about a dispute in a real life: the product's own `follow` and `ask_about_due`, on a thread that halts before it
is answered and before it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from msgspec.json import encode
from sqlalchemy import Connection

from aegis_worker.gateway_events.disputes import ask_about_due
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateways.base import GatewayEvent, PaymentGateway
from aegis_worker.hints import Notifier
from aegis_worker.lab.explore.contesting import AGAIN, POLLED, event_of
from aegis_worker.lab.explore.moves import Move
from aegis_worker.lab.plants.patching import name_in
from aegis_worker.persistence import gateway_event_rows

from .books import Book, LivedOtherwise
from .installation import ASKING_DISPUTE, RING, StoryInstallation
from .stepped import SteppedWorker

_ANSWERED = "dispute.answered"
# Longer than any story: who has claimed an event keeps it, and the story says when it is followed again.
_LONG_S = 1e8
_DUE_NOW = "UPDATE gateway_events SET due_at = statement_timestamp() WHERE provider_event_id = %(id)s"
_DUE_LATER = """
UPDATE gateway_events SET due_at = statement_timestamp() + interval '9 years'
WHERE provider_event_id = ANY (%(ids)s)
"""
_WAITS = "SELECT status = 'waiting' FROM gateway_events WHERE provider_event_id = %(id)s"
_ALL_ARE_DUE = "UPDATE disputes SET check_at = statement_timestamp() WHERE check_at IS NOT NULL"


class _Asker(NamedTuple):
    """`event_id`: because of which it asks; None where a look is due."""

    worker: SteppedWorker
    event_id: str | None


class Askers:
    """They, in the order in which they began, and the events that are to be followed again."""

    def __init__(
        self,
        installation: StoryInstallation,
        gateways: Mapping[str, PaymentGateway],
        books: Mapping[str, Book],
        hints: Notifier,
    ) -> None:
        self._installation, self._books = installation, books
        self._gateways, self._hints = gateways, hints
        self._asking: list[_Asker] = []
        self._again: list[str] = []
        self._told = 0

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Within it nobody follows an event before the story has it followed."""
        with name_in(gateway_event_rows, "_LEASE_S", _LONG_S):
            yield

    def begin(self, move: Move) -> None:
        """An event comes, comes again, or a look is due: somebody asks, and has not been answered."""
        if move.how == POLLED:
            self._run(_ALL_ARE_DUE)
            self._start(self._ask_about_due, None)
            return
        event_id = self._again.pop(0) if move.how == AGAIN else self._new_event(move.who)
        self._run(_DUE_LATER, ids=self._again)
        self._run(_DUE_NOW, id=event_id)
        parts = FollowParts(self._installation.database, self._gateways, self._hints)
        self._start(partial(_followed, parts), event_id)

    def answered(self, move: Move) -> None:
        """Its gateway answers it, or does not."""
        asker = self._asking[_place(move)]
        next(iter(self._books.values())).fate = move.how
        asker.worker.until(_ANSWERED)
        if move.how == "none":
            self._over(_place(move))

    def noted(self, move: Move) -> None:
        """It writes down what it was answered."""
        self._over(_place(move))

    def dies(self, move: Move) -> None:
        """Nothing of it runs any more; what it has claimed is followed again."""
        asker = self._asking.pop(_place(move))
        if asker.event_id is not None:
            self._again.append(asker.event_id)

    def _ask_about_due(self) -> None:
        ask_about_due(self._installation.database, self._gateways)

    def _over(self, place: int) -> None:
        asker = self._asking.pop(place)
        asker.worker.until()
        if asker.event_id is not None and self._run(_WAITS, id=asker.event_id):
            self._again.append(asker.event_id)

    def _start(self, work: Callable[[], None], event_id: str | None) -> None:
        self._told += 1
        worker = self._installation.halts.worker(f"asker {self._told}", work)
        if worker.until(ASKING_DISPUTE) is None:
            raise LivedOtherwise("nobody asks about the dispute")
        self._asking.append(_Asker(worker, event_id))

    def _new_event(self, gateway: str) -> str:
        contest = self._books[gateway].ledger.contest
        if contest is None:
            raise LivedOtherwise(f"{gateway} has no dispute to tell of")
        told = event_of(contest, gateway)
        event_id = f"dispute {self._told}"
        event = GatewayEvent(event_id, told.reference, told.ref, told.kind, dispute_ref="dp_1")
        receive(self._installation.database, RING, self._hints, self._gateways[gateway], {}, encode([event]))
        return event_id

    def _run(self, statement: str, **names: object) -> bool:
        def run(connection: Connection) -> bool:
            result = connection.exec_driver_sql(statement, names)
            return bool(result.scalar()) if result.returns_rows else False

        return self._installation.database.run(run)


def _followed(parts: FollowParts) -> None:
    follow(parts)


def _place(move: Move) -> int:
    return int(move.who.removeprefix("asker ")) - 1
