"""Routing as operators put it, on a real database: versions that never change, and gateways that are paused."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.errors import LockTimeout
from aegis_worker.persistence import gateway_pauses, routing_versions
from aegis_worker.persistence.database import Database

DOCUMENT: dict[str, object] = {"strategy": "WEIGHTED", "weights": {"a": 0.25, "b": 0.75}}


def put(database: Database, version: int, document: dict[str, object] | None = DOCUMENT) -> None:
    database.run(
        lambda tx: routing_versions.VERSIONS.add(
            tx, version, document, actor="cli:asha", reason="a new contract"
        )
    )


def test_where_nothing_was_put_version_0_holds(database: Database) -> None:
    with database.read() as connection:
        newest = routing_versions.newest(connection, -1)
        assert (newest.version, newest.document, newest.paused) == (0, None, frozenset())
        assert routing_versions.VERSIONS.newest_version(connection) is None


def test_the_newest_version_holds_and_a_known_one_is_not_sent_again(database: Database) -> None:
    put(database, 1)
    put(database, 2, {"strategy": "RULE_BASED"})
    with database.read() as connection:
        newest = routing_versions.newest(connection, 1)
        assert (newest.version, newest.document) == (2, {"strategy": "RULE_BASED"})
        assert routing_versions.newest(connection, 2).document is None
        listed = routing_versions.VERSIONS.history(connection, limit=10)
        assert [(one.version, one.actor, one.reason) for one in listed] == [
            (2, "cli:asha", "a new contract"),
            (1, "cli:asha", "a new contract"),
        ]
        assert listed[1].document == DOCUMENT, "fractions come back as they were given"
        assert [
            one.version for one in routing_versions.VERSIONS.history(connection, limit=10, before_version=2)
        ] == [1]


def test_a_version_without_a_document_says_that_the_file_holds_again(database: Database) -> None:
    put(database, 1)
    put(database, 2, None)
    with database.read() as connection:
        newest = routing_versions.newest(connection, 1)
        held = routing_versions.VERSIONS.newest_version(connection)
    assert (newest.version, newest.document) == (2, None)
    assert held is not None
    assert held.document is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE routing_versions SET reason = 'another'",
        "DELETE FROM routing_versions",
        "TRUNCATE routing_versions",
    ],
)
def test_versions_are_append_only(database: Database, statement: str) -> None:
    put(database, 1)
    with pytest.raises(DBAPIError, match="append-only"):
        database.run(lambda tx: tx.exec_driver_sql(statement))


def test_two_cannot_add_a_version_at_once(database: Database) -> None:
    def impatiently(tx: Connection) -> None:
        tx.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
        routing_versions.VERSIONS.one_at_a_time(tx)

    with database.engine.begin() as first:
        routing_versions.VERSIONS.one_at_a_time(first)
        with database.read() as reader:
            assert routing_versions.newest(reader, 0).version == 0, "reading goes on"
        with pytest.raises(LockTimeout):
            database.run(impatiently)


def test_a_gateway_is_paused_once_and_resumed_once(database: Database) -> None:
    def pause(reason: str) -> bool:
        return database.run(lambda tx: gateway_pauses.pause(tx, "a", actor="cli:asha", reason=reason))

    assert pause("maintenance until noon")
    assert not pause("something else")
    with database.read() as connection:
        (paused,) = gateway_pauses.list_pauses(connection)
        assert (paused.gateway, paused.actor, paused.reason) == ("a", "cli:asha", "maintenance until noon")
        assert routing_versions.newest(connection, 0).paused == {"a"}
    assert database.run(lambda tx: gateway_pauses.resume(tx, "a"))
    assert not database.run(lambda tx: gateway_pauses.resume(tx, "a"))
    with database.read() as connection:
        assert gateway_pauses.list_pauses(connection) == []
