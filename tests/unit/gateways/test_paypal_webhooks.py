"""PayPal's webhooks: which are genuine, what they tell, and that a certificate is fetched by nobody but a worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.flows import run
from support.paypal_answers import (
    ACCOUNT,
    CAPTURE,
    NOW_S,
    ORDER,
    PAYMENT,
    REFUND,
    WEBHOOK,
    adapter,
    answer,
    capture,
    hold,
    order,
    refund,
)
from support.webhook_certificates import authority, pem, signer, transmission

from aegis_worker.domain.money import Money
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.base import GatewayEvent, SignsWithCertificates
from aegis_worker.gateways.kit.certificates import CertificateNeeded
from aegis_worker.gateways.kit.flows import HttpAnswer, NoAnswer
from aegis_worker.gateways.paypal.adapter import PayPalAdapter

URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"
NOW = datetime.fromtimestamp(NOW_S, UTC)


@pytest.fixture
def paypal(tmp_path: Path) -> PayPalAdapter:
    """For whom the test's authority vouches."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(pem(authority()))
    return adapter(ca_bundle=roots, webhook_secrets=("ANOTHERWEBHOOK", WEBHOOK))


def body_of(event_type: str, resource: Any, **fields: Any) -> bytes:
    return json.dumps({"id": "WH-1", "event_type": event_type, "resource": resource, **fields}).encode()


BODY = body_of("PAYMENT.CAPTURE.COMPLETED", capture())


def headers(
    body: bytes = BODY, *, webhook: str = WEBHOOK, at: datetime = NOW, url: str = URL
) -> dict[str, str]:
    return transmission(body, webhook, at, url)


def served() -> HttpAnswer:
    """The certificate, as PayPal serves it."""
    return HttpAnswer(200, {}, pem(signer()))


def verified(paypal: PayPalAdapter, body: bytes, given: dict[str, str] | None = None) -> GatewayEvent:
    """What a worker makes of it, whose certificate is fetched."""
    flow = paypal.verify_webhook(given or headers(body), body, NOW)
    said: Sequence[GatewayEvent] | InvalidWebhook = run(flow, served())[0]
    if isinstance(said, InvalidWebhook):
        raise said
    (event,) = said
    return event


def test_a_process_without_the_certificate_leaves_it_to_a_worker(paypal: PayPalAdapter) -> None:
    assert isinstance(paypal, SignsWithCertificates)
    given = {**headers(), "Cookie": "of whoever posts", "Authorization": "Bearer of whoever posts"}
    with pytest.raises(CertificateNeeded) as needed:
        paypal.parse_webhook(given, BODY)
    assert needed.value.headers == {name.lower(): value for name, value in headers().items()}


def test_a_worker_fetches_the_certificate_once_without_credentials(paypal: PayPalAdapter) -> None:
    flow = paypal.verify_webhook(headers(), BODY, NOW)
    events, (call,) = run(flow, served())
    assert (call.base_url, call.path) == ("https://api.sandbox.paypal.com", URL.partition(".com")[2])
    assert call.only_reads
    assert call.headers == {}
    again, calls = run(paypal.verify_webhook(headers(), BODY, NOW))
    assert (again, calls) == (events, [])
    assert paypal.parse_webhook(headers(), BODY) == events


def test_a_webhook_that_waited_is_as_old_as_when_it_came(paypal: PayPalAdapter, tmp_path: Path) -> None:
    later = adapter(lambda: NOW_S + 7200, ca_bundle=tmp_path / "roots.pem")
    assert isinstance(run(later.verify_webhook(headers(), BODY, NOW), served())[0], tuple)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://user@api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1",
        "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/../../oauth2/token",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?next=https://evil.example",
        "https://api.sandbox.paypal.com/v2/checkout/orders/CERT-1",
        "https://[api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_is_fetched_from_nobody_else(paypal: PayPalAdapter, url: str) -> None:
    given = headers(url=url)
    with pytest.raises(InvalidWebhook):
        paypal.parse_webhook(given, BODY)
    said, calls = run(paypal.verify_webhook(given, BODY, NOW))
    assert isinstance(said, InvalidWebhook)
    assert calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"Paypal-Auth-Algo": "SHA1withRSA"},
        {"Paypal-Transmission-Sig": "!!"},
        {"Paypal-Transmission-Sig": "A" * 2000},
        {"Paypal-Transmission-Sig": ""},
        {"Paypal-Transmission-Id": ""},
        {"Paypal-Transmission-Id": "t-2"},
        {"Paypal-Transmission-Time": "yesterday"},
        {"Paypal-Transmission-Time": "2026-09-21T13:33:20"},
    ],
)
def test_a_transmission_that_is_not_as_it_was_signed(paypal: PayPalAdapter, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidWebhook):
        verified(paypal, BODY, {**headers(), **wrong})


def test_a_forged_webhook(paypal: PayPalAdapter) -> None:
    verified(paypal, BODY)
    forged = BODY.replace(b"19.99", b"99.99")
    for body, given in (
        (forged, headers(BODY)),
        (BODY, headers(webhook="OFANOTHERACCOUNT")),
        (BODY, transmission(BODY, WEBHOOK, NOW, URL, whose="evil.example")),
        (BODY, {}),
    ):
        with pytest.raises(InvalidWebhook):
            paypal.parse_webhook(given, body)


