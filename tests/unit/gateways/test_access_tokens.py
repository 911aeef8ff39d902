"""The access token of an account: fetched once, kept, renewed before its end, and once more after a 401."""

from __future__ import annotations

from typing import Any

import pytest
from support.flows import run
from support.paypal_answers import CHARGE, SECRET, adapter, answer, capture, order

from aegis_worker.domain.outcomes import Approved, Declined, NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.exchange.noting import Noting
from aegis_worker.gateways.kit.access_tokens import AccessTokens
from aegis_worker.gateways.kit.flows import NoAnswer
from aegis_worker.gateways.paypal.allow_list import PAYPAL

CAPTURED = answer(order("COMPLETED", captures=[capture()]), 201)
TOKEN = answer({"access_token": "A21_new", "token_type": "Bearer", "expires_in": 32400})


def test_the_first_call_fetches_a_token_and_the_next_uses_it() -> None:
    paypal = adapter(signed_in=False)
    outcome, calls = run(paypal.process(CHARGE), TOKEN, CAPTURED)
    assert isinstance(outcome, Approved)
    assert calls[0].path == "/v1/oauth2/token"
    assert calls[1].headers["Authorization"] == "Bearer A21_new"
    outcome, calls = run(paypal.process(CHARGE), CAPTURED)
    assert isinstance(outcome, Approved)


def test_neither_the_secret_nor_the_token_is_kept_for_people_to_read() -> None:
    _, calls = run(adapter(signed_in=False).process(CHARGE), TOKEN, CAPTURED)
    noting, credentials = Noting(PAYPAL), calls[0].headers["Authorization"].partition(" ")[2]
    told = [
        noting.noted(call, got, 0.0, 1.0).told for call, got in zip(calls, (TOKEN, CAPTURED), strict=True)
    ]
    assert '"expires_in":32400' in told[0]
    for secret in (credentials, "A21_new", SECRET):
        assert secret not in "".join(told)


def test_after_a_401_the_token_is_fetched_anew_once() -> None:
    refused = answer({"error": "invalid_token"}, 401)
    outcome, calls = run(adapter().process(CHARGE), refused, TOKEN, CAPTURED)
    assert isinstance(outcome, Approved)
    assert [call.headers.get("Authorization") for call in calls[::2]] == [
        "Bearer A21_token",
        "Bearer A21_new",
    ]
    assert len({call.headers.get("PayPal-Request-Id") for call in calls[::2]}) == 1
    outcome, _ = run(adapter().process(CHARGE), refused, TOKEN, refused)
    assert isinstance(outcome, Declined)


@pytest.mark.parametrize(
    ("lost", "kind"),
    [
        (NotSent("refused"), NotSentKind.NETWORK_ERROR),
        (Unknown("reset"), NotSentKind.NETWORK_ERROR),
        (Unknown("late", kind=UnknownKind.ANSWER_TIMEOUT), NotSentKind.TIMEOUT),
        (answer(b"", 503), NotSentKind.NETWORK_ERROR),
        (answer({"access_token": "", "expires_in": 1}), NotSentKind.NETWORK_ERROR),
        (answer({"access_token": "A21"}), NotSentKind.NETWORK_ERROR),
    ],
)
def test_without_a_token_nothing_is_sent(lost: Any, kind: NotSentKind) -> None:
    with pytest.raises(NoAnswer) as none:
        run(adapter(signed_in=False).process(CHARGE), lost)
    assert isinstance(none.value.outcome, NotSent)
    assert none.value.outcome.kind is kind


def test_a_wrong_secret_is_told_as_one() -> None:
    wrong = answer({"error": "invalid_client", "error_description": "no"}, 401)
    outcome, _ = run(adapter(signed_in=False).process(CHARGE), wrong, wrong)
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.gateway_code) == ("gateway_misconfigured", "invalid_client")


def test_too_many_tokens() -> None:
    outcome, _ = run(adapter(signed_in=False).process(CHARGE), answer(b"{}", 429, retry_after="7"))
    assert isinstance(outcome, NotSent)
    assert (outcome.kind, outcome.retry_after_s) == (NotSentKind.RATE_LIMIT, 7.0)


def test_one_caller_renews_it_before_its_end_while_the_others_go_on() -> None:
    now = 0.0
    tokens = AccessTokens(lambda: now)
    assert tokens.current() is None
    tokens.keep("first", 3600.0)
    now = 3299.0
    assert tokens.current() == "first"
    now = 3301.0
    assert (tokens.current(), tokens.current()) == (None, "first")
    now = 3340.0  # whoever was to fetch it has not
    assert (tokens.current(), tokens.current()) == (None, "first")
    tokens.keep("second", 3600.0)
    assert tokens.current() == "second"
    now = 99_999.0
    assert (tokens.current(), tokens.current()) == (None, None)


def test_a_late_refusal_of_an_old_token_leaves_the_new_one() -> None:
    tokens = AccessTokens()
    tokens.keep("first", 3600.0)
    tokens.keep("second", 3600.0)
    tokens.drop("first")
    assert tokens.current() == "second"
    assert "second" not in repr(tokens)
