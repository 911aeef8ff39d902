"""An error report tells what broke, and nothing of what the caller sent, by Sentry's own transport to a server here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from support.api_client import start_api
from support.sentry_server import SentryServer, a_sentry_server

from aegis_worker.observability.logs import configure_logs

pytestmark = pytest.mark.row(61)

IP = "203.0.113.77"
EMAIL, TOKEN, KEY, REFERENCE = "canary@shop.example", "tok_canary_123", "canary-key-77", "canary-order-88"
CANARIES = (IP, EMAIL, TOKEN, KEY, REFERENCE, "canary%40shop.example", "4111")


@pytest.fixture
def reports() -> Iterator[SentryServer]:
    with a_sentry_server() as server:
        yield server


def canaries_in(events: list[dict[str, Any]]) -> set[str]:
    text = json.dumps(events, ensure_ascii=False)
    return {canary for canary in CANARIES if canary in text}


@pytest.mark.slow
def test_a_request_that_fails_is_reported_without_its_query_headers_and_key(
    database_url: str, break_in: Callable[..., None], reports: SentryServer
) -> None:
    shop = start_api(database_url).merchant()
    break_in("ALTER TABLE payments RENAME COLUMN description TO description_of_before")
    answers = [
        shop.get(f"/v1/payments?reference={REFERENCE}&customer_id={EMAIL.replace('@', '%40')}"),
        shop.post_payment(
            key=KEY,
            reference=REFERENCE,
            customer={"email": EMAIL},
            payer={"email": EMAIL, "ip": IP},
            payment_method={"type": "card", "token": TOKEN},
        ),
        shop.get(
            "/v1/payments",
            headers={
                "X-Customer": EMAIL,
                "Referer": f"https://shop.example/?mail={EMAIL}",
                "Cookie": f"a={TOKEN}",
            },
        ),
    ]
    assert [answer.status_code for answer in answers] == [500] * 3
    events = reports.events()
    assert {event["request"]["method"] for event in events if "request" in event} == {"GET", "POST"}
    assert all(event["request"]["url"].endswith("/v1/payments") for event in events if "request" in event)
    assert any("does not exist" in json.dumps(event.get("exception")) for event in events)
    frames = [
        frame["function"]
        for event in events
        if "exception" in event
        for one in event["exception"]["values"]
        for frame in one["stacktrace"]["frames"]
    ]
    assert "list_payments" in frames  # what broke is still told
    assert canaries_in(events) == set()


def test_what_an_error_a_log_line_and_a_breadcrumb_say_is_reported_without_personal_data(
    reports: SentryServer,
) -> None:
    configure_logs("INFO")
    log = structlog.get_logger("aegis_worker.test")
    url = f"https://gateway.example/v1/charges?reference={REFERENCE}&email={EMAIL}"
    sentry_sdk.add_breadcrumb(
        category="http", message=f"GET {url}", data={"url": url, "http.query": f"e={EMAIL}"}
    )
    sentry_sdk.set_extra("idempotency_key", KEY)
    sentry_sdk.set_user({"email": EMAIL, "ip_address": "127.0.0.1"})
    log.error(
        "call failed", idempotency_key=KEY, url=url, customer={"email": EMAIL}, card="4111 1111 1111 1111"
    )
    try:
        raise ValueError(f"Idempotency-Key: {KEY} of {EMAIL} with {TOKEN} at {url}")
    except ValueError as error:
        sentry_sdk.capture_exception(error)
    sentry_sdk.capture_message(f"posted {url} for {EMAIL}")
    events = reports.events()
    assert len(events) >= 3
    assert "call failed" in json.dumps(events)
    assert canaries_in(events) == set()


def test_secrets_that_stand_in_an_error_a_log_line_or_a_header_are_in_no_report(
    reports: SentryServer,
) -> None:
    secrets = {
        "card": "5555341244441115",
        "API key": "aegis_live_" + "k" * 40,
        "operator's key": "aegis_ops_" + "o" * 40,
        "webhook secret": "whsec_" + "w" * 40,
        "session": "__Host-aegis-session=" + "s" * 43,
    }
    configure_logs("INFO")
    for what, secret in secrets.items():
        structlog.get_logger("aegis_worker.test").error("seen", error=f"{what}: {secret}")
        sentry_sdk.add_breadcrumb(message=f"sent {secret}", data={"authorization": secret, what: secret})
        sentry_sdk.set_tag("seen", secret)
        try:
            raise ValueError(f"cvv: 737, {what}: {secret}")
        except ValueError as error:
            sentry_sdk.capture_exception(error)
    text = json.dumps(reports.events())
    assert text.count("[hidden]") > len(secrets)
    assert [
        found for found in ("555534", "cvv: 737", "kkkkk", "ooooo", "wwwww", "sssss") if found in text
    ] == []
