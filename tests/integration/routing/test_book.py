"""What operators change about routing: checked, versioned, in the audit log, and in every process within two seconds."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine

from aegis_worker.errors import DatabaseUnavailable, InvalidReason, NotFound, RoutingMoved
from aegis_worker.persistence import audit_log, routing_versions
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.looked_up import LOOK_EVERY_S
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.changes import ROUTING, pause_gateway, resume_gateway
from aegis_worker.routing.config import RoutingConfig

WHO: dict[str, Any] = {"actor": "cli:asha", "reason": "the new contract"}
FROM_FILE = RoutingConfig(fallback=("b", "a"))
BY_COST = RoutingConfig(strategy="COST_OPTIMIZED")
ONLY_B = RoutingConfig(fallback=("b",))


class Clock:
    """A clock that a test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(database: Database, clock: Clock) -> RoutingBook:
    return RoutingBook(database, FROM_FILE, ("a", "b"), clock=clock)


def entries(database: Database) -> list[audit_log.Entry]:
    with database.read() as connection:
        return list(audit_log.list_entries(connection, limit=100))[::-1]


def test_the_file_holds_until_something_is_put(database: Database, book: RoutingBook, clock: Clock) -> None:
    table = book.current()
    assert (table.config, table.version, table.source, table.paused) == (FROM_FILE, 0, "file", frozenset())
    ROUTING.put(database, BY_COST, **WHO)
    assert book.current() is table, "looked up a moment ago"
    clock.now_s += LOOK_EVERY_S
    table = book.current()
    assert (table.config, table.version, table.source) == (BY_COST, 1, "put")


def test_going_back_to_the_file_is_a_version_too(database: Database, book: RoutingBook) -> None:
    ROUTING.put(database, BY_COST, **WHO)
    back = ROUTING.put(database, None, **WHO)
    assert back is not None
    assert (back.version, back.document) == (2, None)
    assert (book.current().config, book.current().version, book.current().source) == (FROM_FILE, 2, "file")


def test_a_pause_is_seen_with_the_version_unchanged(
    database: Database, book: RoutingBook, clock: Clock
) -> None:
    ROUTING.put(database, BY_COST, **WHO)
    assert book.current().paused == frozenset()
    assert pause_gateway(database, "a", known=("a", "b"), **WHO)
    clock.now_s += LOOK_EVERY_S
    assert (book.current().paused, book.current().config) == (frozenset({"a"}), BY_COST)
    assert resume_gateway(database, "a", known=("a", "b"), actor="cli:asha")
    clock.now_s += LOOK_EVERY_S
    assert book.current().paused == frozenset()


def test_the_last_known_table_holds_while_the_database_is_away(
    database: Database, database_url: str, clock: Clock
) -> None:
    ROUTING.put(database, BY_COST, **WHO)
    engine = create_engine(database_url, connect_args={"options": "-c lock_timeout=20"})
    book = RoutingBook(Database(engine), FROM_FILE, ("a", "b"), clock=clock)
    known = book.current()
    with database.engine.begin() as other:
        other.exec_driver_sql("LOCK TABLE routing_versions")
        clock.now_s += LOOK_EVERY_S
        assert book.current() == known
        with pytest.raises(DatabaseUnavailable):
            RoutingBook(Database(engine), FROM_FILE, ("a", "b"), clock=clock).current()
    ROUTING.put(database, ONLY_B, **WHO)
    assert book.current() == known, "it is not asked again at once"
    clock.now_s += LOOK_EVERY_S
    assert book.current().config == ONLY_B
    engine.dispose()


def test_a_process_that_can_not_use_the_newest_version_goes_by_an_older_one(
    database: Database, clock: Clock
) -> None:
    ROUTING.put(database, BY_COST, **WHO)
    ROUTING.put(database, ONLY_B, **WHO)
    table = RoutingBook(database, FROM_FILE, ("a",), clock=clock).current()
    assert (table.config, table.version, table.source) == (BY_COST, 1, "put")
    assert table.unusable is not None
    assert 'unknown gateway "b"' in table.unusable
    nothing_usable = RoutingBook(database, FROM_FILE, ("c",), clock=clock)
    ROUTING.put(database, RoutingConfig(fallback=("a",)), **WHO)
    assert nothing_usable.current().version == 1


