"""Every operation of the OpenAPI document, with requests made from the document: each answer is one that it describes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.api_client import CHARGED, HELD, SUCCEEDED, Api, Merchant, start_api
from support.disputes import insert_dispute
from support.documented_answers import follows
from support.scripted_gateway import ScriptedGateway
from support.vaults import a_card, as_given

from aegis_worker.console_settings import ConsoleSettings
from aegis_worker.domain.payment import Fact
from aegis_worker.vault.vault import Vault

FOR_OPERATORS = ("/v1/ops", "/v1/routing", "/v1/gateways")
_text = st.text(st.characters(codec="utf-8"), max_size=12)
_header = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
_value = st.none() | st.booleans() | st.integers(-5, 10**12) | _text | st.lists(_text, max_size=2)


@pytest.fixture
def api(database_url: str, vault: Vault) -> Api:
    two_people = ConsoleSettings("", (), {"USD": 1000})
    return start_api(database_url, ScriptedGateway("sandbox_a"), vault=vault, console=two_people)


@dataclass(frozen=True)
class Installed:
    """Who may call, the document, and ids that exist, by the name that a path has for them."""

    merchant: Merchant
    operator: Merchant
    document: dict[str, Any]
    ids: dict[str, str]


@pytest.fixture
def installed(api: Api) -> Installed:
    shop = api.merchant(scopes=["refunds:write", "tokens:write"])
    accepted = shop.accepted()
    is_held, is_charged = settled(api, shop, *HELD), settled(api, shop, *CHARGED)
    approval_id = an_approval(api.operator(), settled(api, shop, *CHARGED))
    ids = {
        "payment_id": accepted["id"],
        "job_id": accepted["job"]["id"],
        "endpoint_id": shop.post("/v1/webhook-endpoints", json={"url": "https://shop.example/hooks"}).json[
            "id"
        ],
        "event_id": f"evt_{accepted['id'].removeprefix('pay_')}_1",
        "capture_id": an_order(shop, "capture", is_held),
        "refund_id": an_order(shop, "refund", is_charged),
        "void_id": shop.post(
            f"/v1/payments/{shop.accepted()['id']}/cancel", json={}, headers={"Idempotency-Key": "cancel-1"}
        ).json["id"],
        "approval_id": approval_id,
        "dispute_id": insert_dispute(api.database, is_charged),
        "token_id": a_token(shop),
        "gateway_name": "sandbox_a",
        "experiment": "b-instead-of-a",
    }
    return Installed(shop, api.operator(), shop.get("/openapi.json").json, ids)


def settled(api: Api, shop: Merchant, *charged: Fact) -> str:
    payment = shop.accepted(capture_method="manual")
    api.settle(*charged)
    return str(payment["id"])


def a_token(shop: Merchant) -> str:
    body = {"card": as_given(a_card()), "usage": "kept", "customer": {"id": "cus_117"}}
    return str(shop.post("/v1/tokens", json=body, headers={"Idempotency-Key": "token-1"}).json["id"])


def an_approval(operator: Merchant, payment_id: str) -> str:
    path, headers = f"/v1/ops/payments/{payment_id}/refunds", {"Idempotency-Key": "asked-1"}
    body = {"amount": 1500, "reason": "ticket 4711"}
    return str(operator.post(path, json=body, headers=headers).json["approval"]["id"])


def an_order(shop: Merchant, kind: str, payment_id: str) -> str:
    path, headers = f"/v1/payments/{payment_id}/{kind}s", {"Idempotency-Key": f"{kind}-1"}
    return str(shop.post(path, json={"amount": 500}, headers=headers).json["id"])


@pytest.mark.slow
@settings(
    max_examples=250,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_fits_the_document_or_nearly_does_is_answered_as_it_says(
    installed: Installed, data: st.DataObject
) -> None:
    document = installed.document
    path, method = data.draw(st.sampled_from(list(operations(document))), label="operation")
    described = document["paths"][path][method]
    parameters = [
        resolved(document, parameter)
        for parameter in described.get("parameters", []) + document["paths"][path].get("parameters", [])
    ]
    is_for_operators = path.startswith(FOR_OPERATORS) != (data.draw(st.integers(0, 9)) == 0)
    caller = installed.operator if is_for_operators else installed.merchant
    answer = caller.open(
        data.draw(a_path(path, installed.ids)) + data.draw(a_query(parameters)),
        method=method.upper(),
        headers=data.draw(some_headers(parameters)),
        **data.draw(a_body(described)),
    )
    assert answer.status_code < 500, answer.text
    follows(document, path, method, answer)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, method) of each."""
    for path, methods in document["paths"].items():
        yield from ((path, method) for method in methods if method != "parameters")


