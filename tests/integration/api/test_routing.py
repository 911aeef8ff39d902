"""Routing over HTTP: seen, changed, refused with the place, brought back; gateways paused and resumed."""

from __future__ import annotations

from typing import Any

import pytest
from support.api_client import Api, Merchant, Reply, codes, start_api
from support.documented_answers import follows
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Approved

BY_COST = {"strategy": "COST_OPTIMIZED", "fallback": ["b", "a"]}
WHY = "the new contract begins today"


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(
        database_url, *(ScriptedGateway(name, lambda request: Approved("ch_1")) for name in ("a", "b"))
    )


@pytest.fixture
def operator(api: Api) -> Merchant:
    return api.operator("night")


@pytest.fixture
def document(operator: Merchant) -> dict[str, Any]:
    return dict(operator.get("/openapi.json").json)


def put(operator: Merchant, config: Any = BY_COST, **options: Any) -> Reply:
    body = {"config": config, "reason": WHY, **options.pop("body", {})}
    return operator.open("/v1/routing", method="PUT", json=body, **options)


def test_the_file_is_shown_until_a_configuration_is_put(operator: Merchant, document: dict[str, Any]) -> None:
    shown = operator.get("/v1/routing")
    follows(document, "/v1/routing", "get", shown)
    assert (shown.json["version"], shown.json["source"], shown.headers["ETag"]) == (0, "file", '"0"')
    assert shown.json["config"]["strategy"] == "RULE_BASED"
    changed = put(operator, headers={"If-Match": '"0"'})
    assert changed.status_code == 200, changed.text
    follows(document, "/v1/routing", "put", changed)
    assert (changed.json["version"], changed.headers["ETag"]) == (1, '"1"')
    shown = operator.get("/v1/routing")
    assert shown.json == changed.json
    assert (shown.json["source"], shown.json["reason"], shown.json["unusable"]) == ("put", WHY, None)
    assert shown.json["config"] | BY_COST == shown.json["config"]
    assert shown.json["actor"].endswith("(night)")


def test_every_wrong_value_is_named(operator: Merchant, document: dict[str, Any]) -> None:
    refused = put(operator, {"strategy": "GUESS", "fallback": ["a", "c"], "colour": "red"})
    follows(document, "/v1/routing", "put", refused)
    assert refused.status_code == 422
    assert codes(refused) == [
        ("/config/colour", "invalid_routing"),
        ("/config/fallback/1", "invalid_routing"),
        ("/config/strategy", "invalid_routing"),
    ]
    assert operator.get("/v1/routing").json["version"] == 0


def test_a_body_that_says_nothing_clear_is_refused(operator: Merchant) -> None:
    for body, pointer in [
        ({"reason": WHY}, "/config"),
        ({"reason": WHY, "config": {}, "source": "file"}, "/config"),
        ({"reason": WHY, "config": []}, "/config"),
        ({"reason": WHY, "source": "put"}, "/source"),
        ({"config": {}}, "/reason"),
        ({"config": {}, "reason": "no"}, "/reason"),
        ({"config": {}, "reason": WHY, "version": 3}, "/version"),
    ]:
        refused = operator.open("/v1/routing", method="PUT", json=body)
        assert refused.status_code == 422, body
        assert [found for found, _ in codes(refused)] == [pointer]


def test_what_can_not_be_stored_is_refused(operator: Merchant) -> None:
    def rule(value: str) -> dict[str, Any]:
        condition = {"field": "metadata.a", "operator": "eq", "value": value}
        return {"rules": [{"id": "r", "gateway": "a", "conditions": [condition]}]}

    assert codes(put(operator, rule("a\x00"))) == [("/config/rules/0/conditions/0/value", "invalid_routing")]
    test = {"experiment": "a\x00", "arms": [{"gateway": "a", "share": 1}]}
    assert codes(put(operator, {"ab_test": test})) == [("/config/ab_test/experiment", "invalid_routing")]
    assert put(operator, rule("\ud800")).json["code"] == "malformed_json"


