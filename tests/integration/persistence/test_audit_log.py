"""The audit log: every decision once, in a chain that shows what was changed afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy.exc import DBAPIError
from support.api_client import Api, start_api
from support.command_line import Aegis, aegis, install

from aegis_worker.persistence import audit_log
from aegis_worker.persistence.api_keys import create_key, revoke_key
from aegis_worker.persistence.audit_log import append, list_entries, verify
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


def tell(database: Database, *actions: str) -> None:
    for action in actions:
        details = {"reason": "Kauf geprüft", "n": 1, "nested": {"b": [True, None], "a": "x"}}
        database.run(partial(append, actor="cli:t", action=action, details=details))


def entries(database: Database) -> list[audit_log.Entry]:
    with database.read() as connection:
        return list(list_entries(connection, limit=100))


def meddle(database: Database, statement: str) -> None:
    """Change the log as only the owner of the table can: with its guards taken off."""

    def work(connection):
        connection.exec_driver_sql("ALTER TABLE audit_log DISABLE TRIGGER USER")
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql("ALTER TABLE audit_log ENABLE TRIGGER USER")

    database.run(work)


def test_an_untouched_chain_is_whole(database: Database) -> None:
    assert verify(database).entries == 0
    tell(database, "a", "b", "c")
    newest = entries(database)[0]
    verdict = verify(database)
    assert (verdict.entries, verdict.newest, verdict.why) == (3, newest.hash, None)


def test_a_chain_is_followed_across_pages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(database, "a", "b", "c", "d", "e")
    monkeypatch.setattr(audit_log, "_PAGE", 2)
    assert (verify(database).entries, verify(database).why) == (5, None)


@pytest.mark.parametrize(
    ("statement", "broken_at", "why"),
    [
        ("UPDATE audit_log SET actor = 'cli:other' WHERE seq = 2", 2, "content"),
        ("UPDATE audit_log SET details = '{}' WHERE seq = 2", 2, "content"),
        ("UPDATE audit_log SET at = at + interval '1 us' WHERE seq = 3", 3, "content"),
        ("UPDATE audit_log SET payment_id = 'pay_1' WHERE seq = 1", 1, "content"),
        ("DELETE FROM audit_log WHERE seq = 2", 3, "entry 2 is missing"),
        ("DELETE FROM audit_log WHERE seq = 1", 2, "entry 1 is missing"),
        ("UPDATE audit_log SET previous_hash = hash WHERE seq = 2", 2, "not chained"),
        (
            "UPDATE audit_log SET actor = 'x', hash = sha256('forged') WHERE seq = 2",
            2,
            "content",
        ),
    ],
)
def test_a_changed_entry_breaks_the_chain_there(
    database: Database, statement: str, broken_at: int, why: str
) -> None:
    tell(database, "a", "b", "c")
    meddle(database, statement)
    verdict = verify(database)
    assert verdict.broken_at == broken_at
    assert why in (verdict.why or "")


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_it_may_be_added_to_and_never_changed(database: Database, statement: str) -> None:
    tell(database, "a")
    with pytest.raises(DBAPIError, match="append-only"):
        database.run(lambda tx: tx.exec_driver_sql(statement))


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: tell(database, f"act-{number}"), range(24)))
    assert (verify(database).entries, verify(database).why) == (24, None)


def test_details_that_could_not_be_hashed_again_are_refused(database: Database) -> None:
    with pytest.raises(TypeError, match="floats"):
        database.run(lambda tx: append(tx, actor="t", action="a", details={"of": [{"n": 1.5}]}))


def test_keys_made_and_revoked_are_told_once_and_without_the_key(database: Database) -> None:
    key_id, key = create_key(database, "mer_a", "shop", actor="cli:asha")
    revoke_key(database, key_id, actor="cli:ben")
    revoke_key(database, key_id, actor="cli:ben")
    revoked, created = entries(database)
    assert (created.actor, created.action) == ("cli:asha", "api_key.created")
    whose = {"key_id": key_id, "role": "merchant", "merchant_id": "mer_a", "mode": "test"}
    assert created.details == {**whose, "label": "shop", "scopes": []}
    assert (revoked.actor, revoked.action, revoked.details) == (
        "cli:ben",
        "api_key.revoked",
        {"key_id": key_id},
    )
    assert key not in repr(entries(database))


def test_operators_read_it_in_pages(api: Api) -> None:
    operator = api.operator()
    tell(api.database, "a", "b", "c")
    first = operator.get("/v1/ops/audit-log?limit=2").json
    assert ([entry["action"] for entry in first["data"]], first["next_cursor"]) == (["c", "b"], "3")
    second = operator.get("/v1/ops/audit-log?limit=2&starting_after=3").json
    assert [entry["action"] for entry in second["data"]] == ["a", "api_key.created"]
    assert (second["has_more"], second["next_cursor"]) == (False, None)
    assert first["data"][1]["previous_hash"] == second["data"][0]["hash"]


def test_a_merchants_key_is_not_good_for_operating_nor_an_operators_for_payments(api: Api) -> None:
    shop, operator = api.merchant(), api.operator()
    accepted = shop.accepted()
    for refused in (
        shop.get("/v1/ops/audit-log"),
        operator.post_payment(),
        operator.get("/v1/payments"),
        operator.get(accepted["links"]["self"]),
        operator.get("/v1/jobs"),
        operator.get("/v1/webhook-endpoints"),
    ):
        assert (refused.status_code, refused.json["code"]) == (403, "insufficient_scope")
    assert api.app.test_client().get("/v1/ops/audit-log").status_code == 401


def test_the_command_shows_and_verifies_it(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database: Database, database_url: str
) -> None:
    install(monkeypatch, database_url)
    tell(database, "one", "two", "three")
    assert [entry["action"] for entry in aegis("audit-log", "--limit", "2", "--json").json] == [
        "three",
        "two",
    ]
    create_key(database, "mer_a", "till")
    shown = aegis("audit-log").out
    assert "Kauf geprüft" in shown
    assert "merchant, mer_a, till" in shown
    whole = aegis("audit-log", "--verify", "--json")
    assert (whole.exit_code, whole.json["intact"], whole.json["entries"]) == (0, True, 4)
    assert "whole" in aegis("audit-log", "--verify").out
    meddle(database, "UPDATE audit_log SET actor = 'nobody' WHERE seq = 2")
    broken = aegis("audit-log", "--verify", "--json")
    assert (broken.exit_code, broken.json["broken_at"]) == (1, 2)
    assert "first bad entry" in aegis("audit-log", "--verify").out
