"""Payments by a card of the vault: given itself, or by its token. What the payment holds, and what is left nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.api_client import Api, Merchant, Reply, codes, start_api
from support.card_canary import dump
from support.payments import rows
from support.vaults import NEXT_YEAR, a_card, as_given, keys

from aegis_worker.domain.modes import Owner
from aegis_worker.errors import CardGone
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.keys import SealingKey
from aegis_worker.vault.memory import Memory
from aegis_worker.vault.sealed_cards import CardSealer
from aegis_worker.vault.vault import TokenRequest, Vault
from aegis_worker.wiring.stores import short_waits

NUMBER, CODE = "4242424242424242", "737"
MINE = Owner("mer_a", "test")
GIVEN = as_given(a_card(NUMBER, CODE, holder="Zoë Rao"))


@pytest.fixture
def api(database_url: str, vault: Vault) -> Api:
    return start_api(database_url, vault=vault)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def pay(shop: Merchant, method: dict[str, Any], *, key: str = "p-1", **more: Any) -> Reply:
    return shop.post_payment(key=key, payment_method={"type": "card", **method}, **more)


def kept(vault: Vault, *, cvc: str | None = CODE, owner: Owner = MINE) -> str:
    card = a_card(NUMBER, cvc)
    known = vault.vaulted(owner, card, kept=True)
    return vault.make(owner, known, card, TokenRequest(f"k {cvc} {owner}", b"h")).card.token


def test_a_card_itself_becomes_a_token_and_the_product_holds_nothing_else_of_it(
    shop: Merchant, vault: Vault, database_url: str
) -> None:
    answer = pay(shop, {"card": GIVEN})
    assert answer.status_code == 202, answer.text
    method = answer.json["payment_method"]
    token, fingerprint = method["token"], method["fingerprint"]
    assert method == {
        "type": "card",
        "token": token,
        "gateway": "vault",
        "network": "visa",
        "last4": "4242",
        "exp_month": 11,
        "exp_year": NEXT_YEAR,
        "fingerprint": fingerprint,
        "with_code": True,
    }
    assert vault.open(token, fingerprint=fingerprint, with_code=True) == a_card(
        NUMBER, CODE, holder="Zoë Rao"
    )
    everything = dump(database_url)
    for secret in (NUMBER, f'"{CODE}"', "Zoë"):
        assert secret not in everything


def test_a_repeat_is_answered_alike_and_leaves_one_card_in_the_vault(shop: Merchant, vault: Vault) -> None:
    first = pay(shop, {"card": GIVEN})
    again = pay(shop, {"card": {**GIVEN, "cvc": "111"}})
    assert (again.status_code, again.json) == (202, first.json)
    assert vault.memory.count() == (1, 1)
    other = pay(shop, {"card": as_given(a_card("5555555555554444"))})
    assert other.json["code"] == "idempotency_key_reused"
    assert vault.memory.count() == (1, 1)


def test_what_tells_requests_apart_is_made_of_the_fingerprint_and_not_of_the_number(
    api: Api, shop: Merchant, vault: Vault, database: Database
) -> None:
    """Whoever has the database and AEGIS_SECRET, but not the vault's keys, can try no card number against it."""
    pay(shop, {"card": GIVEN})
    (stored,) = rows(database, "SELECT request_hmac FROM idempotency_keys")
    other_vault = start_api(api.settings.database_url, vault=_with_other_fingerprints(vault)).merchant()
    assert pay(other_vault, {"card": GIVEN}).json["code"] == "idempotency_key_reused"
    assert NUMBER.encode() not in bytes(stored["request_hmac"])


def _with_other_fingerprints(vault: Vault) -> Vault:
    return Vault(
        CardSealer(keys(fingerprint=SealingKey("fingerprint", b"g" * 32))), vault.memory, vault.database
    )


def test_a_token_pays_with_the_code_that_is_held_and_off_session_without(
    shop: Merchant, vault: Vault
) -> None:
    token = kept(vault)
    present = pay(shop, {"token": token}).json["payment_method"]
    assert (present["token"], present["last4"], present["with_code"]) == (token, "4242", True)
    away = pay(shop, {"token": token}, key="p-2", off_session=True).json["payment_method"]
    assert "with_code" not in away
    vault.settled([token])
    later = pay(shop, {"token": token, "gateway": "vault"}, key="p-3").json["payment_method"]
    assert "with_code" not in later
    assert pay(shop, {"token": token}).json["payment_method"] == present, "a repeat gets the first answer"


