"""Tokens over HTTP: a card goes in once per key, shows nothing but what may be known, and is destroyed on demand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.api_client import Api, Merchant, Reply, codes, start_api
from support.documented_answers import follows
from support.vaults import NEXT_YEAR, VaultStores, a_card, as_given, vault_on

from aegis_worker.domain.modes import Owner
from aegis_worker.vault.memory import Memory
from aegis_worker.vault.vault import Vault
from aegis_worker.wiring.stores import short_waits

NUMBER, CODE = "4242424242424242", "737"


@pytest.fixture
def api(database_url: str, vault: Vault) -> Api:
    return start_api(database_url, vault=vault)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant(scopes=["tokens:write"])


def post(shop: Merchant, *, key: str = "t-1", card: dict[str, Any] | None = None, **more: Any) -> Reply:
    body = {"card": card or as_given(a_card(NUMBER, CODE, holder="Zoë Rao")), **more}
    return shop.post("/v1/tokens", json=body, headers={"Idempotency-Key": key})


def test_a_token_shows_of_its_card_what_may_be_known_and_opens_for_the_vault(
    shop: Merchant, vault: Vault
) -> None:
    answer = post(shop, usage="kept", customer={"id": "cus_1"})
    assert answer.status_code == 201, answer.text
    shown = dict(answer.json)
    fingerprint = shown.pop("fingerprint")
    token = shown.pop("id")
    assert shown.pop("created_at")
    assert shown == {
        "object": "token",
        "usage": "kept",
        "network": "visa",
        "last4": "4242",
        "exp_month": 11,
        "exp_year": NEXT_YEAR,
        "has_security_code": True,
    }
    assert answer.headers["Location"] == f"/v1/tokens/{token}"
    assert shop.get(f"/v1/tokens/{token}").json == answer.json
    assert vault.open(token, fingerprint=fingerprint, with_code=True) == a_card(
        NUMBER, CODE, holder="Zoë Rao"
    )
    assert [made.card.token for made in vault.of_customer(Owner("mer_a", "test"), "cus_1")] == [token]


def test_a_repeat_gets_the_first_token_whatever_code_it_carries_and_another_request_is_refused(
    shop: Merchant,
) -> None:
    first = post(shop, usage="kept")
    again = post(shop, usage="kept", card=as_given(a_card(NUMBER, "111", holder="Zoë Rao")))
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    for other in (as_given(a_card("5555555555554444")), as_given(a_card(NUMBER, exp_month=12))):
        assert post(shop, usage="kept", card=other).json["code"] == "idempotency_key_reused"
    assert post(shop).json["code"] == "idempotency_key_reused", "the usage belongs to the request too"
    assert post(shop, key="t-2", usage="kept").json["fingerprint"] == first.json["fingerprint"]


@pytest.mark.parametrize("usage", ["once", "kept"])
def test_a_destroyed_card_is_not_found_and_destroying_it_again_is_answered_alike(
    shop: Merchant, api: Api, usage: str
) -> None:
    token = post(shop, usage=usage).json["id"]
    stranger = api.merchant("mer_b", scopes=["tokens:write"])
    assert stranger.get(f"/v1/tokens/{token}").status_code == 404
    assert stranger.delete(f"/v1/tokens/{token}").status_code == 404
    assert [shop.delete(f"/v1/tokens/{token}").status_code for _ in range(2)] == [204, 204]
    assert shop.get(f"/v1/tokens/{token}").status_code == 404
    assert shop.delete("/v1/tokens/card_" + "0" * 32).status_code == 404
    assert shop.delete("/v1/tokens/4242").status_code == 404
    repeat = post(shop, usage=usage)
    assert (repeat.status_code, repeat.json["code"]) == (410, "card_gone")


def test_tokens_are_taken_and_destroyed_with_their_scope_only(api: Api, shop: Merchant) -> None:
    token = post(shop, usage="kept").json["id"]
    without = api.merchant()
    assert post(without).json["code"] == "insufficient_scope"
    assert without.delete(f"/v1/tokens/{token}").json["code"] == "insufficient_scope"
    assert without.get(f"/v1/tokens/{token}").status_code == 200


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"number": "4242424242424241"}, [("/card/number", "luhn_failed")]),
        ({"number": "4242 4242 4242 4242"}, [("/card/number", "invalid_format")]),
        ({"number": int(NUMBER)}, [("/card/number", "invalid_type")]),
        ({"number": None}, [("/card/number", "required")]),
        ({"exp_year": NEXT_YEAR - 2}, [("/card/exp_year", "expired")]),
        ({"exp_month": 13}, [("/card/exp_month", "out_of_range")]),
        ({"cvc": "12"}, [("/card/cvc", "too_short")]),
        ({"cvc": "1234"}, [("/card/cvc", "wrong_length")]),
        ({"cvc": 737}, [("/card/cvc", "invalid_type")]),
        ({"track2": "x"}, [("/card/track2", "unknown_field")]),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_never_with_the_number(
    shop: Merchant, changes: dict[str, Any], refused: list[tuple[str, str]]
) -> None:
    card = {**as_given(a_card(NUMBER, CODE)), **changes}
    answer = post(shop, card={name: value for name, value in card.items() if value is not None})
    assert (answer.status_code, codes(answer)) == (422, refused)
    for secret in (NUMBER, str(changes.get("number", NUMBER)), f'"{CODE}"'):
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"card": {"number": NUMBER, "holder": NUMBER}}, "/card/holder"),
        ({"card": {"number": {"a": NUMBER}}}, "/card/number/a"),
        ({"card": {"cvv": CODE}}, "/card/cvv"),
        ({"card": NUMBER}, "/card"),
        ({"number": NUMBER}, "/number"),
        ({"customer": {"id": NUMBER}}, "/customer/id"),
        ({"card": {"number": NUMBER}, "usage": f"cvc {CODE}"}, "/usage"),
    ],
)
def test_a_card_in_any_other_field_is_refused_as_ever(
    shop: Merchant, body: dict[str, Any], pointer: str
) -> None:
    answer = shop.post("/v1/tokens", json=body, headers={"Idempotency-Key": "t-1"})
    assert (answer.json["code"], codes(answer)) == ("sensitive_data_rejected", [(pointer, "card_number")])
    assert NUMBER not in answer.text


def test_a_single_payments_card_is_no_customers(shop: Merchant) -> None:
    assert codes(post(shop, customer={"id": "cus_1"})) == [("/customer", "not_together")]


def test_where_the_vault_is_off_no_body_is_looked_at(database_url: str) -> None:
    shop = start_api(database_url).merchant(scopes=["tokens:write"])
    for answer in (post(shop), shop.get("/v1/tokens/card_" + "0" * 32), shop.delete("/v1/tokens/x")):
        assert (answer.status_code, answer.json["code"]) == (403, "vault_off")
        assert NUMBER not in answer.text


def test_while_a_store_of_the_vault_is_silent_nothing_is_taken(
    database_url: str, vault: Vault, vault_stores: VaultStores
) -> None:
    no_memory = Vault(vault.sealer, Memory(short_waits("redis://127.0.0.1:1/0", 0.2)), vault.database)
    nowhere = vault_stores.database_url.replace("/aegis_vault", "/nowhere")
    no_database = vault_on(VaultStores(nowhere, vault_stores.redis_url))
    for cut_off in (no_memory, no_database):
        shop = start_api(database_url, vault=cut_off).merchant(scopes=["tokens:write"])
        answer = post(shop, usage="kept")
        assert (answer.status_code, answer.json["code"]) == (503, "vault_unavailable")
        assert answer.json["retryable"] is True
        assert "Retry-After" in answer.headers
        assert NUMBER not in json.dumps(answer.json)
    assert vault.by_key() == {}
    assert vault.memory.count() == (0, 1), "the row may be there, so its code stays for 15 minutes"
    no_database.close()


def test_a_customers_kept_cards_are_listed_newest_first_for_their_merchant_alone(
    api: Api, shop: Merchant
) -> None:
    first = post(shop, usage="kept", customer={"id": "cus_1"}).json
    second = post(
        shop,
        key="t-2",
        card=as_given(a_card("5555555555554444", cvc=None)),
        usage="kept",
        customer={"id": "cus_1"},
    ).json
    post(shop, key="t-3", usage="kept", customer={"id": "cus_2"})
    post(shop, key="t-4")
    listed = shop.get("/v1/tokens?customer_id=cus_1")
    follows(shop.get("/openapi.json").json, "/v1/tokens", "get", listed)
    assert listed.json["data"] == [second, first]
    stranger = api.merchant("mer_b")
    assert stranger.get("/v1/tokens?customer_id=cus_1").json["data"] == []
    assert shop.get("/v1/tokens").status_code == 422, "whose, has to be said"
    shop.delete(f"/v1/tokens/{second['id']}")
    assert shop.get("/v1/tokens?customer_id=cus_1").json["data"] == [first]


def test_an_erased_customer_has_no_cards_any_more(api: Api, shop: Merchant) -> None:
    token = post(shop, usage="kept", customer={"id": "cus_1"}).json["id"]
    request = {"merchant_id": "mer_a", "customer_id": "cus_1", "reason": "asked for it"}
    assert api.operator().post("/v1/ops/erasures", json=request).json["cards"] == 1
    assert shop.get(f"/v1/tokens/{token}").status_code == 404
    assert shop.get("/v1/tokens?customer_id=cus_1").json["data"] == []
