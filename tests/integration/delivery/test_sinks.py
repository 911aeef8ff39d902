"""A drain and its sinks: a new sink is one class, none waits for another, and a failure of one loses no event."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection
from support.outbox_events import STORY, a_payment, an_event, event_ids, first_seqs, make_due
from support.payments import rows

from aegis_worker.delivery.drain import DrainReport, drain
from aegis_worker.delivery.sink import Sink, SinkUnavailable
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.published import PublishedEvent


class FileSink(Sink):
    """The example of `delivery/sink.py`."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def tell(self, events: Sequence[PublishedEvent]) -> None:
        try:
            with self._path.open("ab") as file:
                file.writelines(event.payload() + b"\n" for event in events)
        except OSError as error:
            raise SinkUnavailable(f"{type(error).__name__}: {error}") from error

    def told(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]


class Scripted(Sink):
    """Notes what it is given; fails as often as it is told to."""

    name = "scripted"

    def __init__(self, *failures: Exception) -> None:
        self.fanned_out: list[str] = []
        self.told: list[str] = []
        self.failures = list(failures)

    def fan_out(self, connection: Connection, events: Sequence[PublishedEvent]) -> int:
        self.fanned_out += [event.id for event in events]
        return len(events)

    def tell(self, events: Sequence[PublishedEvent]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.told += [event.id for event in events]


@pytest.fixture
def file_sink(tmp_path: Path) -> FileSink:
    return FileSink(tmp_path / "events")


def drained(
    database: Database, *sinks: Sink, limit: int = 100, hint: Callable[[], None] = lambda: None
) -> DrainReport:
    return drain(database, sinks, limit=limit, lease_s=30, fanned_out=hint)


def test_a_sink_of_one_s_own_gets_every_event_in_order(database: Database, file_sink: FileSink) -> None:
    payments = [a_payment(database, events=STORY * 2) for _ in range(3)]
    assert drained(database, file_sink, limit=4).delivered == 18
    assert first_seqs(file_sink.told()) == {payment_id: [1, 2, 3, 4, 5, 6] for payment_id in payments}
    assert rows(database, "SELECT 1 FROM outbox") == []


def test_while_one_sink_is_down_the_others_are_told_and_no_event_leaves(
    database: Database, tmp_path: Path, file_sink: FileSink
) -> None:
    payment_id = a_payment(database)

    class Nowhere(FileSink):
        name = "nowhere"

    report = drained(database, Nowhere(tmp_path / "missing" / "events"), file_sink)
    assert (report.delivered, report.failed) == (0, 3)
    assert first_seqs(file_sink.told()) == {payment_id: [1, 2, 3]}
    [kept] = rows(
        database, "SELECT DISTINCT tries, leased, split_part(last_error, ':', 1) AS error FROM outbox"
    )
    assert kept == {"tries": 1, "leased": False, "error": "FileNotFoundError"}


def test_what_one_sink_failed_to_take_is_told_again_to_all_of_them_under_the_same_ids(
    database: Database, file_sink: FileSink
) -> None:
    payment_id = a_payment(database)
    scripted = Scripted(SinkUnavailable("down"))
    drained(database, scripted, file_sink)
    an_event(database, payment_id, 4)
    make_due(database, "outbox")
    assert drained(database, scripted, file_sink).delivered == 4
    assert scripted.told == event_ids(payment_id, 1, 2, 3, 4)
    assert first_seqs(file_sink.told()) == {payment_id: [1, 2, 3, 4]}


def test_a_sink_that_failed_is_left_alone_until_the_next_drain(database: Database) -> None:
    for _ in range(3):
        a_payment(database)

    class Other(Scripted):
        name = "other"

    scripted, other = Scripted(SinkUnavailable("down"), SinkUnavailable("still down")), Other()
    assert drained(database, scripted, other, limit=3).failed == 9
    assert (len(scripted.failures), scripted.told, len(other.told)) == (1, [], 9)


def test_each_event_is_fanned_out_once_although_a_sink_fails_again_and_again(database: Database) -> None:
    payment_id = a_payment(database)
    scripted = Scripted(*[SinkUnavailable("down")] * 3)
    hints: list[None] = []
    for _ in range(4):
        drained(database, scripted, hint=lambda: hints.append(None))
        make_due(database, "outbox")
    assert scripted.fanned_out == scripted.told == event_ids(payment_id, 1, 2, 3)
    assert len(hints) == 1


def test_an_event_is_marked_as_fanned_out_only_together_with_its_deliveries(database: Database) -> None:
    a_payment(database)

    class Broken(Scripted):
        def fan_out(self, connection: Connection, events: Sequence[PublishedEvent]) -> int:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        drained(database, Broken())
    assert rows(database, "SELECT 1 FROM outbox WHERE fanned_out OR leased") == []


def test_an_error_that_a_sink_does_not_know_stops_the_drain_and_leaves_its_events_leased(
    database: Database,
) -> None:
    payment_id = a_payment(database)
    scripted = Scripted(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        drained(database, scripted)
    assert len(rows(database, "SELECT 1 FROM outbox WHERE leased")) == 3
    make_due(database, "outbox")
    assert drained(database, scripted).delivered == 3
    assert scripted.told == event_ids(payment_id, 1, 2, 3)
