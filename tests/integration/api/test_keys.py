"""API keys: made once, kept as a hash, refused when revoked, and each good for its own merchant only."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import create_engine, make_url, select
from support.api_client import start_api

from aegis_api.http.auth import KnownKeys
from aegis_worker.domain.modes import MODES, Mode
from aegis_worker.errors import DatabaseUnavailable, InvalidApiKey, NotFound
from aegis_worker.persistence.api_keys import (
    authenticate,
    create_key,
    create_operator_key,
    list_keys,
    revoke_key,
)
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.tables.access import api_keys


@pytest.fixture
def database(database_url: str) -> Database:
    return start_api(database_url).database


def test_a_key_tells_its_merchant(database: Database) -> None:
    _, key_a = create_key(database, "mer_a", "shop")
    _, key_b = create_key(database, "mer_b", "shop")
    assert [authenticate(database, key).merchant_id for key in (key_a, key_b)] == ["mer_a", "mer_b"]


@pytest.mark.parametrize("mode", MODES)
def test_a_key_carries_256_random_bits_and_says_its_mode(database: Database, mode: Mode) -> None:
    keys = {create_key(database, "mer_a", "shop", mode=mode)[1] for _ in range(20)}
    assert len(keys) == 20
    assert all(re.fullmatch(rf"aegis_{mode}_[A-Za-z0-9_-]{{43}}", key) for key in keys)
    assert {authenticate(database, key).mode for key in keys} == {mode}
    assert {key.mode for key in list_keys(database)} == {mode}


def test_a_key_is_for_test_where_nothing_is_said(database: Database) -> None:
    assert authenticate(database, create_key(database, "mer_a", "shop")[1]).mode == "test"


def test_an_operators_key_has_no_mode(database: Database) -> None:
    _, key = create_operator_key(database, "night")
    assert re.fullmatch(r"aegis_ops_[A-Za-z0-9_-]{43}", key)
    assert authenticate(database, key).mode is None
    assert [listed.mode for listed in list_keys(database)] == [None]


def test_a_key_has_the_scopes_that_it_was_made_with_and_no_other(database: Database) -> None:
    _, plain = create_key(database, "mer_a", "shop")
    _, refunding = create_key(database, "mer_a", "back office", scopes=("refunds:write",))
    assert authenticate(database, plain).scopes == frozenset()
    assert authenticate(database, refunding).scopes == {"refunds:write"}
    assert [list(key.scopes) for key in list_keys(database)] == [["refunds:write"], []]


def test_nothing_that_is_stored_or_listed_gives_the_key_back(database: Database) -> None:
    _, key = create_key(database, "mer_a", "shop")
    secret = key.removeprefix("aegis_test_")
    with database.read() as connection:
        (row,) = connection.execute(select(api_keys)).all()
    (listed,) = list_keys(database)
    for shown in (*map(repr, row), repr(listed)):
        assert secret not in shown
        assert secret[:8] not in shown
    assert listed.hint == f"aegis_test_…{key[-4:]}"


@pytest.mark.parametrize("key", ["", "aegis_test_", "aegis_test_" + "A" * 43, "é\x00"])
def test_an_unknown_key_is_refused(database: Database, key: str) -> None:
    with pytest.raises(InvalidApiKey):
        authenticate(database, key)


def test_a_revoked_key_is_refused_and_stays_listed(database: Database) -> None:
    key_id, key = create_key(database, "mer_a", "shop")
    revoke_key(database, key_id)
    with pytest.raises(InvalidApiKey):
        authenticate(database, key)
    (listed,) = list_keys(database, "mer_a")
    assert listed.revoked_at is not None
    revoke_key(database, key_id)
    assert list_keys(database, "mer_a") == [listed]


def test_a_key_is_good_where_its_use_can_not_be_noted(database: Database, database_url: str) -> None:
    _, key = create_key(database, "shop", "web")
    read_only = make_url(database_url).update_query_dict({"options": "-c default_transaction_read_only=on"})
    writes_nothing = Database(create_engine(read_only))
    assert authenticate(writes_nothing, key).merchant_id == "shop"
    writes_nothing.dispose()
    assert list_keys(database)[0].last_used_at is None


def test_a_key_that_does_not_exist_can_not_be_revoked(database: Database) -> None:
    with pytest.raises(NotFound):
        revoke_key(database, "key_none")


def test_keys_are_listed_newest_first_for_one_merchant_or_for_all(database: Database) -> None:
    made = [create_key(database, merchant, "shop")[0] for merchant in ("mer_a", "mer_b", "mer_a")]
    assert [key.id for key in list_keys(database)] == sorted(made, reverse=True)
    assert {key.id for key in list_keys(database, "mer_a")} == {made[0], made[2]}


def test_a_process_that_has_just_seen_a_key_asks_no_more_until_5_s_are_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("aegis_api.http.auth.time.monotonic", lambda: now)
    known = KnownKeys(database)
    key_id, key = create_key(database, "mer_a", "shop")
    assert known.holder_of(key).merchant_id == "mer_a"
    revoke_key(database, key_id)
    now = 1004.9
    assert known.holder_of(key).merchant_id == "mer_a"
    now = 1005.0
    with pytest.raises(InvalidApiKey):
        known.holder_of(key)


def test_an_unknown_key_is_asked_about_each_time(database: Database) -> None:
    known = KnownKeys(database)
    key = "aegis_test_" + "A" * 43
    for _ in range(2):
        with pytest.raises(InvalidApiKey):
            known.holder_of(key)


def test_a_remembered_key_needs_no_database(database: Database, database_url: str) -> None:
    _, key = create_key(database, "mer_a", "shop")
    known = KnownKeys(database)
    assert known.holder_of(key).merchant_id == "mer_a"
    away = start_api(database_url.replace("/test_", "/none_")).database
    with pytest.raises(DatabaseUnavailable):
        KnownKeys(away).holder_of(key)
    assert known.holder_of(key).merchant_id == "mer_a"