@pytest.mark.parametrize("pattern", [r"gold\Z", "(?x) gold", "a{,5}", "(?:.{50}){50}", "caf\\u00e9"])
def test_a_version_of_before_with_a_pattern_that_is_not_taken_any_more_is_named_and_an_older_one_holds(
    database: Database, clock: Clock, pattern: str
) -> None:
    ROUTING.put(database, BY_COST, **WHO)
    condition = {"field": "metadata.plan", "operator": "matches", "value": pattern}
    rules = [{"id": "gold", "gateway": "a", "conditions": [condition]}]
    database.run(
        lambda tx: routing_versions.VERSIONS.add(tx, 2, {"rules": rules}, actor="cli:asha", reason="before")
    )
    table = RoutingBook(database, FROM_FILE, ("a", "b"), clock=clock).current()
    assert (table.config, table.version) == (BY_COST, 1)
    assert table.unusable is not None
    assert "version 2 can't be used here: /rules/0/conditions/0/value: " in table.unusable
    assert len(table.unusable.splitlines()) == 1


def test_every_change_is_in_the_audit_log_with_what_came_of_it(database: Database) -> None:
    ROUTING.put(database, BY_COST, **WHO)
    ROUTING.put(database, None, **WHO)
    pause_gateway(database, "a", known=("a",), **WHO)
    resume_gateway(database, "a", known=("a",), actor="cli:asha")
    written = entries(database)
    assert [entry.action for entry in written] == [
        "routing.changed",
        "routing.changed",
        "gateway.paused",
        "gateway.resumed",
    ]
    assert {entry.actor for entry in written} == {"cli:asha"}
    assert (written[0].details["version"], written[0].details["source"]) == (1, "put")
    assert len(written[0].details["sha256"]) == 64
    assert (written[1].details["source"], written[1].details["reason"]) == ("file", "the new contract")
    assert written[2].details == {"gateway": "a", "reason": "the new contract"}


def test_what_holds_already_is_not_written_again(database: Database) -> None:
    assert ROUTING.put(database, None, **WHO) is None
    first = ROUTING.put(database, BY_COST, **WHO)
    assert ROUTING.put(database, BY_COST, **WHO) == first
    assert ROUTING.put(database, BY_COST, **WHO, expected_version=0) == first, "as after a lost answer"
    pause_gateway(database, "a", known=("a",), **WHO)
    assert not pause_gateway(database, "a", known=("a",), actor="cli:ben", reason="another reason")
    resume_gateway(database, "a", known=("a",), actor="cli:asha")
    assert not resume_gateway(database, "a", known=("a",), actor="cli:asha")
    assert len(entries(database)) == 3


def test_a_configuration_that_moved_is_not_overwritten(database: Database) -> None:
    ROUTING.put(database, BY_COST, **WHO, expected_version=0)
    with pytest.raises(RoutingMoved, match="Version 1 holds"):
        ROUTING.put(database, ONLY_B, **WHO, expected_version=0)
    assert len(entries(database)) == 1
    moved = ROUTING.put(database, ONLY_B, **WHO, expected_version=1)
    assert moved is not None
    assert moved.version == 2


def test_an_unknown_gateway_can_not_be_paused_but_one_that_is_gone_can_be_resumed(database: Database) -> None:
    with pytest.raises(NotFound):
        pause_gateway(database, "c", known=("a", "b"), **WHO)
    with pytest.raises(NotFound):
        resume_gateway(database, "c", known=("a", "b"), actor="cli:asha")
    pause_gateway(database, "a", known=("a", "b"), **WHO)
    assert resume_gateway(database, "a", known=("b",), actor="cli:asha")


def test_a_reason_is_needed(database: Database) -> None:
    for reason in ("", "  x ", "a\x1bb ", "x" * 501):
        with pytest.raises(InvalidReason):
            ROUTING.put(database, BY_COST, actor="cli:asha", reason=reason)
        with pytest.raises(InvalidReason):
            pause_gateway(database, "a", known=("a",), actor="cli:asha", reason=reason)
    assert entries(database) == []


def test_a_version_with_the_older_names_of_operators_holds_and_is_shown_with_those_of_now(
    database: Database, book: RoutingBook
) -> None:
    condition = {"field": "amount", "operator": "greater_or_equal", "value": 5}
    document = {"rules": [{"id": "large", "gateway": "b", "conditions": [condition]}]}
    database.run(lambda tx: routing_versions.VERSIONS.add(tx, 1, document, **WHO))
    table = book.current()
    assert table.unusable is None
    assert [one.operator for one in table.config.rules[0].conditions] == ["gte"]
    held = ROUTING.put(database, table.config, **WHO)
    assert held is not None
    assert held.document is not None
    assert [rule["conditions"][0]["operator"] for rule in held.document["rules"]] == ["gte"]