@pytest.mark.parametrize("away", [timedelta(hours=-1), timedelta(hours=1)])
def test_an_old_transmission(paypal: PayPalAdapter, away: timedelta) -> None:
    with pytest.raises(InvalidWebhook, match="too old"):
        paypal.parse_webhook(headers(at=NOW + away), BODY)


@pytest.mark.parametrize(
    "served",
    [
        lambda: HttpAnswer(200, {}, pem(signer("evil.example"))),
        lambda: HttpAnswer(200, {}, pem(signer(by="another"))),
        lambda: HttpAnswer(404, {}, b"no"),
    ],
)
def test_what_nobody_vouches_for_is_refused(paypal: PayPalAdapter, served: Callable[[], HttpAnswer]) -> None:
    said, _ = run(paypal.verify_webhook(headers(), BODY, NOW), served())
    assert isinstance(said, InvalidWebhook)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_certificate_that_can_not_be_had_now_is_fetched_later(paypal: PayPalAdapter, status: int) -> None:
    with pytest.raises(NoAnswer):
        run(paypal.verify_webhook(headers(), BODY, NOW), answer(b"", status))


def test_the_place_of_the_gateways_own_api_serves_certificates_too(tmp_path: Path) -> None:
    emulated = adapter(base_url="http://127.0.0.1:4242", ca_bundle=tmp_path / "roots.pem")
    with pytest.raises(CertificateNeeded):
        emulated.parse_webhook(headers(url="http://127.0.0.1:4242/v1/notifications/certs/CERT-1"), BODY)


HOP, USD = f"{PAYMENT}-a1", Money(1999, "USD")
TAKEN, GIVEN_BACK = CAPTURE.idempotency_key, REFUND.idempotency_key
ORDERED = capture(invoice_id=TAKEN, value="5.00")
REVERSED = {"order_id": ORDER, "purchase_units": [{"reference_id": "default", "invoice_id": HOP}]}
NAMELESS = refund(invoice_id=None, custom_id=PAYMENT)
DISPUTE = {
    "dispute_id": "PP-D-1",
    "disputed_transactions": [
        {"seller_transaction_id": "2G", "invoice_number": HOP, "seller": {"merchant_id": ACCOUNT}}
    ],
}


@pytest.mark.parametrize(
    ("event_type", "resource", "expected"),
    [
        ("CHECKOUT.ORDER.APPROVED", order("APPROVED"), (HOP, ORDER, "payment.authenticated", USD)),
        ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", REVERSED, (HOP, ORDER, "payment.failed", None)),
        ("CHECKOUT.ORDER.SAVED", order("SAVED"), (HOP, ORDER, "CHECKOUT.ORDER.SAVED", None)),
        ("PAYMENT.AUTHORIZATION.CREATED", hold(), (HOP, ORDER, "payment.authorized", USD)),
        ("PAYMENT.AUTHORIZATION.VOIDED", hold("VOIDED"), (HOP, ORDER, "payment.voided", USD)),
        ("PAYMENT.CAPTURE.COMPLETED", capture(), (HOP, ORDER, "payment.succeeded", USD)),
        ("PAYMENT.CAPTURE.PENDING", capture("PENDING"), (HOP, ORDER, "payment.pending", USD)),
        ("PAYMENT.CAPTURE.DENIED", capture("DECLINED"), (HOP, ORDER, "payment.failed", USD)),
        ("PAYMENT.CAPTURE.COMPLETED", ORDERED, (TAKEN, ORDER, "capture.succeeded", Money(500, "USD"))),
        ("PAYMENT.CAPTURE.REFUNDED", refund(), (GIVEN_BACK, None, "refund.succeeded", None)),
        ("PAYMENT.CAPTURE.REFUNDED", refund(invoice_id=HOP), (HOP, None, "payment.refunded", None)),
        ("PAYMENT.CAPTURE.REVERSED", NAMELESS, (PAYMENT, None, "payment.refunded", None)),
        ("PAYMENT.REFUND.FAILED", refund("FAILED"), (GIVEN_BACK, None, "refund.failed", None)),
        ("CUSTOMER.DISPUTE.CREATED", DISPUTE, (HOP, None, "dispute.opened", None)),
        ("CUSTOMER.DISPUTE.RESOLVED", DISPUTE, (HOP, None, "dispute.closed", None)),
        ("WEATHER.CHANGED", {"id": "1"}, (None, None, "WEATHER.CHANGED", None)),
    ],
)
def test_what_an_event_tells(
    paypal: PayPalAdapter, event_type: str, resource: Any, expected: tuple[Any, ...]
) -> None:
    event = verified(paypal, body_of(event_type, resource))
    assert (event.reference, event.gateway_ref, event.kind, event.amount) == expected
    assert event.event_id == "WH-1"
    assert event.account in (None, ACCOUNT)
    assert event.dispute_ref == ("PP-D-1" if "DISPUTE" in event_type else None)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"nonsense",
        body_of("PAYMENT.CAPTURE.COMPLETED", None),
        body_of("PAYMENT.CAPTURE.COMPLETED", capture(value="a lot")),
        body_of("PAYMENT.CAPTURE.COMPLETED", capture(), id=7),
        body_of("CUSTOMER.DISPUTE.CREATED", {}),
    ],
)
def test_a_signed_body_that_is_no_event(paypal: PayPalAdapter, body: bytes) -> None:
    with pytest.raises(InvalidWebhook):
        verified(paypal, body)


def test_paypal_sends_no_challenges() -> None:
    with pytest.raises(InvalidWebhook):
        adapter().answer_challenge({})