def test_a_token_that_the_merchant_does_not_have_is_refused_and_a_repeat_is_not(
    shop: Merchant, vault: Vault
) -> None:
    theirs = kept(vault, owner=Owner("mer_b", "test"))
    for method in (
        {"token": theirs},
        {"token": "card_" + "0" * 32},
        {"token": "tok_visa", "gateway": "vault"},
    ):
        answer = pay(shop, method)
        assert codes(answer) == [("/payment_method/token", "unknown_token")]
    mine = kept(vault)
    first = pay(shop, {"token": mine})
    vault.destroy(MINE, mine)
    assert pay(shop, {"token": mine}).json == first.json
    assert codes(pay(shop, {"token": mine}, key="p-2")) == [("/payment_method/token", "unknown_token")]


def test_off_session_takes_no_code_and_a_payment_for_later_no_card_that_is_not_kept(
    shop: Merchant, vault: Vault
) -> None:
    refused = pay(shop, {"card": GIVEN}, off_session=True)
    assert codes(refused) == [("/payment_method/card/cvc", "not_taken")]
    once = vault.vaulted(MINE, a_card(), kept=False)
    vault.hold(MINE, once, a_card())
    later = pay(shop, {"token": once.token}, scheduled_at=f"{NEXT_YEAR}-01-05T00:00:00Z")
    assert codes(later) == [("/payment_method/token", "not_kept")]


@pytest.mark.parametrize(
    ("method", "refused"),
    [
        ({"card": {**GIVEN, "number": "4242424242424241"}}, ("/payment_method/card/number", "luhn_failed")),
        ({"card": GIVEN, "token": "tok_visa"}, ("/payment_method/card", "not_together")),
        ({"card": "4242"}, ("/payment_method/card", "invalid_type")),
    ],
)
def test_a_wrong_card_is_refused_in_its_place(
    shop: Merchant, vault: Vault, method: dict[str, Any], refused: tuple[str, str]
) -> None:
    answer = pay(shop, method)
    assert codes(answer) == [refused]
    assert NUMBER[:-1] not in answer.text
    assert vault.memory.count() == (0, 0)


def test_with_the_vault_on_a_number_in_any_other_field_is_refused_as_ever(shop: Merchant) -> None:
    for fields, pointer in (
        ({"reference": NUMBER}, "/reference"),
        ({"metadata": {"card": NUMBER}}, "/metadata/card"),
        ({"payment_method": {"type": "card", "number": NUMBER}}, "/payment_method/number"),
        ({"payment_method": {"type": "card", "token": NUMBER}}, "/payment_method/token"),
        ({"card": {"number": NUMBER}}, "/card/number"),
    ):
        answer = shop.post_payment(**fields)
        assert answer.json["code"] == "sensitive_data_rejected"
        assert codes(answer) == [(pointer, "card_number")]


def test_where_the_vault_is_off_a_card_is_refused_in_its_fields(database_url: str) -> None:
    shop = start_api(database_url).merchant()
    answer = pay(shop, {"card": GIVEN})
    assert answer.json["code"] == "sensitive_data_rejected"
    assert codes(answer) == [
        ("/payment_method/card/cvc", "card_number"),
        ("/payment_method/card/number", "card_number"),
    ]
    for method in ({"token": "card_1", "gateway": "vault"}, {"token": "card_" + "0" * 32}):
        assert codes(pay(shop, method)) == [("/payment_method/token", "vault_off")]


def test_a_batch_takes_tokens_and_no_card_itself(shop: Merchant, vault: Vault) -> None:
    token = kept(vault, cvc=None)
    plain = {"amount": 1999, "currency": "USD"}
    lines = [
        {"idempotency_key": "b-1", **plain, "payment_method": {"type": "card", "token": token}},
        {"idempotency_key": "b-2", **plain, "payment_method": {"type": "card", "token": "card_" + "0" * 32}},
        {"idempotency_key": "b-3", **plain, "payment_method": {"type": "card", "card": GIVEN}},
    ]
    body = "\n".join(map(json.dumps, lines))
    answer = shop.post("/v1/payments/batches", data=body, headers={"Content-Type": "application/x-ndjson"})
    told = [one.get("problem", {}).get("code", one["outcome"]) for one in answer.json["data"]]
    assert told == ["accepted", "validation_failed", "sensitive_data_rejected"]
    assert NUMBER not in answer.text


