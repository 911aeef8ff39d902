"""The payment request is taken as it is or refused, every fault at once, each with a pointer and a code."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from iso4217 import Currency
from marshmallow import ValidationError

from aegis_api.http.problems import body_faults, query_faults
from aegis_api.jobs.schemas import JobsQuerySchema
from aegis_api.payments.method_schemas import PAYMENT_METHODS
from aegis_api.payments.query_schemas import HistoryQuerySchema, PaymentQuerySchema, PaymentsQuerySchema
from aegis_api.payments.request_schemas import PaymentRequestSchema
from aegis_api.webhooks.schemas import EndpointRequestSchema
from aegis_worker.domain.card_networks import NETWORKS
from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.currencies import EXPONENTS

SCHEMA = PaymentRequestSchema()
SMALLEST: dict[str, Any] = {
    "amount": 1,
    "currency": "USD",
    "payment_method": {"type": "card", "token": "tok_visa"},
}
FULLEST: dict[str, Any] = {
    **SMALLEST,
    "amount": 99_999_999_999,
    "payment_method": {"type": "card", "token": "tok_visa", "network": "visa"},
    "capture_method": "automatic",
    "reference": "r" * 255,
    "customer": {"id": "c" * 255, "email": "asha@shop.example", "name": "Ãsha 😀", "country": "IN"},
    "description": "d" * 500,
    "statement_descriptor": "D" * 22,
    "return_url": "https://shop.example:8443/return?x=1#done",
    "metadata": {"k" * 128: "v" * 1000, "int": -(2**63), "float": 1.5, "yes": True, "none": None},
}
MISSING = object()


def faults_of(body: Any) -> list[tuple[str, str]]:
    try:
        SCHEMA.load(body)
    except ValidationError as error:
        return sorted((fault["pointer"], fault["code"]) for fault in body_faults(error.messages))
    return []


def changed(path: str, value: Any) -> dict[str, Any]:
    body = deepcopy(FULLEST)
    *parents, last = path.split("/")[1:]
    place = body
    for name in parents:
        place = place[name]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return body


@pytest.mark.parametrize("body", [SMALLEST, FULLEST])
def test_a_valid_request_is_taken_without_changing_anything(body: dict[str, Any]) -> None:
    assert SCHEMA.load(body) == body


@pytest.mark.parametrize(
    "method",
    [
        {"type": "card", "token": "!" + "A" * 510 + "~"},
        {"type": "card", "token": "pm_1QX2bVKZ", "gateway": "stripe"},
        {"type": "card", "tokens": {"stripe": "pm_1QX2bVKZ", "sandbox_a": "tok_visa"}, "network": "visa"},
        {"type": "card"},
        {"type": "upi"},
        {"type": "net_banking"},
        {"type": "wallet", "provider": "paypal", "token": "nonce-1", "gateway": "braintree"},
        *({"type": "card", "token": "tok_x", "network": network} for network in NETWORKS),
        {"type": "upi", "vpa": "asha.rao-1@okbank"},
        {"type": "net_banking", "bank_code": "HDFC"},
        {"type": "wallet", "provider": "paytm"},
        {"type": "pay_later", "provider": "klarna"},
    ],
    ids=lambda method: "-".join(map(str, method.values()))[:20],
)
def test_every_payment_method_has_a_schema_of_its_own(method: dict[str, str]) -> None:
    assert faults_of({**SMALLEST, "payment_method": method}) == []


def test_every_published_currency_with_minor_units_is_taken() -> None:
    published = {currency.code for currency in Currency if currency.exponent is not None}
    refused = [code for code in published & set(EXPONENTS) if faults_of({**SMALLEST, "currency": code})]
    assert refused == []
    assert len(published & set(EXPONENTS)) > 150


def test_every_country_of_iso_3166_is_known() -> None:
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isupper() for code in COUNTRIES)


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/amount", MISSING, "required"),
        ("/amount", None, "invalid_type"),
        ("/amount", True, "invalid_type"),
        ("/amount", 19.99, "invalid_type"),
        ("/amount", 20.0, "invalid_type"),
        ("/amount", "1999", "invalid_type"),
        ("/amount", [1999], "invalid_type"),
        ("/amount", 0, "out_of_range"),
        ("/amount", -1, "out_of_range"),
        ("/amount", 100_000_000_000, "out_of_range"),
        ("/currency", MISSING, "required"),
        ("/currency", "usd", "invalid_value"),
        ("/currency", "XAU", "invalid_value"),
        ("/currency", "ZZZ", "invalid_value"),
        ("/currency", 840, "invalid_type"),
        ("/capture_method", "later", "invalid_value"),
        ("/capture_method", False, "invalid_type"),
        ("/payment_method", MISSING, "required"),
        ("/payment_method", "card", "invalid_type"),
        ("/payment_method", None, "invalid_type"),
        ("/reference", "", "too_short"),
        ("/reference", "r" * 256, "too_long"),
        ("/reference", 1042, "invalid_type"),
        ("/reference", " ", "invalid_format"),
        ("/reference", "\u200b\u00a0", "invalid_format"),
        ("/reference", "\ufdfa" * 255, "invalid_format"),
        ("/reference", "a\tb", "invalid_characters"),
        ("/reference", "a\x00b", "invalid_characters"),
        ("/reference", "a\nb", "invalid_characters"),
        ("/reference", "a\x9bb", "invalid_characters"),
        ("/reference", "a\ud800b", "invalid_characters"),
        ("/reference", "a\u2028b", "invalid_characters"),
        ("/description", "d" * 501, "too_long"),
        ("/description", "\ufeff", "invalid_characters"),
        ("/statement_descriptor", "D" * 23, "too_long"),
        ("/statement_descriptor", "D" * 4, "too_short"),
        ("/statement_descriptor", "12345", "invalid_format"),
        ("/statement_descriptor", " BLUE", "invalid_format"),
        ("/statement_descriptor", "BLUE ", "invalid_format"),
        ("/statement_descriptor", "BLÅ BILLETTER", "invalid_format"),
        ("/statement_descriptor", "BLUE\tTICKETS", "invalid_characters"),
        *(("/statement_descriptor", f"BLUE{sign}TICKETS", "invalid_format") for sign in "<>\\'\"*"),
        ("/customer", "cus_1", "invalid_type"),
        ("/customer", [], "invalid_type"),
        ("/customer/id", "c" * 256, "too_long"),
        ("/customer/email", "asha", "invalid_format"),
        ("/customer/email", "a b@shop.example", "invalid_format"),
        ("/customer/email", "a@" + "b" * 250 + ".example", "too_long"),
        ("/customer/name", "\x1b[31m", "invalid_characters"),
        ("/customer/country", "in", "invalid_value"),
        ("/customer/country", "XX", "invalid_value"),
        ("/customer/vip", True, "unknown_field"),
        ("/return_url", "http://shop.example/", "invalid_format"),
        ("/return_url", "ftp://shop.example/", "invalid_format"),
        ("/return_url", "javascript:alert(1)", "invalid_format"),
        ("/return_url", "/return", "invalid_format"),
        ("/return_url", "https://user:secret@shop.example/", "invalid_format"),
        ("/return_url", "https://shop.example:99999/", "invalid_format"),
        ("/return_url", "https://[::1/", "invalid_format"),
        ("/return_url", "https://shop.example/\u00e9", "invalid_format"),
        ("/return_url", "https://shop.example\\@evil.example/", "invalid_format"),
        ("/return_url", "https://shop.example/" + "x" * 2048, "too_long"),
        ("/metadata", [], "invalid_type"),
        ("/metadata", {str(number): 1 for number in range(51)}, "too_long"),
        ("/metadata/a b", 1, "invalid_key"),
        ("/metadata/é", 1, "invalid_key"),
        ("/metadata/" + "k" * 129, 1, "invalid_key"),
        ("/metadata/k", {"nested": 1}, "invalid_type"),
        ("/metadata/k", [1], "invalid_type"),
        ("/metadata/k", "v" * 1001, "too_long"),
        ("/metadata/k", "\x00", "invalid_characters"),
        ("/metadata/k", 2**63, "out_of_range"),
        ("/metadata/k", -(2**63) - 1, "out_of_range"),
        ("/metadata/k", 1e15, "out_of_range"),
        ("/metadata/k", float("inf"), "out_of_range"),
        ("/tip", 1, "unknown_field"),
        ("/merchant_id", "mer_b", "unknown_field"),
    ],
)
def test_a_wrong_value_is_refused_with_its_pointer(pointer: str, value: Any, code: str) -> None:
    assert faults_of(changed(pointer, value)) == [(pointer, code)]


@pytest.mark.parametrize("url", ["http://localhost:8000/x", "http://127.0.0.1/x", "http://[::1]:8000/x"])
def test_a_return_url_may_be_plain_http_on_loopback(url: str) -> None:
    assert faults_of({**SMALLEST, "return_url": url}) == []


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ({}, [("/payment_method/type", "required")]),
        ({"token": "tok_visa"}, [("/payment_method/type", "required")]),
        ({"type": "cash"}, [("/payment_method/type", "invalid_value")]),
        ({"type": ["card"]}, [("/payment_method/type", "invalid_value")]),
        ({"type": 1, "token": "tok_visa"}, [("/payment_method/type", "invalid_value")]),
        ({"type": "card", "token": ""}, [("/payment_method/token", "too_short")]),
        ({"type": "card", "token": "tok a"}, [("/payment_method/token", "invalid_format")]),
        ({"type": "card", "token": "tok_é"}, [("/payment_method/token", "invalid_format")]),
        ({"type": "card", "token": "t" * 513}, [("/payment_method/token", "too_long")]),
        ({"type": "card", "gateway": "stripe"}, [("/payment_method/gateway", "not_together")]),
        (
            {"type": "card", "token": "pm_1", "tokens": {"stripe": "pm_1"}},
            [("/payment_method/tokens", "not_together")],
        ),
        (
            {"type": "card", "gateway": "stripe", "tokens": {"stripe": "pm_1"}},
            [("/payment_method/tokens", "not_together")],
        ),
        ({"type": "card", "tokens": {}}, [("/payment_method/tokens", "out_of_range")]),
        (
            {"type": "card", "tokens": {f"g{number}": "t" for number in range(17)}},
            [("/payment_method/tokens", "out_of_range")],
        ),
        ({"type": "card", "tokens": ["pm_1"]}, [("/payment_method/tokens", "invalid_type")]),
        (
            {"type": "card", "tokens": {"a b": "t", "stripe": 1}},
            [
                ("/payment_method/tokens/a b", "invalid_format"),
                ("/payment_method/tokens/stripe", "invalid_type"),
            ],
        ),
        ({"type": "card", "token": "tok_visa\n"}, [("/payment_method/token", "invalid_characters")]),
        (
            {"type": "card", "token": "tok_visa", "cvc": "123", "number": "1"},
            [("/payment_method/cvc", "unknown_field"), ("/payment_method/number", "unknown_field")],
        ),
        (
            {"type": "card", "token": "tok_visa", "network": "VISA"},
            [("/payment_method/network", "invalid_value")],
        ),
        (
            {"type": "upi", "vpa": "asha@okbank", "network": "rupay"},
            [("/payment_method/network", "unknown_field")],
        ),
        ({"type": "upi", "vpa": "asha"}, [("/payment_method/vpa", "invalid_format")]),
        ({"type": "net_banking", "bank_code": "hdfc"}, [("/payment_method/bank_code", "invalid_format")]),
        ({"type": "wallet", "provider": "Pay TM"}, [("/payment_method/provider", "invalid_format")]),
        ({"type": "pay_later", "provider": 7}, [("/payment_method/provider", "invalid_type")]),
    ],
)
def test_a_wrong_payment_method_is_refused_with_its_pointer(
    method: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert faults_of({**SMALLEST, "payment_method": method}) == expected


def test_all_faults_are_told_at_once() -> None:
    body = {
        "amount": 1.5,
        "currency": "usd",
        "payment_method": {"type": "card", "token": 1},
        "customer": {"country": "XX", "age": 3},
        "metadata": {"a b": [1], "c~/d": 1},
        "x": 1,
    }
    assert faults_of(body) == [
        ("/amount", "invalid_type"),
        ("/currency", "invalid_value"),
        ("/customer/age", "unknown_field"),
        ("/customer/country", "invalid_value"),
        ("/metadata/a b", "invalid_key"),
        ("/metadata/a b", "invalid_type"),
        ("/metadata/c~0~1d", "invalid_key"),
        ("/payment_method/token", "invalid_type"),
        ("/x", "unknown_field"),
    ]


def test_a_request_with_thousands_of_faults_is_told_a_hundred() -> None:
    with pytest.raises(ValidationError) as refused:
        SCHEMA.load({**SMALLEST, **{f"field_{number}": 1 for number in range(3000)}})
    assert len(body_faults(refused.value.messages)) == 100


@pytest.mark.parametrize("schema", PAYMENT_METHODS.values(), ids=PAYMENT_METHODS)
def test_no_payment_method_takes_an_empty_object(schema: Any) -> None:
    with pytest.raises(ValidationError):
        schema.load({})


@pytest.mark.parametrize(
    ("schema", "parameters", "expected"),
    [
        (PaymentsQuerySchema(), {"limit": "0"}, ("limit", "out_of_range")),
        (PaymentsQuerySchema(), {"limit": "101"}, ("limit", "out_of_range")),
        (PaymentsQuerySchema(), {"limit": "ten"}, ("limit", "invalid_type")),
        (PaymentsQuerySchema(), {"limit": "\uff11"}, ("limit", "invalid_type")),
        (PaymentsQuerySchema(), {"limit": "-1"}, ("limit", "invalid_type")),
        (PaymentsQuerySchema(), {"starting_after": "pay_1"}, ("starting_after", "invalid_format")),
        (PaymentsQuerySchema(), {"starting_after": "job_" + "0" * 32}, ("starting_after", "invalid_format")),
        (PaymentsQuerySchema(), {"state": "success"}, ("state", "invalid_value")),
        (PaymentsQuerySchema(), {"certainty": "maybe"}, ("certainty", "invalid_value")),
        (PaymentsQuerySchema(), {"currency": "usd"}, ("currency", "invalid_value")),
        (PaymentsQuerySchema(), {"amount[gte]": "1.5"}, ("amount[gte]", "invalid_type")),
        (PaymentsQuerySchema(), {"amount[lte]": "9" * 12}, ("amount[lte]", "out_of_range")),
        (PaymentsQuerySchema(), {"amount_gte": "1"}, ("amount_gte", "unknown_field")),
        (PaymentsQuerySchema(), {"created[gte]": "yesterday"}, ("created[gte]", "invalid_format")),
        (PaymentsQuerySchema(), {"created[lt]": "2026-11-21T09:00:00"}, ("created[lt]", "invalid_format")),
        (
            PaymentsQuerySchema(),
            {"created[lt]": "0001-01-01T00:00:00+23:59"},
            ("created[lt]", "invalid_format"),
        ),
        (PaymentsQuerySchema(), {"reference": "a\x00"}, ("reference", "invalid_characters")),
        (PaymentsQuerySchema(), {"gateway": ""}, ("gateway", "too_short")),
        (PaymentsQuerySchema(), {"staet": "SUCCESS"}, ("staet", "unknown_field")),
        (PaymentQuerySchema(), {"expand": "webhooks"}, ("expand", "invalid_value")),
        (PaymentQuerySchema(), {"expand": ""}, ("expand", "invalid_value")),
        (HistoryQuerySchema(), {"starting_after": "evt_1"}, ("starting_after", "invalid_format")),
        (JobsQuerySchema(), {"status": "done"}, ("status", "invalid_value")),
        (JobsQuerySchema(), {"payment_id": "x"}, ("payment_id", "invalid_format")),
    ],
)
def test_a_wrong_query_parameter_is_refused_by_name(
    schema: Any, parameters: dict[str, str], expected: tuple[str, str]
) -> None:
    with pytest.raises(ValidationError) as refused:
        schema.load(parameters)
    (fault,) = query_faults(refused.value.normalized_messages())
    assert (fault["parameter"], fault["code"]) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/url", "required")]),
        ({"url": "https://é"}, [("/url", "invalid_format")]),
        ({"url": "https://x.example", "event_types": "all"}, [("/event_types", "invalid_type")]),
        (
            {"url": "https://x.example", "event_types": ["payment.succeeded", "nope", {}]},
            [("/event_types/1", "invalid_value"), ("/event_types/2", "invalid_value")],
        ),
        ({"url": "https://x.example", "event_types": ["payment.failed"] * 2}, [("/event_types", "repeated")]),
    ],
)
def test_a_wrong_webhook_endpoint_is_refused_with_its_pointer(
    body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with pytest.raises(ValidationError) as refused:
        EndpointRequestSchema().load(body)
    assert [(fault["pointer"], fault["code"]) for fault in body_faults(refused.value.messages)] == expected
