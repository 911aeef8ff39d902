"""Who pays, over HTTP: checked strictly, and never shown."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.api_client import Api, Merchant, codes, start_api
from support.payments import rows
from support.scripted_gateway import ScriptedGateway

ADDRESS = {
    "name": "Asha Rao",
    "line1": "12 MG Road",
    "line2": "Flat 3",
    "city": "Bengaluru",
    "state": "KA",
    "postal_code": "560001",
    "country": "IN",
}
PAYER: dict[str, Any] = {
    "email": "asha@shop.example",
    "phone": "+918041234567",
    "ip": "203.0.113.7",
    "browser": {
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "accept_header": "text/html,*/*;q=0.8",
        "language": "en-IN",
        "color_depth": 24,
        "screen_width": 1920,
        "screen_height": 1080,
        "time_zone_offset": -330,
        "java_enabled": False,
        "javascript_enabled": True,
    },
    "billing_address": ADDRESS,
    "shipping_address": {"country": "DE"},
}
BOUGHT = [{"name": "Ticket", "quantity": 2, "unit_amount": 999, "tax_amount": 180, "reference": "sku-7"}]


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def test_a_payer_is_kept_in_a_table_of_its_own_and_never_shown(api: Api, shop: Merchant) -> None:
    posted = shop.post_payment(payer=PAYER, key="k")
    assert posted.status_code == 202
    path = posted.json["links"]["self"]
    answers = [
        posted,
        shop.get(f"{path}?expand=events,attempts"),
        shop.get("/v1/payments"),
        shop.get(f"{path}/explain"),
    ]
    for answer in answers:
        assert "payer" not in answer.json
        assert "asha" not in answer.text
    assert rows(api.database, "SELECT details FROM payer_details") == [{"details": PAYER}]
    assert shop.post_payment(payer=PAYER, key="k").data == posted.data
    assert shop.post_payment(payer={"ip": "203.0.113.8"}, key="k").json["code"] == "idempotency_key_reused"
    assert len(rows(api.database, "SELECT FROM payer_details")) == 1


@pytest.mark.parametrize("payer", [None, {}])
def test_no_payer_is_kept_where_nothing_is_known(api: Api, shop: Merchant, payer: Any) -> None:
    shop.accepted(payer=payer)
    assert rows(
        api.database, "SELECT has_payer, (SELECT count(*) FROM payer_details) AS kept FROM payments"
    ) == [{"has_payer": False, "kept": 0}]


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (("email",), "asha", "invalid_format"),
        (("phone",), "08041234567", "invalid_format"),
        (("phone",), "+9", "invalid_format"),
        (("ip",), "203.0.113.999", "invalid_format"),
        (("ip",), "fe80::1%eth0", "invalid_format"),
        (("ip",), 7, "invalid_type"),
        (("browser", "color_depth"), "24", "invalid_type"),
        (("browser", "time_zone_offset"), 841, "out_of_range"),
        (("browser", "java_enabled"), 0, "invalid_type"),
        (("browser", "cookies"), "x", "unknown_field"),
        (("billing_address", "country"), None, "required"),
        (("billing_address", "country"), "XX", "invalid_value"),
        (("shipping_address", "zip"), "1", "unknown_field"),
        (("age",), 3, "unknown_field"),
    ],
)
def test_a_wrong_field_of_a_payer_is_refused_with_its_pointer(
    shop: Merchant, place: tuple[str, ...], value: Any, code: str
) -> None:
    payer = copy.deepcopy(PAYER)
    target = payer
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    answer = shop.post_payment(payer=payer)
    assert answer.status_code == 422
    expected = "invalid_type" if value is None else code
    assert codes(answer) == [("/payer/" + "/".join(place), expected)]
    assert "asha" not in answer.text


@pytest.mark.parametrize("ip", ["203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"])
def test_both_kinds_of_ip_address_are_taken(shop: Merchant, ip: str) -> None:
    shop.accepted(payer={"ip": ip})


def test_what_is_bought_and_that_the_payer_is_away_is_shown_as_given(shop: Merchant) -> None:
    given = {"off_session": True, "mandate": "mandate_1", "order_lines": BOUGHT}
    accepted = shop.accepted(**given)
    shown = shop.get(accepted["links"]["self"]).json
    assert {name: shown[name] for name in given} == given == {name: accepted[name] for name in given}
    without = shop.accepted()
    assert [without[name] for name in given] == [False, None, None]


@pytest.mark.parametrize(
    ("given", "pointer", "code"),
    [
        ({"off_session": "yes"}, "/off_session", "invalid_type"),
        ({"mandate": "a b"}, "/mandate", "invalid_format"),
        ({"order_lines": []}, "/order_lines", "out_of_range"),
        ({"order_lines": BOUGHT * 201}, "/order_lines", "out_of_range"),
        ({"order_lines": {}}, "/order_lines", "invalid_type"),
        ({"order_lines": [*BOUGHT, {**BOUGHT[0], "quantity": 0}]}, "/order_lines/1/quantity", "out_of_range"),
        ({"order_lines": [{"name": "x", "quantity": 1}]}, "/order_lines/0/unit_amount", "required"),
    ],
)
def test_what_is_wrong_with_them_is_told(
    shop: Merchant, given: dict[str, Any], pointer: str, code: str
) -> None:
    answer = shop.post_payment(**given)
    assert (answer.status_code, codes(answer)) == (422, [(pointer, code)])


def test_a_mandate_goes_to_one_gateway_only(database_url: str) -> None:
    cards = {"card": frozenset({"token"}), "upi": frozenset[str]()}
    real = [ScriptedGateway(name, methods=cards, bare_tokens="") for name in ("stripe", "adyen")]
    shop = start_api(database_url, *real).merchant()
    of_both = {"type": "card", "tokens": {"stripe": "pm_1", "adyen": "ad_1"}}
    for method in (of_both, {"type": "upi"}):
        answer = shop.post_payment(payment_method=method, mandate="mandate_1")
        assert (answer.status_code, codes(answer)) == (422, [("/mandate", "ambiguous_mandate")])
    of_one = {"type": "card", "token": "pm_1", "gateway": "stripe"}
    assert shop.accepted(payment_method=of_one, mandate="mandate_1")["mandate"] == "mandate_1"