def test_who_was_slower_is_refused_and_who_repeats_is_not(
    operator: Merchant, document: dict[str, Any]
) -> None:
    assert put(operator).json["version"] == 1
    slower = put(operator, {}, headers={"If-Match": '"0"'})
    follows(document, "/v1/routing", "put", slower)
    assert (slower.status_code, slower.json["code"]) == (412, "version_conflict")
    assert put(operator, {}, headers={"If-Match": '"x"'}).status_code == 412
    assert put(operator).json["version"] == 1
    assert put(operator, {}).json["version"] == 2


def test_versions_are_listed_and_the_file_is_brought_back(
    operator: Merchant, document: dict[str, Any]
) -> None:
    put(operator)
    back = operator.open("/v1/routing", method="PUT", json={"source": "file", "reason": "not so good"})
    follows(document, "/v1/routing", "put", back)
    assert (back.json["version"], back.json["source"]) == (2, "file")
    assert back.json["config"]["strategy"] == "RULE_BASED"
    newest = operator.get("/v1/routing/versions?limit=1")
    follows(document, "/v1/routing/versions", "get", newest)
    assert [(one["version"], one["source"], one["config"]) for one in newest.json["data"]] == [
        (2, "file", None)
    ]
    older = operator.get(f"/v1/routing/versions?starting_after={newest.json['next_cursor']}").json
    assert [(one["version"], one["config"]["strategy"]) for one in older["data"]] == [(1, "COST_OPTIMIZED")]
    assert not older["has_more"]
    log = operator.get("/v1/ops/audit-log?limit=2").json["data"]
    assert [(entry["action"], entry["details"]["version"]) for entry in log] == [
        ("routing.changed", 2),
        ("routing.changed", 1),
    ]


def test_a_configuration_that_a_process_can_not_use_is_shown_with_why(
    api: Api, operator: Merchant, database_url: str
) -> None:
    put(operator)
    other = start_api(database_url, ScriptedGateway("a", lambda request: Approved("ch_1")))
    shown = other.operator().get("/v1/routing").json
    assert shown["config"]["fallback"] == ["b", "a"]
    assert shown["unusable"].startswith("/fallback: ")


def test_a_gateway_is_paused_and_resumed(api: Api, operator: Merchant, document: dict[str, Any]) -> None:
    for expected in (True, False):
        paused = operator.post("/v1/gateways/a/pause", json={"reason": "their maintenance window"})
        follows(document, "/v1/gateways/{gateway_name}/pause", "post", paused)
        assert (paused.status_code, paused.json["paused"], paused.json["changed"]) == (200, True, expected)
    for expected in (True, False):
        resumed = operator.post("/v1/gateways/a/resume")
        follows(document, "/v1/gateways/{gateway_name}/resume", "post", resumed)
        assert (resumed.json["paused"], resumed.json["changed"]) == (False, expected)
    log = operator.get("/v1/ops/audit-log?limit=2").json["data"]
    assert [entry["action"] for entry in log] == ["gateway.resumed", "gateway.paused"]


def test_pausing_is_refused_as_described(api: Api, operator: Merchant, document: dict[str, Any]) -> None:
    path, reason = "/v1/gateways/{gateway_name}/pause", {"reason": "their maintenance window"}
    for code, answer in [
        ("not_found", operator.post("/v1/gateways/c/pause", json=reason)),
        ("validation_failed", operator.post("/v1/gateways/a/pause", json={})),
        ("validation_failed", operator.post("/v1/gateways/a/pause", json={"reason": "    "})),
        ("malformed_json", operator.post("/v1/gateways/a/pause", data="{", content_type="application/json")),
        ("unsupported_media_type", operator.post("/v1/gateways/a/pause")),
        ("insufficient_scope", api.merchant().post("/v1/gateways/a/pause", json=reason)),
    ]:
        assert answer.json["code"] == code, answer.text
        follows(document, path, "post", answer)
    assert operator.post("/v1/gateways/c/resume").json["code"] == "not_found"


def test_a_merchant_has_no_business_here(api: Api) -> None:
    shop = api.merchant()
    for method, path in [
        ("GET", "/v1/routing"),
        ("PUT", "/v1/routing"),
        ("GET", "/v1/routing/versions"),
        ("GET", "/v1/routing/experiments/x"),
        ("POST", "/v1/routing/simulate"),
        ("POST", "/v1/gateways/a/resume"),
    ]:
        answer = shop.open(path, method=method)
        assert (answer.status_code, answer.json["code"]) == (403, "insufficient_scope"), path
