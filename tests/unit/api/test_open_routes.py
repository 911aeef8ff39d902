"""What the application answers before it asks the database: health, documents, and requests that go nowhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

from aegis_api.app import create_app
from aegis_api.http.application import Application
from aegis_api.http.problems import PROBLEMS
from aegis_worker import errors
from aegis_worker.errors import AegisError
from aegis_worker.hints import Hints, NoHints
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import load_settings
from aegis_worker.wiring.web import Web

VISA = "4111111111111111"


@pytest.fixture(scope="module")
def application() -> Flask:
    """Made once, because that takes an eighth of a second, most of it for the API's document."""
    with pytest.MonkeyPatch.context() as environment:
        return application_with(environment)


@pytest.fixture
def client(application: Flask) -> FlaskClient:
    return application.test_client()


TOKEN = "scrape-" + "x" * 16


def client_with(monkeypatch: pytest.MonkeyPatch, **environ: str) -> FlaskClient:
    return application_with(monkeypatch, **environ).test_client()


def application_with(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Flask:
    """The application with a database and a Redis that nobody listens for."""
    environ = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "AEGIS_SECRET": "s" * 40,
        **environ,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    database = Database.connect(settings, application="test")
    web = Web(
        settings=settings,
        database=database,
        reading=database,
        hints=cast("Hints", NoHints()),
        ring=KeyRing(settings.sealing_keys),
        redis_ready=lambda: False,
    )
    return create_app(web)


def problem_of(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    body: dict[str, Any] = json.loads(answer.data)
    assert body["code"] == code
    assert body["status"] == status
    assert body["title"] == PROBLEMS[code].title
    assert body["retryable"] is PROBLEMS[code].retryable
    assert body["type"] == f"urn:aegispay:problem:{code}"
    assert body["request_id"] == answer.headers["Request-Id"]
    return body


def test_the_process_lives_without_a_database(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_a_route_that_was_found_before_is_found_for_the_same_method_only(client: FlaskClient) -> None:
    for _ in range(2):
        assert client.get("/healthz").json == {"status": "ok"}
        assert client.head("/healthz").data == b""
        problem_of(client.post("/healthz"), 405, "method_not_allowed")
        assert client.options("/healthz").headers["Allow"] == "GET, HEAD, OPTIONS"
        problem_of(client.get("/healthz/"), 404, "not_found")


def test_a_websocket_finds_no_route_even_where_one_was_found_before(client: FlaskClient) -> None:
    client.get("/healthz")
    asked = client.get("/healthz", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    problem_of(asked, 400, "bad_request")


def test_any_number_of_hosts_may_be_asked_for(client: FlaskClient) -> None:
    for number in range(600):
        assert client.get("/healthz", headers={"Host": f"shop-{number}.example"}).status_code == 200
    application = cast("Application", client.application)
    assert application.routes_remembered <= 256


def test_it_is_not_ready_without_a_database(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    body = problem_of(answer, 503, "not_ready")
    assert body["checks"] == {"database": "unreachable", "schema": "unknown", "redis": "unreachable"}
    assert answer.headers["Retry-After"] == "1"


def test_metrics_are_told_without_a_database_and_say_so(client: FlaskClient) -> None:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "aegis_database_up 0.0\n" in answer.text


def test_production_tells_no_metrics_until_a_token_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_with(monkeypatch, AEGIS_ENV="production")
    problem_of(client.get("/metrics"), 404, "not_found")


@pytest.mark.parametrize("environment", ["development", "production"])
def test_metrics_with_a_token_need_it(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    client = client_with(monkeypatch, AEGIS_ENV=environment, AEGIS_METRICS_TOKEN=TOKEN)
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    for refused in (None, "", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer é"):
        answer = client.get("/metrics", headers={"Authorization": refused} if refused is not None else {})
        problem_of(answer, 401, "invalid_api_key")
        assert TOKEN not in answer.text


def test_a_token_for_metrics_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.ConfigurationError, match="AEGIS_METRICS_TOKEN"):
        client_with(monkeypatch, AEGIS_METRICS_TOKEN="metrics")


def test_an_unknown_route_is_a_problem_document(client: FlaskClient) -> None:
    body = problem_of(client.get("/v1/nothing"), 404, "not_found")
    assert body["instance"] == "/v1/nothing"


@pytest.mark.parametrize("path", ["/v1/payments/", "/v1//payments", "//v1/payments", "/V1/payments"])
def test_paths_are_taken_literally(client: FlaskClient, path: str) -> None:
    problem_of(client.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_wrong_method_names_the_right_ones(client: FlaskClient, method: str) -> None:
    answer = client.open("/v1/payments", method=method)
    problem_of(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer sk_live_1234",
        "Bearer aegis_test_short",
        "Bearer aegis_test_" + "a" * 43 + " x",
        "aegis_test_" + "a" * 43,
        "Bearer aegis_test_" + "é" * 43,
    ],
)
@pytest.mark.parametrize("path", ["/v1/payments", "/v1/jobs", "/v1/webhook-endpoints", "/v1/payments/x"])
def test_without_a_key_that_looks_like_one_nothing_is_asked(
    client: FlaskClient, path: str, header: str | None
) -> None:
    answer = client.get(path, headers={"Authorization": header} if header is not None else {})
    problem_of(answer, 401, "invalid_api_key")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_database_that_is_down_is_a_503_to_try_again(client: FlaskClient) -> None:
    key = {"Authorization": "Bearer aegis_test_" + "a" * 43}
    answer = client.get("/v1/payments", headers=key)
    body = problem_of(answer, 503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert "127.0.0.1" not in answer.text
    assert body["detail"] == "The database is not available; nothing was written."


@pytest.mark.parametrize("given", ["my-request_1.2", "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_a_sane_request_id_comes_back(client: FlaskClient, given: str) -> None:
    answer = client.get("/nothing", headers={"Request-Id": given})
    assert answer.headers["Request-Id"] == given
    assert answer.get_json()["request_id"] == given


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 129, "with space here", "<script>alert(1)</script>", VISA]
)
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/healthz", headers={"Request-Id": given})
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["Request-Id"])


def test_a_card_number_in_a_path_is_not_repeated(client: FlaskClient) -> None:
    answer = client.get(f"/v1/cards/{VISA}")
    assert answer.status_code == 404
    assert VISA not in answer.text


def test_answers_forbid_sniffing_and_those_of_the_api_forbid_storing(client: FlaskClient) -> None:
    for path in ("/healthz", "/v1/payments", "/openapi.json", "/docs", "/nothing"):
        answer = client.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (answer.headers.get("Cache-Control") == "no-store") is path.startswith("/v1/")


def test_every_error_that_may_reach_a_caller_has_its_place_in_the_table() -> None:
    def family(parent: type[AegisError]) -> list[type[AegisError]]:
        return [parent, *(one for child in parent.__subclasses__() for one in family(child))]

    told = {one.code for one in family(errors.Refused) + family(errors.Retryable)}
    # Raised by workers or by the command line only, or not by anything that a route calls.
    of_workers = {
        "api_unavailable",
        "change_refused",
        "internal_error",
        "invalid_webhook",
        "reference_taken",
        "sink_unavailable",
        "version_conflict",
    }
    missing = {code for code in told - of_workers if code not in PROBLEMS}
    assert missing == set()


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.found += [value for name, value in attrs if name in ("src", "href") and value]
        self.inline_script |= tag == "script" and "src" not in named


def test_the_docs_page_fetches_from_nowhere_else(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    references = _References()
    references.feed(page.text)
    assert not references.inline_script
    for reference in references.found:
        if reference.startswith("data:"):
            continue
        assert reference.startswith("/")
        answer = client.get(reference)
        assert answer.status_code == 200
        assert answer.content_length or answer.data
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy


def test_the_docs_page_serves_no_other_file(client: FlaskClient) -> None:
    for path in ("/docs/VERSION", "/docs/../app.py", "/docs/%2e%2e/app.py", "/docs/swagger-ui.js"):
        assert client.get(path).status_code == 404
