"""The edges of the API: what a path takes, what a mistaken query is told, hosts that can't be, events that nest deep."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import Any

import pytest
from support.api_client import Api, Merchant, body_of, codes, start_api

from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter

IDS = {
    "payment_id": "pay_" + "0" * 32,
    "capture_id": "cap_" + "0" * 32,
    "refund_id": "ref_" + "0" * 32,
    "void_id": "voi_" + "0" * 32,
    "dispute_id": "dsp_" + "0" * 32,
    "approval_id": "apr_" + "0" * 32,
    "job_id": "job_" + "0" * 32,
    "token_id": "card_" + "0" * 32,
    "endpoint_id": "whe_" + "0" * 32,
    "event_id": f"evt_{'0' * 32}_1",
    "gateway_name": "sandbox_z",
    "gateway": "sandbox_z",
    "experiment": "none",
    "customer_id": "cus_117",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


def paths(api: Api) -> list[str]:
    return sorted(
        {
            re.sub(r"<(?:\w+:)?(\w+)>", lambda found: IDS[found[1]], rule.rule)
            for rule in api.app.url_map.iter_rules()
            if not rule.rule.startswith("/console")
        }
    )


def test_allow_names_the_methods_that_a_path_takes_and_no_other(api: Api) -> None:
    shop, operator = api.merchant(), api.operator()
    for path in paths(api):
        asker = operator if path.startswith(("/v1/ops", "/v1/routing", "/v1/rules", "/v1/gateways")) else shop
        answers = {method: asker.open(path, method=method) for method in METHODS}
        taken = {method for method, answer in answers.items() if answer.status_code != 405}
        told = {answer.headers["Allow"] for answer in answers.values() if answer.status_code == 405}
        told |= {answers["OPTIONS"].headers["Allow"]}
        assert told == {", ".join(sorted(taken))}, path
        assert (answers["OPTIONS"].status_code, answers["OPTIONS"].data) == (204, b"")
        assert ("HEAD" in taken) is ("GET" in taken)


def test_the_document_has_the_methods_that_a_path_takes(api: Api) -> None:
    shop = api.merchant()
    for path, described in shop.get("/openapi.json").json["paths"].items():
        real = re.sub(r"\{(\w+)\}", lambda found: IDS[found[1]], path)
        allowed = set(shop.open(real, method="BREW").headers["Allow"].split(", "))
        assert allowed - {"HEAD", "OPTIONS"} == {
            method.upper() for method in described if method != "parameters"
        }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/nothing", "/docs/nothing", "/v1/payments/", "/v1/payments/x/y/z", "//"]
)
def test_a_path_that_is_none_is_a_problem_document_for_every_method(api: Api, path: str, method: str) -> None:
    answer = api.merchant().open(path, method=method)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert method == "HEAD" or answer.json["code"] == "not_found"


@pytest.mark.parametrize(
    "written", ["2026-11-21T09:00:00 02:00", "2026-11-21 09:00:00.5 00:00", "2026-11-21T09:00:00 14:00"]
)
@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/payments", "created[gte]"),
        ("/v1/payments", "created[lt]"),
        (f"/v1/payments/{IDS['payment_id']}/events", "as_of"),
        ("/v1/routing/experiments/x", "since"),
    ],
)
def test_a_plus_that_became_a_space_is_explained(api: Api, path: str, parameter: str, written: str) -> None:
    asker = api.operator() if "routing" in path else api.merchant()
    (fault,) = asker.get(path, query_string=f"{parameter}={written.replace(' ', '+')}").json["errors"]
    assert (fault["parameter"], fault["code"]) == (parameter, "invalid_format")
    assert "%2B" in fault["detail"]
    right = asker.get(path, query_string=f"{parameter}={'%2B'.join(written.rsplit(' ', 1))}")
    assert right.status_code in (200, 404), right.text


@pytest.mark.parametrize(
    "written", ["yesterday", "2026-11-21", "2026-11-21T09:00:00", "2026-13-21T09:00:00Z", " "]
)
def test_another_mistake_in_a_time_is_not_explained_by_a_plus(api: Api, written: str) -> None:
    (fault,) = api.merchant().get("/v1/payments", query_string={"created[lt]": written}).json["errors"]
    assert "%2B" not in fault["detail"]


NO_HOSTS = [
    "a..b",
    ".shop.example",
    "shop..example",
    "a" * 64 + ".example",
    ".".join(["a" * 60] * 5),
    "-shop.example",
    "shop-.example",
    "xn--",
    "xn--a",
    "xn--zzzzzzzzzzzzz99999999999",
    "xn--\u00e9",
    "*",
    "a b",
    "a,b",
    "a%2eb",
    "[::1%25lo]",
    "[::g]",
    "[v1.x]",
    "..",
    ".",
]


@pytest.mark.parametrize("host", NO_HOSTS)
def test_a_host_that_no_resolver_takes_is_refused_where_it_is_given(api: Api, host: str) -> None:
    shop = api.merchant()
    endpoint = shop.post("/v1/webhook-endpoints", json={"url": f"https://{host}/hooks"})
    assert endpoint.status_code == 422, endpoint.text
    assert endpoint.json["code"] in ("webhook_endpoint_refused", "validation_failed")
    payment = shop.post_payment(return_url=f"https://{host}/back")
    assert codes(payment)[0][0] == "/return_url"


@pytest.mark.parametrize(
    "host",
    [
        "shop.example",
        "shop.example.",
        "xn--bcher-kva.example",
        "a_b.example",
        "8.8.8.8",
        "[2600::1]",
        "A.EXAMPLE:8443",
        "xn--mgba3gch31f060k.example",  # with a zero-width non-joiner
    ],
)
def test_a_host_that_can_be_is_taken(api: Api, host: str) -> None:
    shop = api.merchant()
    assert shop.post("/v1/webhook-endpoints", json={"url": f"https://{host}/hooks"}).status_code == 201
    assert shop.accepted(return_url=f"https://{host}/back")["return_url"] == f"https://{host}/back"


NO_EVENTS: dict[str, bytes] = {
    "nested lists": b'{"id":"e","type":"t","data":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "unclosed": b"[" * 60_000,
    "twice": b'{"id":"a","id":"b","type":"t","data":{"reference":"r","id":"i"}}',
    "no number": b'{"id":"a","type":"t","data":{"reference":"r","id":"i","amount":NaN}}',
    "digits": b'{"id":"a","type":"t","data":{"reference":"r","id":"i","amount":' + b"9" * 5000 + b"}}",
    "no UTF-8": b'{"id":"\xff","type":"t","data":{"reference":"r","id":"i"}}',
    "a list": b"[]",
    "a null byte": b'{"id":"a\\u0000","type":"t","data":{"reference":"r","id":"i"}}',
    "a surrogate": b'{"id":"a\\ud800","type":"t","data":{"reference":"r","id":"i"}}',
    "other types": b'{"id":1,"type":[],"data":{"reference":{},"id":null}}',
    "no data": b'{"id":"a","type":"t","data":null}',
    "nothing": b"",
}


SECRET = "whsec_test"


def sandbox() -> LoadedGateway:
    return LoadedGateway(
        SandboxAdapter(
            GatewayConfig(
                name="sandbox_a",
                adapter="sandbox",
                base_url="http://127.0.0.1:1",
                api_key="k" * 20,
                webhook_secrets=(SECRET,),
            )
        )
    )


@pytest.mark.parametrize("name", NO_EVENTS)
def test_an_event_that_is_none_is_refused_however_well_it_is_signed(database_url: str, name: str) -> None:
    gateway = sandbox()
    api, body = start_api(database_url, gateway), NO_EVENTS[name]
    at = int(time.time())
    signed = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256)
    answer = api.app.test_client().post(
        f"/v1/gateways/{gateway.config.name}/webhooks",
        data=body,
        headers={"Sandbox-Signature": f"t={at},v1={signed.hexdigest()}"},
    )
    assert (answer.status_code, json.loads(answer.data)["code"]) == (401, "invalid_webhook")


@pytest.mark.parametrize(
    "given", ["t={at},v1={v1},t={at},v1={v1}", "t=1,t={at},v1={v1}", "t={at},v1=0,v1={v1}", "t=" + "9" * 5000]
)
def test_a_signature_that_says_two_things_is_none(database_url: str, given: str) -> None:
    gateway, body, at = (
        sandbox(),
        b'{"id":"e","type":"t","data":{"reference":"r","id":"i"}}',
        int(time.time()),
    )
    signed = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    client = start_api(database_url, gateway).app.test_client()
    path = f"/v1/gateways/{gateway.config.name}/webhooks"
    right = {"Sandbox-Signature": f"t={at},v1={signed}"}
    assert client.post(path, data=body, headers=right).status_code == 200
    answer = client.post(path, data=body, headers={"Sandbox-Signature": given.format(at=at, v1=signed)})
    assert (answer.status_code, body_of(answer)["code"]) == (401, "invalid_webhook")


def test_the_document_says_where_the_api_is_and_whom_to_ask(api: Api) -> None:
    document = api.merchant().get("/openapi.json").json
    assert document["servers"]
    assert document["info"]["contact"]


def test_every_operation_parameter_schema_and_field_is_described(api: Api) -> None:
    document: dict[str, Any] = api.merchant().get("/openapi.json").json
    silent: list[tuple[str, ...]] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                silent += [(path, one["name"]) for one in operation if not one.get("description")]
                continue
            silent += [] if operation.get("description") else [(path, method)]
            silent += [
                (path, method, one["name"])
                for one in operation.get("parameters", [])
                if "$ref" not in one and not one.get("description")
            ]
    for name, schema in document["components"]["schemas"].items():
        silent += [] if schema.get("description") else [(name,)]
        silent += [
            (name, field)
            for field, told in schema.get("properties", {}).items()
            if not told.get("description")
        ]
    assert silent == []


def test_a_duplicate_of_a_reference_beyond_the_basic_plane_is_found(api: Api) -> None:
    shop: Merchant = api.merchant()
    longest = "\U0001f600" * 255
    first = shop.accepted(reference=longest)
    found = shop.get("/v1/payments", query_string={"reference": longest}).json["data"]
    assert [payment["id"] for payment in found] == [first["id"]]
