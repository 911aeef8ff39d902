"""What the OpenAPI document says about a field is what the API takes: each limit at its edge, and one beyond.

The cases come from the document itself, so that a field which is added later is tried too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.api_client import Api, Merchant, Reply, start_api

from aegis_worker.vault.vault import Vault

NOBODY = "0" * 32
IDS = {
    "payment_id": f"pay_{NOBODY}",
    "job_id": f"job_{NOBODY}",
    "endpoint_id": f"whe_{NOBODY}",
    "event_id": f"evt_{NOBODY}_1",
    "gateway_name": "sandbox_z",
    "experiment": "none",
    "customer_id": "cus_117",
    "approval_id": f"apr_{NOBODY}",
}
# What a text may be spoiled by, or be none the worse for.
SPICES = [
    "\n",
    "\r\n",
    "\t",
    "\x00",
    "\x1b",
    "\x85",
    "\u2028",
    "\u202e",
    "\u2066",
    "\u200d",
    "\u200b",
    "\ufeff",
]
SPICES += [
    "\ufdd0",
    "\uffff",
    "\U0001ffff",
    "\ud800",
    "\U000e0041",
    "é",
    "e\u0301",
    "👨‍👩‍👧",
    "\u00a0",
    " ",
    "\\",
    "@",
    "<",
    ",",
]
WRONG_TYPES: list[Any] = [None, True, 7, -1, 1.5, "", "7", [], ["x"], {}, {"x": 1}]


# What the document tells in words: the routing's own checks, what a card consists of, and that a time is to come.
TOLD_IN_WORDS = {"config", "card", "scheduled_at"}
# What the document says may be given only with `off_session`.
ONLY_OFF_SESSION = {"off_session_reason", "network_transaction_id"}


@pytest.fixture
def api(database_url: str, vault: Vault) -> Api:
    return start_api(database_url, vault=vault)


def texts(schema: dict[str, Any], example: str) -> Iterator[str]:
    """Strings of every length at an edge, and the example with each spice in it and at its end."""
    edges = {schema.get("minLength", 1), schema.get("maxLength", 255)}
    for length in sorted({edge + beyond for edge in edges for beyond in (-1, 0, 1)}):
        yield "x" * length
        if length > len(example):
            yield example + example[-1] * (length - len(example))
            yield example[0] * (length - len(example)) + example
    for spice in SPICES:
        yield example[:1] + spice + example[1:]
        yield example + spice
    yield from (example, example.upper(), example.lower(), f" {example} ")


def candidates(schema: dict[str, Any], example: Any) -> list[Any]:
    found = list(WRONG_TYPES)
    found += [
        schema[edge] + beyond for edge in ("minimum", "maximum") if edge in schema for beyond in (-1, 0, 1)
    ]
    found += schema.get("enum", [])[:3]
    if isinstance(example, str):
        found += texts(schema, example)
    return found


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def fields_of(
    document: dict[str, Any], schema: dict[str, Any], body: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any], Any]]:
    """Each field below `schema` that is no object with fields of its own, with its example in `body`."""
    schema = resolved(document, schema)
    if "discriminator" in schema:
        schema = resolved(document, {"$ref": schema["discriminator"]["mapping"][body["type"]]})
    for name, field in schema.get("properties", {}).items():
        inner = next((one for one in field.get("anyOf", []) if "$ref" in one), field)
        if "$ref" in inner or "discriminator" in inner:
            yield from fields_of(document, inner, body.get(name) or {}, (*path, name))
        elif name not in TOLD_IN_WORDS:
            yield (*path, name), field, field.get("example", body.get(name))


def with_value(body: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    name, *rest = path
    return {**body, name: with_value(body.get(name) or {}, tuple(rest), value) if rest else value}


def was_refused(answer: Reply, pointer: str) -> bool:
    """Whether it was this field; what comes after (nobody's payment, nothing to resolve) is no matter here."""
    assert answer.status_code < 500, answer.text
    body = answer.json if answer.data else {}
    if body.get("code") == "webhook_endpoint_refused":
        return "there are already" not in body["detail"]
    return any(
        error.get("pointer", "").startswith(pointer) or error.get("parameter") == pointer
        for error in body.get("errors", [])
        if error["code"] not in ("invalid_routing", "unknown_gateway")
    )


def validator(schema: dict[str, Any], document: dict[str, Any]) -> Draft202012Validator:
    """For the document's patterns, whose `$` is the end of the text; Python's is a line break before it, too."""

    def ended(part: Any) -> Any:
        if isinstance(part, list):
            return list(map(ended, part))
        if not isinstance(part, dict):
            return part
        return {
            name: value.removesuffix("$") + r"\Z"
            if name == "pattern" and isinstance(value, str)
            else ended(value)
            for name, value in part.items()
        }

    return Draft202012Validator(ended({**schema, "components": document["components"]}))


def holds_a_card(answer: Reply) -> bool:
    return code_of(answer) == "sensitive_data_rejected"


def code_of(answer: Reply) -> str | None:
    return answer.json.get("code") if answer.data else None


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters" and path.startswith("/v1/"):
                yield path, method, operation


def asker(api: Api, path: str, shop: Merchant, operator: Merchant) -> Merchant:
    return operator if path.startswith(("/v1/ops", "/v1/routing", "/v1/rules", "/v1/gateways")) else shop


@pytest.mark.slow
def test_a_body_field_takes_what_the_document_says_and_nothing_else(api: Api) -> None:
    shop, operator = api.merchant(scopes=["refunds:write", "tokens:write"]), api.operator()
    document = shop.get("/openapi.json").json
    differ, tried = [], 0
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        for place, field, example in fields_of(document, content["schema"], content["example"]):
            documented = validator(field, document)
            body = content["example"] | ({"off_session": True} if place[-1] in ONLY_OFF_SESSION else {})
            for number, value in enumerate(candidates(field, example)):
                answer = asker(api, path, shop, operator).open(
                    path.format(**IDS),
                    method=method.upper(),
                    json=with_value(body, place, value),
                    headers={"Idempotency-Key": f"{path}{place}{number}".replace(",", "")},
                )
                if holds_a_card(answer) or code_of(answer) == "malformed_json":
                    continue
                tried += 1
                if was_refused(answer, "/" + "/".join(place)) is documented.is_valid(value):
                    differ.append((path, place, value, answer.status_code, answer.text[:300]))
    assert differ == [], "\n".join(map(str, differ))
    assert tried > 1000


@pytest.mark.slow
def test_a_query_parameter_takes_what_the_document_says_and_nothing_else(api: Api) -> None:
    shop, operator = api.merchant(scopes=["refunds:write", "tokens:write"]), api.operator()
    document = shop.get("/openapi.json").json
    differ, tried = [], 0
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter.get("in") != "query":
                continue
            schema = parameter["schema"]
            example = schema.get("example", schema.get("enum", ["10"])[0])
            documented = validator(schema, document)
            for value in candidates(schema, parameter.get("example", example)):
                if not isinstance(value, str | int) or isinstance(value, bool) or "\ud800" in str(value):
                    continue
                answer = asker(api, path, shop, operator).open(
                    path.format(**IDS), method=method.upper(), query_string={parameter["name"]: str(value)}
                )
                if holds_a_card(answer):
                    continue
                tried += 1
                meant = int(value) if schema["type"] == "integer" and str(value).isdecimal() else str(value)
                if was_refused(answer, parameter["name"]) is documented.is_valid(meant):
                    differ.append((path, parameter["name"], value, answer.status_code, schema))
    assert differ == [], "\n".join(map(str, differ))
    assert tried > 500


def test_an_idempotency_key_is_what_the_document_says(api: Api) -> None:
    shop = api.merchant()
    document = shop.get("/openapi.json").json
    schema = document["components"]["parameters"]["Idempotency-Key"]["schema"]
    body = document["paths"]["/v1/payments"]["post"]["requestBody"]["content"]["application/json"]["example"]
    for value in texts(schema, "order-1042"):
        if not value.isascii() or "\n" in value:
            continue
        answer = shop.post(
            "/v1/payments",
            json={**body, "reference": None},
            environ_overrides={"HTTP_IDEMPOTENCY_KEY": value},
        )
        assert (answer.status_code == 202) is validator(schema, document).is_valid(value), value


def test_the_longest_metadata_is_what_the_document_says(api: Api) -> None:
    shop = api.merchant()
    document = shop.get("/openapi.json").json
    schema = document["components"]["schemas"]["PaymentRequest"]["properties"]["metadata"]
    for metadata in (
        {str(number): 1 for number in range(50)},
        {str(number): 1 for number in range(51)},
        {"k" * 128: 1},
        {"k" * 129: 1},
        {"": 1},
        {"k": "v" * 1000},
        {"k": "v" * 1001},
        {"k": ""},
        {"a.b-c": "x\ny"},
        {"a b": 1},
        *({"k": spice} for spice in SPICES),
        {"k": 2**63 - 1},
        {"k": 2**63},
        {"k": -(2**63)},
        {"k": -(2**63) - 1},
        {"k": 1.5e14},
        {"k": 1e15 + 0.5},
        {"k": []},
        {"k": None},
    ):
        answer = shop.post_payment(metadata=metadata)
        assert (answer.status_code == 202) is validator(schema, document).is_valid(metadata), metadata