def resolved(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    name = parameter.get("$ref", "").rsplit("/", 1)[-1]
    return document["components"]["parameters"][name] if name else parameter


@st.composite
def a_path(draw: st.DrawFn, path: str, ids: Mapping[str, str]) -> str:
    """The path with an id that exists, or one that looks like it, or anything of one segment."""

    def filled(found: re.Match[str]) -> str:
        exists = ids[found[1]]
        anything = _text.filter(lambda text: text.strip("./\\") != "" and "/" not in text)
        return quote(draw(st.sampled_from([exists, exists, exists[:-1] + "0"]) | anything), safe="")

    return re.sub(r"\{(\w+)\}", filled, path)


@st.composite
def a_query(draw: st.DrawFn, parameters: list[Mapping[str, Any]]) -> str:
    """Some of the query's parameters, mostly with values that they take."""
    named = [parameter for parameter in parameters if parameter["in"] == "query"]
    chosen = (
        draw(st.lists(st.sampled_from(named), max_size=3, unique_by=lambda one: one["name"])) if named else []
    )
    pairs = {parameter["name"]: draw(fitting(parameter["schema"]) | _text) for parameter in chosen}
    return "?" + urlencode(pairs) if pairs else ""


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """Values of a simple schema, as text."""
    if "enum" in schema:
        return st.sampled_from([str(value) for value in schema["enum"]])
    if schema.get("type") == "integer":
        return st.integers(schema.get("minimum", 0), schema.get("maximum", 10**6)).map(str)
    if schema.get("type") == "boolean":
        return st.sampled_from(["true", "false"])
    if schema.get("format") == "date-time":
        return st.sampled_from(["2026-01-01T00:00:00Z", "2030-12-31T23:59:59+05:30"])
    return st.sampled_from(["pay_" + "0" * 32, "m_1", "USD", "2026-01-01T00:00:00Z"])


@st.composite
def some_headers(draw: st.DrawFn, parameters: list[Mapping[str, Any]]) -> dict[str, str]:
    """The headers that must be there, mostly, and some of the others."""
    headers = {}
    for parameter in parameters:
        if parameter["in"] == "header" and draw(st.integers(0, 9)) < (9 if parameter.get("required") else 3):
            headers[parameter["name"]] = draw(
                st.sampled_from(["wait=0", '"1"', "request-1234", "key-1"]) | _header
            )
    return headers


@st.composite
def a_body(draw: st.DrawFn, described: Mapping[str, Any]) -> dict[str, Any]:
    """The operation's example with a field changed, added or left out, or something else altogether."""
    contents = described.get("requestBody", {}).get("content", {})
    if "application/x-ndjson" in contents and draw(st.integers(0, 9)):
        return draw(some_lines(contents["application/x-ndjson"]["example"]))
    content = contents.get("application/json")
    if content is None or draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([{}, {"data": b"{"}, {"data": b"\xff", "content_type": "text/plain"}]))
    body = json.loads(json.dumps(content.get("example", {})))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(body)) | _text) if body else draw(_text)
        if draw(st.booleans()):
            body.pop(name, None)
        else:
            body[name] = draw(_value)
    return {"data": json.dumps(body).encode(), "content_type": "application/json"}


@st.composite
def some_lines(draw: st.DrawFn, example: str) -> dict[str, Any]:
    """Lines of the example, whole or cut, among others."""
    line = st.sampled_from(example.splitlines())
    cut = st.builds(lambda text, at: text[:at], line, st.integers(0, 300))
    lines = draw(st.lists(line | cut | _text | _value.map(json.dumps), max_size=4))
    return {"data": "\n".join(lines).encode(), "content_type": "application/x-ndjson"}


def test_the_operations_that_read_are_asked_about_payments_that_have_ended_as_well(api: Api) -> None:
    shop = api.merchant()
    document = shop.get("/openapi.json").json
    payment_id = shop.accepted()["id"]
    api.settle(*SUCCEEDED)
    for path, methods in document["paths"].items():
        if "get" in methods and "{payment_id}" in path and not path.startswith(FOR_OPERATORS):
            follows(document, path, "get", shop.get(path.replace("{payment_id}", payment_id)))
