"""What operators and monitors are told of the gateways, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.api_client import Api, start_api
from support.command_line import NOBODY_THERE
from support.documented_answers import follows
from support.gateway_traffic import Traffic, traffic
from support.scripted_gateway import ScriptedGateway

GATEWAYS = {
    "a": ScriptedGateway("a", fee_fixed_minor=30, currencies=frozenset({"USD"}), max_concurrent=50),
    "b": ScriptedGateway("b"),
}


@pytest.fixture
def calls(redis_url: str) -> Iterator[Traffic]:
    with traffic(redis_url, GATEWAYS) as calls:
        yield calls


@pytest.fixture
def api(database_url: str, redis_url: str) -> Api:
    return start_api(database_url, *GATEWAYS.values(), redis_url=redis_url)


def gateways(api: Api) -> dict[str, dict[str, Any]]:
    operator = api.operator()
    listed = operator.get("/v1/gateways")
    assert listed.status_code == 200, listed.text
    follows(operator.get("/openapi.json").json, "/v1/gateways", "get", listed)
    return {gateway["name"]: gateway for gateway in listed.json["data"]}


def test_a_gateway_that_nobody_called_is_healthy(api: Api) -> None:
    told = gateways(api)
    assert list(told) == ["a", "b"]
    health = told["b"]["health"]
    assert (health["score"], health["state"], health["in_flight"]) == (1.0, "CLOSED", 0)
    assert {breaker["state"] for breaker in health["breakers"]} == {"CLOSED"}
    assert {"process", "status"} <= {breaker["operation"] for breaker in health["breakers"]}
    assert health["recent"]["calls"] == health["last_hour"]["calls"] == 0
    assert health["recent"]["success_rate"] is None
    assert told["a"]["limits"]["currencies"] == ["USD"]
    assert told["a"]["limits"]["max_concurrent"] == 50
    assert told["a"]["fees"] == {"fixed_minor": 30, "basis_points": None}


def test_what_calls_came_to_is_told_of_both_windows(api: Api, calls: Traffic) -> None:
    calls.approve("a", 9, latency_ms=200.0)
    calls.fail("a")
    calls.send("a")
    health = gateways(api)["a"]["health"]
    assert health["in_flight"] == 1
    assert health["score"] == pytest.approx(0.5 + 0.3 * 0.9 + 0.1 + 0.1 * 0.9)
    for window in (health["recent"], health["last_hour"]):
        assert (window["calls"], window["success_rate"], window["decline_rate"]) == (10, 0.9, 0.0)
        assert window["error_rates"] == {"network_error": 0.1}
        assert window["outcomes"]["approved"] == 9
        assert window["latency_ms"]["p95"] == pytest.approx(200, rel=0.05)
    assert health["recent"]["latency_ms"] == {"mean": 200.0, "p50": 200.0, "p95": 200.0, "p99": 200.0}


def test_an_open_breaker_says_when_the_gateway_is_tried_again(api: Api, calls: Traffic) -> None:
    calls.fail("a", 5)
    told = gateways(api)
    assert told["b"]["health"]["state"] == "CLOSED"
    health = told["a"]["health"]
    assert health["state"] == "OPEN"
    assert 0 < health["retry_in_s"] <= 66
    assert health["score"] == 0.1, "no latency is known, all else is at its worst"
    breakers = {breaker["operation"]: breaker for breaker in health["breakers"]}
    assert (breakers["process"]["state"], breakers["process"]["opened"]) == ("OPEN", 1)
    assert breakers["status"]["state"] == "CLOSED"


def test_one_gateway_is_told_alone(api: Api) -> None:
    operator = api.operator()
    one = operator.get("/v1/gateways/b")
    follows(operator.get("/openapi.json").json, "/v1/gateways/{gateway_name}", "get", one)
    assert one.json["name"] == "b"
    unknown = operator.get("/v1/gateways/c")
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")


def test_it_is_for_operators(api: Api) -> None:
    for path in ("/v1/gateways", "/v1/gateways/a"):
        assert api.merchant().get(path).status_code == 403
        assert api.app.test_client().get(path).status_code == 401


def test_a_paused_gateway_says_who_paused_it_and_why(api: Api) -> None:
    operator = api.operator("night")
    assert operator.post("/v1/gateways/a/pause", json={"reason": "maintenance"}).status_code == 200
    told = gateways(api)
    assert told["a"]["paused"]["reason"] == "maintenance"
    assert told["a"]["paused"]["actor"].endswith("(night)")
    assert told["b"]["paused"] is None


def test_without_redis_what_is_set_is_still_told(database_url: str) -> None:
    told = gateways(start_api(database_url, *GATEWAYS.values(), redis_url=NOBODY_THERE))
    assert [gateway["health"] for gateway in told.values()] == [None, None]
    assert told["a"]["limits"]["timeout_s"] == 8.0


def test_metrics_tell_the_same(api: Api, calls: Traffic) -> None:
    calls.fail("a", 5)
    api.merchant().accepted()
    told = api.app.test_client().get("/metrics").text
    assert 'aegis_gateway_breaker_state{gateway="a",operation="process",state="OPEN"} 1.0' in told
    assert 'aegis_gateway_breaker_openings_total{gateway="a",operation="process"} 1.0' in told
    assert 'aegis_gateway_calls{gateway="a",outcome="error"} 5.0' in told
    assert 'aegis_gateway_score{gateway="b"} 1.0' in told
    assert 'aegis_jobs_due{queue="payments"} 1.0' in told
    assert len(told.splitlines()) < 300, "a line for each gateway and known word, whatever was called"
