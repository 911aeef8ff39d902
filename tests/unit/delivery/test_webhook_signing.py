"""Signatures after Standard Webhooks: ours are theirs, and what was tampered with is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_client import InvalidWebhook
from aegis_client.webhooks import verify
from aegis_worker.delivery.webhooks.signing import endpoint_secret, sign

# The example of the reference libraries of Standard Webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
NOW_S = 1614265330.0


def test_the_signature_is_that_of_the_reference_libraries():
    assert sign(SECRET, HEADERS["webhook-id"], 1614265330, BODY) == HEADERS["webhook-signature"]


def test_a_webhook_verifies_and_tells_its_id_whatever_the_case_of_its_headers():
    shouting = {name.upper(): value for name, value in HEADERS.items()}
    assert verify(SECRET, shouting, BODY, now_s=NOW_S) == HEADERS["webhook-id"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (HEADERS, BODY + b" "),
        (HEADERS | {"webhook-id": "msg_other"}, BODY),
        (HEADERS | {"webhook-timestamp": "1614265331"}, BODY),
        (HEADERS | {"webhook-timestamp": "1614265330.0"}, BODY),
        (HEADERS | {"webhook-timestamp": "-1614265330"}, BODY),
        (HEADERS | {"webhook-signature": HEADERS["webhook-signature"].replace("v1,", "v2,")}, BODY),
        (HEADERS | {"webhook-signature": "v1,not base64"}, BODY),
        (HEADERS | {"webhook-signature": ""}, BODY),
        ({name: HEADERS[name] for name in ("webhook-id", "webhook-timestamp")}, BODY),
    ],
)
def test_what_was_tampered_with_is_refused(headers, body):
    with pytest.raises(InvalidWebhook):
        verify(SECRET, headers, body, now_s=NOW_S)


@pytest.mark.parametrize("away_s", [-301.0, 301.0])
def test_an_old_webhook_and_one_from_the_future_are_refused(away_s):
    with pytest.raises(InvalidWebhook, match="away"):
        verify(SECRET, HEADERS, BODY, tolerance_s=300.0, now_s=NOW_S + away_s)


def test_one_of_two_signatures_is_enough_while_secrets_are_exchanged():
    both = "v1," + base64.b64encode(b"x" * 32).decode() + " " + HEADERS["webhook-signature"]
    assert verify(SECRET, HEADERS | {"webhook-signature": both}, BODY, now_s=NOW_S)


@given(body=st.binary(max_size=200), other=st.binary(max_size=200), at=st.integers(0, 2**31))
def test_only_the_signed_body_verifies(body, other, at):
    secret = endpoint_secret("s" * 32, "whe_1", 1)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secret, "evt_1", at, body),
    }
    assert verify(secret, headers, body, now_s=at) == "evt_1"
    if other != body:
        with pytest.raises(InvalidWebhook):
            verify(secret, headers, other, now_s=at)


def test_endpoints_and_versions_have_secrets_of_their_own():
    secrets = {
        endpoint_secret(secret, endpoint, version)
        for secret in ("a" * 32, "b" * 32)
        for endpoint in ("whe_1", "whe_2")
        for version in (1, 2)
    }
    assert len(secrets) == 8
    assert all(
        len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32 for secret in secrets
    )


def test_a_secret_that_is_none_of_ours_is_a_programming_error():
    with pytest.raises(ValueError, match="whsec_"):
        sign("secret", "evt_1", 1, b"")
