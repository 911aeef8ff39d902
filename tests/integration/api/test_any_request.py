"""Whatever is sent, the API never fails: it accepts, or refuses with a problem document that names the fault."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.api_client import CARD, Api, Merchant, Reply, start_api

from aegis_api.http.problems import PROBLEMS

SOME = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_text = st.text(st.characters(codec=None), max_size=20)
_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text | st.just("4111111111111111"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=10,
)
_good: dict[str, Any] = {
    "amount": 1999,
    "currency": "USD",
    "payment_method": CARD,
    "customer": {"id": "c", "email": "a@b.example", "name": "n", "country": "IN"},
    "description": "d",
    "return_url": "https://shop.example/",
    "metadata": {"k": 1},
    "capture_method": "automatic",
}


@st.composite
def _nearly_good(draw: st.DrawFn) -> dict[str, Any]:
    """A valid body with a few values, somewhere, replaced, added or taken away."""
    body: dict[str, Any] = json.loads(json.dumps(_good))
    for _ in range(draw(st.integers(0, 3))):
        place: Any = body
        while True:
            name = draw(st.sampled_from(sorted(place)) | _text) if place else draw(_text)
            if isinstance(place.get(name), dict) and draw(st.booleans()):
                place = place[name]
                continue
            break
        if draw(st.booleans()):
            place.pop(name, None)
        else:
            place[name] = draw(_any_json)
    return body


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def accepted_or_refused(answer: Reply) -> None:
    if answer.status_code < 300:
        assert answer.content_type == "application/json"
        return
    body = json.loads(answer.data)
    assert answer.content_type == "application/problem+json"
    assert 400 <= answer.status_code < 500, body
    assert {"type", "title", "status", "detail", "instance", "code", "request_id", "retryable"} <= set(body)
    assert body["status"] == answer.status_code == PROBLEMS[body["code"]].status
    if body["code"] in ("validation_failed", "sensitive_data_rejected"):
        assert body["errors"]
    assert "4111111111111111" not in answer.text


def post(shop: Merchant, data: bytes) -> Reply:
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"key-{abs(hash(data))}"}
    return shop.post("/v1/payments", data=data, headers=headers)


@SOME
@given(body=_nearly_good())
def test_a_body_that_is_nearly_right(shop: Merchant, body: dict[str, Any]) -> None:
    answer = post(shop, json.dumps(body).encode())
    accepted_or_refused(answer)
    if answer.status_code == 202:
        shown = shop.get(answer.json["links"]["self"])
        assert shown.json == {name: value for name, value in answer.json.items() if name != "job"}
        assert post(shop, json.dumps(body).encode()).data == answer.data


@SOME
@given(body=_any_json)
def test_a_body_of_any_json(shop: Merchant, body: Any) -> None:
    accepted_or_refused(post(shop, json.dumps(body).encode()))


@pytest.mark.slow
@SOME
@given(
    data=st.binary(max_size=60)
    | st.text(max_size=40).map(lambda text: ("{" + text).encode("utf-8", "ignore"))
)
def test_a_body_of_any_bytes(shop: Merchant, data: bytes) -> None:
    accepted_or_refused(post(shop, data))


@SOME
@given(
    value=st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=20), st.floats()
    )
)
def test_any_metadata_value_that_is_accepted_comes_back_and_replays(shop: Merchant, value: Any) -> None:
    data = json.dumps({**_good, "metadata": {"k": value}}).encode()
    answer = post(shop, data)
    accepted_or_refused(answer)
    if answer.status_code == 202:
        assert answer.json["metadata"]["k"] == value
        assert post(shop, data).data == answer.data


@SOME
@given(key=st.text(st.characters(max_codepoint=255), max_size=300))
def test_any_idempotency_key(shop: Merchant, key: str) -> None:
    answer = shop.post(
        "/v1/payments",
        json={"amount": 1, "currency": "USD", "payment_method": CARD},
        environ_overrides={"HTTP_IDEMPOTENCY_KEY": key},
    )
    accepted_or_refused(answer)


@SOME
@given(
    query=st.dictionaries(
        st.sampled_from(["limit", "state", "amount[gte]", "created[lt]", "reference"]) | _text, _text
    )
)
@pytest.mark.parametrize("path", ["/v1/payments", "/v1/jobs", "/v1/webhook-deliveries"])
@pytest.mark.slow
def test_any_query(shop: Merchant, path: str, query: dict[str, str]) -> None:
    sent = {
        name.encode("utf-8", "surrogatepass"): value.encode("utf-8", "surrogatepass")
        for name, value in query.items()
    }
    accepted_or_refused(shop.get(f"{path}?{urlencode(sent)}"))


@pytest.mark.slow
@SOME
@given(name=_text.filter(lambda name: "/" not in name))
@pytest.mark.parametrize("path", ["/v1/payments/{}", "/v1/payments/{}/events", "/v1/jobs/{}", "/v1/{}"])
def test_any_path(shop: Merchant, path: str, name: str) -> None:
    accepted_or_refused(shop.get(path.format(quote(name.encode("utf-8", "surrogatepass"), safe=""))))