def test_while_the_vaults_memory_is_silent_nothing_is_accepted_and_other_payments_are(
    api: Api, vault: Vault, database: Database
) -> None:
    silent = Vault(vault.sealer, Memory(short_waits("redis://127.0.0.1:1/0", 0.2)), vault.database)
    shop = start_api(api.settings.database_url, vault=silent).merchant()
    for method in ({"card": GIVEN}, {"token": "card_" + "0" * 32}):
        answer = pay(shop, method)
        assert (answer.status_code, answer.json["code"]) == (503, "vault_unavailable")
    assert rows(database, "SELECT id FROM payments") == []
    assert pay(shop, {"token": "tok_visa"}).status_code == 202


def test_a_payment_that_is_not_accepted_leaves_no_card_behind(shop: Merchant, vault: Vault) -> None:
    assert pay(shop, {"card": GIVEN}, reference="order-1").status_code == 202
    refused = pay(shop, {"card": GIVEN}, key="p-2", reference="order-1")
    assert refused.json["code"] == "duplicate_reference"
    assert vault.memory.count() == (1, 1)


def test_a_card_for_a_single_payment_pays_one_whose_request_may_be_repeated(
    shop: Merchant, vault: Vault
) -> None:
    once = vault.vaulted(MINE, a_card(), kept=False)
    vault.hold(MINE, once, a_card())
    assert pay(shop, {"token": "tok_visa"}, reference="order-1").status_code == 202
    assert pay(shop, {"token": once.token}, key="p-2", reference="order-1").status_code == 409
    first = pay(shop, {"token": once.token}, key="p-3")
    assert first.status_code == 202, "what was refused has not used it"
    assert pay(shop, {"token": once.token}, key="p-3").json == first.json
    assert codes(pay(shop, {"token": once.token}, key="p-4")) == [("/payment_method/token", "already_used")]


def test_the_code_of_a_kept_card_is_for_the_first_payment_that_names_it_and_others_go_without(
    shop: Merchant, vault: Vault
) -> None:
    """It is forgotten as the first ends: a second one that was to be sent with it would be declined."""
    token = kept(vault)
    assert pay(shop, {"token": "tok_visa"}, reference="order-1").status_code == 202
    assert pay(shop, {"token": token}, key="p-2", reference="order-1").status_code == 409
    first = pay(shop, {"token": token}, key="p-3")
    assert first.json["payment_method"]["with_code"], "what was refused has not used it"
    assert pay(shop, {"token": token}, key="p-3").json == first.json
    second = pay(shop, {"token": token}, key="p-4")
    assert second.status_code == 202
    assert "with_code" not in second.json["payment_method"]


def test_of_a_batch_by_one_kept_card_the_first_payment_alone_goes_with_its_code(
    shop: Merchant, vault: Vault, database: Database
) -> None:
    by_card = {"amount": 1999, "currency": "USD", "payment_method": {"type": "card", "token": kept(vault)}}
    body = "\n".join(json.dumps({"idempotency_key": key, **by_card}) for key in ("b-1", "b-2", "b-1"))
    answer = shop.post("/v1/payments/batches", data=body, headers={"Content-Type": "application/x-ndjson"})
    assert [one["outcome"] for one in answer.json["data"]] == ["accepted", "accepted", "replayed"]
    stored = rows(database, "SELECT payment_method -> 'with_code' AS with_code FROM payments ORDER BY id")
    assert [one["with_code"] for one in stored] == [True, None]


def test_a_payment_by_another_way_never_asks_the_vault(api: Api) -> None:
    shop = start_api(api.settings.database_url, vault=_Untouchable()).merchant()  # type: ignore[arg-type]
    assert pay(shop, {"token": "tok_visa"}).status_code == 202
    assert shop.post_payment(key="u", payment_method={"type": "upi", "vpa": "a1@okbank"}).status_code == 202


class _Untouchable:
    """Stands for a vault that must not be asked."""

    def find(self, owner: Owner, tokens: list[str]) -> dict[str, object]:
        assert tokens == []
        return {}


def test_an_unknown_card_is_gone_for_whoever_opens_it(vault: Vault) -> None:
    with pytest.raises(CardGone):
        vault.open("card_" + "0" * 32, fingerprint="0" * 32, with_code=False)
