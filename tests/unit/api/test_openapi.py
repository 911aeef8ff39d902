"""The OpenAPI document is valid and tells of every route, error, header and example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from aegis_api.app import create_app
from aegis_api.http.problems import PROBLEMS
from aegis_worker.domain.declines import ADVICE, CATEGORIES, DECLINES
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.hints import Hints, NoHints
from aegis_worker.matching.operators import OPERATORS
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.tables import delivery, payments
from aegis_worker.pipeline.operations import ROOMS
from aegis_worker.routing.rules import FIELDS
from aegis_worker.routing.sections import SECTIONS
from aegis_worker.routing.strategies import STRATEGIES
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import load_settings
from aegis_worker.wiring.web import Web

# Documents and pages about the API are no part of it.
NOT_DESCRIBED = {
    "/openapi.json",
    "/docs",
    "/docs/docs.js",
    "/docs/swagger-ui-bundle.js",
    "/docs/swagger-ui.css",
}


@pytest.fixture(scope="module")
def app() -> Any:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        environment.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        environment.setenv("AEGIS_SECRET", "s" * 40)
        settings = load_settings()
    database = Database.connect(settings, application="test")
    return create_app(
        Web(
            settings=settings,
            database=database,
            reading=database,
            hints=cast("Hints", NoHints()),
            ring=KeyRing(settings.sealing_keys),
            redis_ready=lambda: True,
        )
    )


@pytest.fixture(scope="module")
def document(app: Any) -> dict[str, Any]:
    answer = app.test_client().get("/openapi.json")
    assert answer.content_type == "application/json"
    return dict(answer.json)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield path, method, operation


def schema_of(document: dict[str, Any], content: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**content["schema"], "components": document["components"]})


@pytest.mark.slow
def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_route_is_described_and_nothing_else(app: Any, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        # The console's pages are for people, and no part of the API.
        if rule.rule not in NOT_DESCRIBED and not rule.rule.startswith("/console")
    }
    assert routes == {(path, method) for path, method, _ in operations(document)}


def test_every_operation_has_a_summary_and_a_name_of_its_own(document: dict[str, Any]) -> None:
    found = [operation for _, _, operation in operations(document)]
    assert all(operation["summary"] for operation in found)
    names = [operation["operationId"] for operation in found]
    assert len(names) == len(set(names))


def test_every_problem_code_is_described_where_it_may_come(document: dict[str, Any]) -> None:
    described = {
        (code, int(status))
        for _, _, operation in operations(document)
        for status, answer in operation["responses"].items()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert all(PROBLEMS[code].status == status for code, status in described)
    # Not of one operation: a method that is none.
    assert set(PROBLEMS) - {code for code, _ in described} == {"method_not_allowed"}


def test_every_operation_of_the_api_needs_a_key_and_says_so(document: dict[str, Any]) -> None:
    assert document["security"] == [{"apiKey": []}]
    for path, _, operation in operations(document):
        if path == "/metrics":  # a monitor, with a token of its own where the installation has one
            assert operation["security"] == [{"metricsToken": []}, {}]
            continue
        assert ("401" in operation["responses"]) is path.startswith("/v1/")
        is_signed = path == "/v1/gateways/{gateway_name}/webhooks"  # by the gateway, which has no key of ours
        assert operation.get("security") == (None if path.startswith("/v1/") and not is_signed else [])


def test_every_answer_names_its_headers(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert "Request-Id" in answer["headers"], (path, method, status)
    posted = document["paths"]["/v1/payments"]["post"]
    assert {"Location", "Retry-After", "Idempotent-Replayed"} <= set(posted["responses"]["202"]["headers"])
    taken = {parameter["$ref"].rsplit("/", 1)[1] for parameter in posted["parameters"]}
    assert taken == {"Request-Id", "Correlation-Id", "Idempotency-Key", "Prefer"}


def test_every_example_follows_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for path, method, operation in operations(document):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in operation["responses"].values()]
        for mimetype, content in [item for one in contents for item in one.items()]:
            examples = [content["example"]] if "example" in content else []
            examples += [example["value"] for example in content.get("examples", {}).values()]
            assert examples, f"{method} {path} {mimetype} has no example"
            for example in examples:
                schema_of(document, content).validate(example)
                checked += 1
    assert checked > 50


def test_the_request_schema_refuses_what_the_api_refuses(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/payments"]["post"]["requestBody"]["content"]["application/json"]
    schema, valid = schema_of(document, content), content["example"]
    wrong: list[dict[str, Any]] = [
        {"amount": 0},
        {"amount": "1999"},
        {"currency": "usd"},
        {"unknown": 1},
        {"payment_method": {"type": "card", "token": "tok visa"}},
        {"payment_method": {"type": "cash"}},
        {"metadata": {"a b": 1}},
        {"metadata": {"a": {}}},
        {"capture_method": "later"},
    ]
    for changed in wrong:
        assert not schema.is_valid(valid | changed), changed
    assert schema.is_valid(valid)


def test_every_object_of_an_answer_is_described_and_nothing_is_described_with_nothing(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    answers = [name for name, schema in schemas.items() if schema.get("additionalProperties") is not False]
    assert [name for name in answers if not schemas[name].get("description")] == []
    assert schemas["Breaker"]["description"].startswith("A circuit breaker, shared by all workers.")
    assert '"description": ""' not in json.dumps(document)


def test_what_a_routing_configuration_may_hold_is_named(document: dict[str, Any]) -> None:
    told = document["components"]["schemas"]["RoutingPut"]["properties"]["config"]["description"]
    names = [*STRATEGIES, *OPERATORS, *FIELDS, *SECTIONS]
    assert [name for name in names if name not in told] == []


def test_the_documented_states_and_statuses_are_those_of_the_domain_and_the_tables(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Payment"]["properties"]["state"]["enum"] == [state.value for state in State]
    assert schemas["Event"]["properties"]["type"]["enum"] == [kind.wire for kind in EventType]

    def allowed_by(table: Any, constraint: str) -> set[str]:
        (check,) = [one for one in table.constraints if one.name == constraint]
        return set(re.findall(r"'(\w+)'", str(check.sqltext)))

    assert set(schemas["Job"]["properties"]["status"]["enum"]) == allowed_by(payments.jobs, "status_known")
    assert ROOMS.keys() <= set(schemas["Job"]["properties"]["operation"]["enum"])
    assert set(schemas["Attempt"]["properties"]["status"]["enum"]) == allowed_by(
        payments.attempts, "status_known"
    )
    deliveries = allowed_by(delivery.webhook_deliveries, "status_known")
    assert set(schemas["Delivery"]["properties"]["status"]["enum"]) == deliveries


def test_every_decline_code_category_and_advice_is_documented_with_what_it_means(
    document: dict[str, Any],
) -> None:
    last_error = document["components"]["schemas"]["LastError"]["properties"]
    for field, meanings in (
        ("category", CATEGORIES),
        ("advised_action", ADVICE),
        (
            "code",
            {
                code: f"{told.category} | {told.advised_action} | {told.meaning}"
                for code, told in DECLINES.items()
            },
        ),
    ):
        assert last_error[field]["enum"] == list(meanings)
        rows = last_error[field]["description"].splitlines()
        assert rows[2:] == [f"| `{word}` | {meaning} |" for word, meaning in meanings.items()]
