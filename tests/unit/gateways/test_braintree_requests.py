"""What the Braintree adapter sends, held against what Braintree's official SDK sends and lets pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import braintree
import pytest
from braintree.exceptions.not_found_error import NotFoundError
from braintree.resource import Resource
from braintree.util.xml_util import XmlUtil
from msgspec.structs import replace
from support.braintree_answers import (
    ACCOUNTS,
    CAPTURE,
    CHARGE,
    LOST,
    MERCHANT,
    PAYMENT,
    PRIVATE,
    PUBLIC,
    REFUND,
    SALE,
    VOID,
    adapter,
    ids,
    listed,
    of,
    shown,
    transaction,
    written,
)
from support.flows import run

from aegis_worker.domain.money import Money
from aegis_worker.domain.payer import Payer
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall
from aegis_worker.gateways.requests import DisputeQuery

PLACE = {
    "name": "Asha Rao",
    "line1": "12 MG Road",
    "line2": "Flat 3",
    "city": "Bengaluru",
    "state": "KA",
    "postal_code": "560001",
    "country": "IN",
}
PAYER = Payer(
    {
        "email": "asha@shop.example",
        "phone": "+918041234567",
        "ip": "203.0.113.7",
        "browser": {"user_agent": "Mozilla/5.0"},
        "billing_address": PLACE,
        "shipping_address": PLACE,
    }
)


class _Sent(Exception):
    pass


class _Recorder:
    """Takes what the SDK would send, in place of sending it."""

    def __init__(self, *given: Any) -> None:
        pass

    def http_do(self, method: str, path: str, headers: dict[str, Any], body: Any) -> Any:
        raise _Sent(method, path, headers, body)


def sent_by_sdk(use: Callable[[Any], Any]) -> tuple[str, str, dict[str, Any], Any]:
    environment = braintree.Environment.Sandbox
    config = braintree.Configuration(
        environment, MERCHANT, PUBLIC, PRIVATE, http_strategy=_Recorder, wrap_http_exceptions=False
    )
    try:
        use(braintree.BraintreeGateway(config))
    except _Sent as sent:
        method, path, headers, body = sent.args
        return method, path, headers, XmlUtil.dict_from_xml(body) if body else None
    raise AssertionError("the SDK sent nothing")


def same_as_sdk(call: HttpCall, use: Callable[[Any], Any]) -> None:
    method, path, headers, body = sent_by_sdk(use)
    url = f"https://api.sandbox.braintreegateway.com:443{call.path}"
    assert (call.method, url.replace(":443", "")) == (method, path.replace(":443", ""))
    assert (written(call) if call.body else None) == body
    ours = {name.lower(): value for name, value in call.headers.items()}
    for name in ("Accept", "Authorization", "X-ApiVersion"):
        theirs = headers[name]
        assert ours[name.lower()] == (theirs.decode() if isinstance(theirs, bytes) else theirs)


def nth(n: int, flow: Flow[Any], *answers: HttpAnswer) -> HttpCall:
    try:
        return run(flow, *answers)[1][n]
    except NotFoundError as problem:
        raise AssertionError("the flow went on") from problem


def sale(**terms: Any) -> dict[str, Any]:
    request = replace(CHARGE, terms=replace(CHARGE.terms, **terms))
    (call,) = run(adapter(options={"descriptor_company": "SHOP AG"}).process(request), shown(transaction()))[
        1
    ]
    fields: dict[str, Any] = written(call)["transaction"]
    Resource.verify_keys(fields, braintree.Transaction.create_signature())
    return fields


def test_a_sale() -> None:
    call = nth(0, adapter().process(CHARGE), shown(transaction()))
    fields = {
        "amount": "19.99",
        "order_id": f"{PAYMENT}-p1",
        "merchant_account_id": ACCOUNTS["USD"],
        "payment_method_nonce": "tokencc_bh_1",
        "options": {"submit_for_settlement": True},
    }
    same_as_sdk(call, lambda gateway: gateway.transaction.sale(fields))


def test_a_hold_in_another_currency() -> None:
    fields = sale(amount=Money(1999, "JPY"), capture_method="manual")
    assert (fields["amount"], fields["merchant_account_id"]) == ("1999", "shop_jpy")
    assert fields["options"] == {"submit_for_settlement": False}


def test_a_saved_card_whose_holder_is_not_there() -> None:
    fields = sale(payment_method={"type": "card", "token": "shopper_7/fbg8vk"}, off_session=True)
    assert (fields["customer_id"], fields["payment_method_token"]) == ("shopper_7", "fbg8vk")
    assert fields["transaction_source"] == "unscheduled"
    assert "payment_method_nonce" not in fields
    saved = {"type": "card", "token": "shopper_7/fbg8vk"}
    fields = sale(payment_method=saved, off_session=True, off_session_reason="recurring")
    assert fields["transaction_source"] == "recurring"


@pytest.mark.parametrize(
    ("descriptor", "name"),
    [("BLUE SHOES", "SHOP AG*BLUE SHOES"), ("FIFTEEN LETTERS", None), ("SHOES #7", None), (None, None)],
)
def test_a_statement_descriptor(descriptor: str | None, name: str | None) -> None:
    assert sale(statement_descriptor=descriptor).get("descriptor", {}).get("name") == name


def test_who_pays() -> None:
    (call,) = run(adapter().process(replace(CHARGE, payer=PAYER)), shown(transaction()))[1]
    fields = written(call)["transaction"]
    Resource.verify_keys(fields, braintree.Transaction.create_signature())
    assert fields["customer"] == {"email": "asha@shop.example", "phone": "+918041234567"}
    assert fields["risk_data"] == {"customer_ip": "203.0.113.7", "customer_browser": "Mozilla/5.0"}
    assert fields["billing"] == fields["shipping"]
    assert fields["billing"]["country_code_alpha2"] == "IN"


def test_three_d_secure_is_demanded_of_what_the_page_has_done() -> None:
    call = nth(0, adapter().process(replace(CHARGE, three_ds=True)), shown(transaction()))
    fields = {
        "amount": "19.99",
        "order_id": f"{PAYMENT}-p1",
        "merchant_account_id": ACCOUNTS["USD"],
        "payment_method_nonce": "tokencc_bh_1",
        "options": {"submit_for_settlement": True, "three_d_secure": {"required": True}},
    }
    same_as_sdk(call, lambda gateway: gateway.transaction.sale(fields))


def test_only_a_nonce_can_have_been_authenticated() -> None:
    able = adapter().capabilities
    assert able.demands_three_ds({"type": "card", "token": "tokencc_bh_1"}, "USD")
    assert not able.demands_three_ds({"type": "card", "token": "shopper_7/fbg8vk"}, "USD")
    assert not able.demands_three_ds({"type": "card", "gateway": "vault", "token": "card_1"}, "USD")
    assert not able.demands_three_ds({"type": "wallet", "provider": "venmo", "token": "n"}, "USD")


def test_keys_of_requests_where_braintree_has_given_them() -> None:
    keyed = adapter(options={"request_keys": True})
    assert (keyed.capabilities.key_lifetime_s, adapter().capabilities.key_lifetime_s) == (30 * 86_400, 0)
    for flow, sold in (
        (keyed.process(CHARGE), ()),
        (keyed.refund(REFUND), (shown(transaction("settled")),)),
    ):
        call = nth(-1, flow, *sold, HttpAnswer(503, {}, b""))
        key = written(call)["transaction"]["api_request_key"]
        assert key in (CHARGE.idempotency_key, REFUND.idempotency_key)


def test_a_capture() -> None:
    call = nth(1, adapter().capture(CAPTURE), shown(transaction("authorized")), HttpAnswer(503, {}, b""))
    key = {"order_id": CAPTURE.idempotency_key}
    same_as_sdk(call, lambda gateway: gateway.transaction.submit_for_settlement(SALE, "19.99", key))


def test_a_void() -> None:
    call = nth(1, adapter().void(VOID), shown(transaction("authorized")), HttpAnswer(503, {}, b""))
    same_as_sdk(call, lambda gateway: gateway.transaction.void(SALE))


def test_a_refund() -> None:
    call = nth(1, adapter().refund(REFUND), shown(transaction("settled")), HttpAnswer(503, {}, b""))
    fields = {"amount": "19.99", "order_id": REFUND.idempotency_key}
    same_as_sdk(call, lambda gateway: gateway.transaction.refund(SALE, fields))


def test_look_ups() -> None:
    by_id = nth(0, adapter().get_status(of(CAPTURE)), HttpAnswer(404, {}, b""))
    same_as_sdk(by_id, lambda gateway: gateway.transaction.find(SALE))
    criterion = braintree.TransactionSearch.order_id == LOST.reference
    lost = adapter().find_by_reference(LOST)
    search, fetch = run(lost, ids(SALE), listed(transaction()))[1]
    same_as_sdk(search, lambda gateway: gateway.transaction.search(criterion))
    assert written(fetch) == {"search": {"order_id": {"is": LOST.reference}, "ids": [SALE]}}
    assert all(call.only_reads for call in (by_id, search, fetch))


def test_a_dispute_and_a_probe() -> None:
    dispute = nth(0, adapter().get_dispute(DisputeQuery("dp1", SALE)), HttpAnswer(404, {}, b""))
    same_as_sdk(dispute, lambda gateway: gateway.dispute.find("dp1"))
    probe = nth(0, adapter().probe(), HttpAnswer(200, {}, b""))
    same_as_sdk(probe, lambda gateway: gateway.merchant_account.find("shop_usd"))


def test_an_id_that_is_no_path_stays_one_part_of_it() -> None:
    call = nth(0, adapter().get_status(of(CAPTURE, gateway_ref="../a?b")), HttpAnswer(404, {}, b""))
    assert call.path.endswith("/transactions/..%2Fa%3Fb")
