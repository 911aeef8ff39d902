"""The card vault on PostgreSQL and Valkey: what goes in comes out for its payment only, and goes when it must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Connection, create_engine
from support.card_canary import dump
from support.vaults import FINGERPRINT, NEW, OLD, VaultStores, a_card, keys, vault_on

from aegis_worker.domain.cards import Card, VaultedCard
from aegis_worker.domain.modes import Owner
from aegis_worker.errors import (
    CannotUnseal,
    CardGone,
    CodeGone,
    DatabaseUnavailable,
    IdempotencyKeyReused,
    VaultUnavailable,
)
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.keys import SealingKey
from aegis_worker.vault.memory import CARD_S, CODE_S, Memory
from aegis_worker.vault.reseal import reseal
from aegis_worker.vault.vault import TokenRequest, Vault
from aegis_worker.wiring.stores import short_waits

MINE, OTHERS = Owner("mer_a", "test"), Owner("mer_b", "test")


@pytest.fixture
def memory_redis(vault_stores: VaultStores) -> Iterator[Redis]:
    with Redis.from_url(vault_stores.redis_url) as redis:
        yield redis


def kept(
    vault: Vault, card: Card | None = None, owner: Owner = MINE, key: str = "k", customer: str | None = None
) -> VaultedCard:
    card = card or a_card()
    request = TokenRequest(key, b"h", customer)
    return vault.make(owner, vault.vaulted(owner, card, kept=True), card, request).card


def held(vault: Vault, card: Card | None = None, owner: Owner = MINE) -> VaultedCard:
    card = card or a_card()
    known = vault.vaulted(owner, card, kept=False)
    vault.hold(owner, known, card)
    return known


def opened(vault: Vault, known: VaultedCard, *, with_code: bool = False) -> Card:
    return vault.open(known.token, fingerprint=known.fingerprint, with_code=with_code)


@pytest.mark.parametrize("put", [kept, held])
def test_a_card_comes_out_as_it_went_in_with_its_code_only_where_it_is_wanted(
    vault: Vault, put: object
) -> None:
    card = a_card(holder="Zoë Rao")
    known = put(vault, card)  # type: ignore[operator]
    assert opened(vault, known, with_code=True) == card
    assert opened(vault, known) == a_card(cvc=None, holder="Zoë Rao")


def test_neither_store_holds_number_or_code_in_the_clear(
    vault: Vault, vault_stores: VaultStores, memory_redis: Redis
) -> None:
    kept(vault)
    held(vault)
    everything = dump(vault_stores.database_url).encode()
    for name in memory_redis.scan_iter():
        everything += memory_redis.dump(name) or b""
    assert b"4242424242424242" not in everything
    assert b'"737"' not in everything


def test_a_code_lives_15_minutes_and_a_single_payments_card_a_day_without_one(
    vault: Vault, memory_redis: Redis
) -> None:
    kept(vault)
    assert [memory_redis.ttl(name) <= CODE_S for name in memory_redis.scan_iter()] == [True]
    with_code = held(vault)
    assert 0 < memory_redis.ttl(f"aegis:vault:card:{with_code.token}") <= CODE_S
    without = held(vault, a_card(cvc=None))
    assert CODE_S < memory_redis.ttl(f"aegis:vault:card:{without.token}") <= CARD_S


def test_what_is_settled_leaves_the_kept_card_alone(vault: Vault) -> None:
    known, once = kept(vault), held(vault)
    vault.settled([known.token, once.token])
    assert opened(vault, known).cvc is None
    with pytest.raises(CodeGone):
        opened(vault, known, with_code=True)
    with pytest.raises(CardGone):
        opened(vault, once)
    assert vault.find(MINE, [known.token, once.token])[known.token].with_code is False


def test_another_merchant_neither_finds_nor_destroys_nor_opens_it(vault: Vault) -> None:
    for known in (kept(vault), held(vault)):
        for stranger in (OTHERS, Owner("mer_a", "live")):
            assert vault.find(stranger, [known.token]) == {}
            assert vault.destroy(stranger, known.token) is False
        theirs = vault.vaulted(OTHERS, a_card(), kept=True)
        assert theirs.fingerprint != known.fingerprint
        with pytest.raises(CannotUnseal, match="not the payment's"):
            vault.open(known.token, fingerprint=theirs.fingerprint, with_code=False)
        assert opened(vault, known).number == a_card().number


def test_a_ciphertext_moved_to_another_row_is_not_opened(vault: Vault, vault_stores: VaultStores) -> None:
    mine, theirs = kept(vault), kept(vault, owner=OTHERS)
    engine = create_engine(vault_stores.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE cards SET sealed = (SELECT sealed FROM cards WHERE token = %s) WHERE token = %s",
            (theirs.token, mine.token),
        )
    engine.dispose()
    with pytest.raises(CannotUnseal, match="another place"):
        opened(vault, mine)


@pytest.mark.parametrize("put", [kept, held])
def test_what_is_destroyed_is_gone_and_destroying_it_again_is_answered_alike(
    vault: Vault, vault_stores: VaultStores, put: object
) -> None:
    known = put(vault)  # type: ignore[operator]
    assert [vault.destroy(MINE, known.token) for _ in range(2)] == [True, True]
    assert vault.find(MINE, [known.token]) == {}
    with pytest.raises(CardGone):
        opened(vault, known, with_code=True)
    assert known.fingerprint not in dump(vault_stores.database_url)
    assert vault.destroy(MINE, "card_" + "0" * 32) is False


def test_a_customers_cards_are_found_newest_first_and_destroyed_together(vault: Vault) -> None:
    cards = [kept(vault, key=f"k{n}", customer="cus_1") for n in range(3)]
    other = kept(vault, key="k3", customer="cus_2")
    found = [made.card.token for made in vault.of_customer(MINE, "cus_1")]
    assert found == [card.token for card in reversed(cards)]
    assert vault.of_customer(OTHERS, "cus_1") == []
    assert [vault.destroy_all(MINE, "cus_1") for _ in range(2)] == [3, 0]
    assert opened(vault, other).number == a_card().number
    with pytest.raises(CardGone):
        opened(vault, cards[0])


def test_a_key_gives_one_token_and_the_second_card_is_nowhere(vault: Vault, memory_redis: Redis) -> None:
    first = kept(vault)
    again = vault.make(MINE, vault.vaulted(MINE, a_card(), kept=True), a_card(), TokenRequest("k", b"h"))
    assert (again.card.token, again.replayed) == (first.token, True)
    assert list(memory_redis.scan_iter()) == [f"aegis:vault:code:{first.token}".encode()]
    with pytest.raises(IdempotencyKeyReused):
        vault.make(MINE, vault.vaulted(MINE, a_card(), kept=True), a_card(), TokenRequest("k", b"other"))
    vault.destroy(MINE, first.token)
    with pytest.raises(CardGone):
        vault.make(MINE, vault.vaulted(MINE, a_card(), kept=True), a_card(), TokenRequest("k", b"h"))


def test_old_requests_are_forgotten_and_kept_cards_are_not(vault: Vault) -> None:
    known = kept(vault)
    once = vault.vaulted(MINE, a_card(), kept=False)
    vault.make(MINE, once, a_card(), TokenRequest("k2", b"h"))
    assert vault.forget_requests(hours=1, most=10) == 0
    with vault.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE cards SET created_at = created_at - interval '2 hours'")
    assert vault.forget_requests(hours=1, most=10) == 2
    assert opened(vault, known).number == a_card().number
    assert kept(vault).token != known.token


def test_after_an_exchange_of_keys_old_cards_open_and_resealing_frees_the_old_key(
    vault: Vault, vault_stores: VaultStores
) -> None:
    cards = [kept(vault, key=f"k{n}") for n in range(5)]
    exchanged = vault_on(vault_stores, keys(NEW, OLD))
    assert [opened(exchanged, card).number for card in cards] == 5 * [a_card().number]
    assert exchanged.vaulted(MINE, a_card(), kept=True).fingerprint == cards[0].fingerprint
    told: list[int] = []
    assert reseal(exchanged, told.append, batch=2) == 5
    assert sum(told) == 5
    newest_alone = vault_on(vault_stores, keys(NEW))
    assert [opened(newest_alone, card).number for card in cards] == 5 * [a_card().number]
    with pytest.raises(CannotUnseal, match="AEGIS_VAULT_KEYS"):
        opened(vault, cards[0])
    for other in (exchanged, newest_alone):
        other.close()


def test_a_wrong_key_or_another_fingerprint_key_opens_nothing(
    vault: Vault, vault_stores: VaultStores
) -> None:
    known = kept(vault)
    same_id = vault_on(vault_stores, keys(SealingKey(OLD.id, b"x" * 32)))
    other_fingerprints = vault_on(vault_stores, keys(fingerprint=SealingKey(FINGERPRINT.id, b"y" * 32)))
    for wrong in (same_id, other_fingerprints):
        with pytest.raises(CannotUnseal):
            opened(wrong, known)
        wrong.close()


def test_nothing_is_put_into_a_redis_that_writes_files(redis_url: str, vault: Vault) -> None:
    unfit = Memory(short_waits(redis_url, 2.0))
    with pytest.raises(VaultUnavailable, match="append-only file"):
        unfit.put("card_1", card=b"x", code=b"y")
    with Redis.from_url(redis_url) as redis:
        assert list(redis.scan_iter()) == []
        assert "it is the Redis of REDIS_URL" in unfit.why_unfit(redis)
        assert vault.memory.why_unfit(redis) == []
    unfit.close()


def test_snapshots_make_a_redis_unfit_while_it_runs(vault: Vault, memory_redis: Redis) -> None:
    memory_redis.config_set("save", "3600 1")
    try:
        with pytest.raises(VaultUnavailable, match="snapshots"):
            held(vault)
        assert list(memory_redis.scan_iter()) == []
    finally:
        memory_redis.config_set("save", "")


def test_while_its_memory_is_full_no_card_is_taken_and_those_that_are_held_can_be_charged(
    vault: Vault, memory_redis: Redis
) -> None:
    known = held(vault)
    memory_redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(VaultUnavailable, match="maxmemory"):
            held(vault)
        assert opened(vault, known, with_code=True) == a_card()
    finally:
        memory_redis.config_set("maxmemory", "0")


def test_with_its_database_silent_no_card_is_kept_and_what_is_in_memory_ends_by_itself(
    vault: Vault, vault_stores: VaultStores, memory_redis: Redis
) -> None:
    nowhere = vault_stores.database_url.replace("/aegis_vault", "/nowhere")
    cut_off = Vault(
        vault.sealer, vault.memory, vault_on(VaultStores(nowhere, vault_stores.redis_url)).database
    )
    with pytest.raises(VaultUnavailable, match="user and password in AEGIS_VAULT_DATABASE_URL"):
        kept(cut_off)
    assert all(0 < memory_redis.ttl(name) <= CODE_S for name in memory_redis.scan_iter())
    with vault.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM cards").scalar_one() == 0
    cut_off.database.dispose()


@pytest.mark.parametrize("is_kept", [True, False])
def test_where_the_answer_of_the_commit_is_lost_a_repeat_gets_a_token_that_pays_with_its_code(
    vault: Vault, is_kept: bool
) -> None:
    vault.database = LosesAnAnswer(vault.database)  # type: ignore[assignment]
    request = TokenRequest("k", b"h")
    with pytest.raises(VaultUnavailable):
        vault.make(MINE, vault.vaulted(MINE, a_card(), kept=is_kept), a_card(), request)
    again = vault.make(MINE, vault.vaulted(MINE, a_card(), kept=is_kept), a_card(), request)
    assert again.replayed
    assert opened(vault, again.card, with_code=True) == a_card()


class LosesAnAnswer:
    """The vault's database; of the first transaction nobody hears that it was committed."""

    def __init__(self, database: Database) -> None:
        self._database, self._is_lost = database, False

    def run(self, work: Callable[[Connection], Any]) -> Any:
        done = self._database.run(work)
        if self._is_lost:
            return done
        self._is_lost = True
        raise DatabaseUnavailable("the connection was lost at COMMIT")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def test_a_repeat_whose_single_payment_is_over_is_told_so_and_gets_no_dead_token(vault: Vault) -> None:
    request = TokenRequest("k", b"h")
    once = vault.make(MINE, vault.vaulted(MINE, a_card(), kept=False), a_card(), request)
    vault.settled([once.card.token])
    with pytest.raises(CardGone, match="single payment"):
        vault.make(MINE, vault.vaulted(MINE, a_card(), kept=False), a_card(), request)


def test_with_its_memory_silent_nothing_is_kept_or_opened(vault: Vault) -> None:
    known = kept(vault)
    cut_off = Vault(vault.sealer, Memory(short_waits("redis://127.0.0.1:1/0", 0.2)), vault.database)
    for attempt in (
        lambda: held(cut_off),
        lambda: kept(cut_off, key="k2"),
        lambda: opened(cut_off, known),
        lambda: cut_off.find(MINE, [known.token]),
    ):
        with pytest.raises(VaultUnavailable):
            attempt()
    assert list(vault.of_customer(MINE, "cus_1")) == []
