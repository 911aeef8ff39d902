"""Keys, webhook secrets, passwords, authenticators, recovery codes and sessions go where they belong, and into places where
they don't: they are then in no log line, trace, metric, error report, table, page or answer.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from support.api_client import Api, Merchant, start_api
from support.card_canary import dump
from support.console import SESSION_COOKIE, Ada, Browser
from support.installation import AEGIS
from support.otlp_collector import Collector, a_collector
from support.payments import pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway, answering
from support.sentry_server import SentryServer, a_sentry_server

from aegis_client import Client, NotAnswered, Retries
from aegis_worker.domain.outcomes import Declined
from aegis_worker.observability.logs import configure_logs
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.otlp import Otlp
from aegis_worker.observability.telling import TELLING
from aegis_worker.observability.tracing import TRACING
from aegis_worker.observation_settings import ObservationSettings, load_observation_settings
from aegis_worker.people.users import add_user

pytestmark = [pytest.mark.row(61), pytest.mark.slow]

PASSWORD = "seven-lanterns-over-quiet-harbour"
NOBODY = "http://127.0.0.1:1"
_TRACES = {"AEGIS_TRACES": "otlp", "AEGIS_TRACE_SHARE": "1", "AEGIS_LOG_SHARES": "request=1"}
# Those at which every page can be read by an admin.
_PAGES = (
    "/",
    "/payments",
    "/approvals",
    "/account",
    "/people",
    "/audit-log",
    "/webhooks",
    "/gateways",
    "/reviews",
)


@dataclass(frozen=True)
class Observed:
    """The API, whose logs, traces, metrics and error reports come to the test."""

    api: Api
    collector: Collector
    sentry: SentryServer

    def told(self) -> list[bytes]:
        """All that collectors were sent, and what a monitor reads."""
        METER.flush()
        TRACING.flush()
        assert self.collector.spans
        assert self.collector.metrics
        page = self.api.app.test_client().get("/metrics")
        return [*self.collector.raw, *self.sentry.bodies, page.data]


@pytest.fixture
def observed(database_url: str, capfd: pytest.CaptureFixture[str]) -> Iterator[Observed]:
    with a_collector() as collector, a_sentry_server() as sentry:
        settings = load_observation_settings({**_TRACES, "AEGIS_OTLP_ENDPOINT": collector.endpoint})
        configure_logs("DEBUG")
        TELLING.configure(settings)
        TRACING.configure(settings, {"service.name": "aegispay"})
        METER.configure((Otlp(collector.endpoint, {}, {}),), 300.0)
        try:
            yield Observed(start_api(database_url), collector, sentry)
        finally:
            METER.configure((), 300.0)
            TRACING.configure(ObservationSettings(), {})
            TELLING.configure(ObservationSettings(log_shares={}))
            configure_logs("ERROR")


def somebody(api: Api, browser: Browser, secrets: dict[str, str]) -> None:
    """An admin who took up a welcome code and is logged in; all secrets of that are noted."""
    welcome = add_user(api.database, api.ring, "ada", "admin", actor="cli:root", reason="for a test").code
    page = browser.post("/console/welcome", "/console/welcome", welcome_code=welcome).text
    (totp,) = re.findall("Secret: <code>([A-Z2-7]{32})</code>", page)
    ada = Ada("ada", totp)
    fields = {"welcome_code": welcome, "password": PASSWORD, "password_again": PASSWORD}
    code = ada.code(api.database)
    page = browser.post("/console/welcome/credentials", "/console/welcome", code=code, **fields).text
    recovery = re.findall("<li><code>([A-Z2-7-]{19})</code>", page)
    assert browser.log_in("ada", PASSWORD, recovery[0]).status_code == 303
    cookie = browser.client.get_cookie(SESSION_COOKIE)
    assert cookie is not None
    secrets |= {
        "password": PASSWORD,
        "authenticator": totp,
        "recovery code": recovery[1],
        "welcome code": welcome,
    }
    secrets |= {"session": cookie.value, "form token": browser.token_of("/console/account")}


def astray(shop: Merchant, browser: Browser, secret: str) -> Iterator[int]:
    """The secret is sent to where none belongs; how each was answered. Nothing but an error may show it again."""
    in_url = quote(secret, safe="")
    for path in (
        f"/v1/payments/{in_url}",
        f"/v1/jobs/{in_url}",
        f"/v1/payments?state={in_url}",
        f"/v1/ops/{in_url}",
    ):
        yield shop.get(path).status_code
    for name in (
        "User-Agent",
        "traceparent",
        "Prefer",
        "Cookie",
        "Referer",
        "X-Api-Key",
        "Accept",
    ):
        yield shop.get("/v1/payments", headers={name: secret}).status_code
    if secret.startswith(
        ("aegis_", "whsec_")
    ):  # a caller's name for a request is kept, unless it looks like a key
        for name in ("Request-Id", "Correlation-Id"):
            yield shop.get("/v1/payments", headers={name: secret}).status_code
    for scheme in ("Bearer", "Basic", "Token"):
        yield shop.get("/v1/payments", headers={"Authorization": f"{scheme} {secret}"}).status_code
    yield shop.post(f"/v1/gateways/sandbox_a/webhooks?{in_url}", data=secret).status_code
    yield shop.post_body({"amount": secret, "currency": secret}).status_code
    for path in (f"/console/{in_url}", f"/console/payments/{in_url}", f"/console/login?next=/{in_url}"):
        yield browser.get(path).status_code
    for path in ("/console/views", "/console/theme", f"/console/keys/{in_url}/revoke"):
        yield browser.client.post(path, data={"csrf": secret, secret: secret}).status_code
    stranger = Browser(browser.client.application.test_client())
    yield stranger.log_in(secret, secret, secret).status_code
    stranger.client.set_cookie(SESSION_COOKIE, secret)
    yield stranger.get("/console/account").status_code
    stranger.client.set_cookie("other", secret)
    yield stranger.get("/console/login").status_code


def found(secrets: dict[str, str], *places: bytes | str) -> dict[str, str]:
    """Which of the secrets stand in these places, each with what stands around it."""
    texts = [place.decode(errors="replace") if isinstance(place, bytes) else place for place in places]
    around = {
        name: text[max(0, at - 80) : at + 20]
        for name, secret in secrets.items()
        for text in texts
        if (at := text.find(secret)) >= 0
    }
    return around


def test_secrets_are_nowhere_after_they_went_everywhere(
    observed: Observed, database_url: str, break_in: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("DEBUG")  # once more: standard error is another one than while the fixtures were made
    api, browser = observed.api, Browser(observed.api.app.test_client())
    secrets: dict[str, str] = {}
    somebody(api, browser, secrets)
    shop, operator = api.merchant(scopes=["refunds:write"]), api.operator()
    secrets |= {"API key": shop.key, "operator's key": operator.key}
    made = shop.post("/v1/webhook-endpoints", json={"url": "https://shop.example/hooks"})
    secrets["webhook secret"] = made.json["secret"]
    shop.accepted()
    statuses = [status for secret in secrets.values() for status in astray(shop, browser, secret)]
    assert statuses
    assert max(statuses) < 500
    talkative = answering(
        Declined("stolen_card", shop.key, f"{shop.key}: {secrets['webhook secret']} was used")
    )
    run_until_quiet(pipeline(api.database, ScriptedGateway("sandbox_a", talkative)))
    pages = {path: browser.get(f"/console{path}") for path in _PAGES}
    assert {page.status_code for page in pages.values()} == {200}
    in_pages = {name: secret for name, secret in secrets.items() if name != "form token"}
    for path, page in pages.items():
        assert found(in_pages, page.data) == {}, path
    assert found(secrets, pages["/account"].data).keys() == {"form token"}  # which is a page's own
    break_in("ALTER TABLE payments RENAME COLUMN description TO description_of_before")
    assert browser.get("/console/payments").status_code == 500
    assert shop.get("/v1/payments").status_code == 500
    break_in("ALTER TABLE console_users RENAME COLUMN last_step TO last_step_of_before")
    stranger = Browser(api.app.test_client())
    assert stranger.log_in("ada", PASSWORD, secrets["recovery code"]).status_code == 500
    assert len(observed.sentry.events()) >= 3
    printed = capfd.readouterr()
    assert "request" in printed.out + printed.err
    assert found(secrets, printed.out, printed.err, *observed.told()) == {}
    assert found(secrets, dump(database_url)) == {}


def test_neither_client_nor_command_line_shows_the_key_that_it_holds() -> None:
    key = "aegis_test_" + "q" * 43
    client = Client(NOBODY, key, retries=Retries(tries=1))
    with pytest.raises(NotAnswered) as refused:
        next(iter(client.payments.list()))
    told = [repr(client), str(vars(client)), repr(refused.value), str(refused.value.__cause__)]
    environ = {**os.environ, "AEGIS_API_KEY": key, "AEGIS_OPERATOR_KEY": key, "AEGIS_API_URL": NOBODY}
    for arguments in (["status", "pay_1"], ["tail"], ["status", key], ["reviews"]):
        ran = subprocess.run([AEGIS, *arguments], env=environ, capture_output=True, text=True, timeout=60)
        assert ran.returncode != 0
        told += [ran.stdout, ran.stderr]
    assert found({"key": key}, *told) == {}
