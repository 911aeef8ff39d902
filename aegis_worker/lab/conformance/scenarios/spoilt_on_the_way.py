"""Answers and webhooks that are lost or spoilt on the way, in every way that the emulators know, at every gateway."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aegis_worker.domain.outcomes import Approved, NotSent, Unknown
from aegis_worker.errors import InvalidWebhook

from ..emulator import eventually
from ..till import Till

# The charge was made each time.
_DONE = (
    "reset",
    "timeout_100",
    "503",
    "html",
    "empty",
    "half",
    "short",
    "other_payment",
    "other_amount",
    "other_currency",
)
_NOT_DONE = ("reset_nocharge", "timeout_nocharge_100", "503_nocharge", "html_nocharge", "busy")


@pytest.mark.parametrize("script", _DONE)
def test_a_spoilt_answer_is_a_doubt_and_one_charge(till: Till, script: str) -> None:
    paid = till.pay(f"tok_{script}")
    assert isinstance(paid.outcome, Unknown)
    assert till.captured(paid) == [1999]
    assert isinstance(till.ask(paid), Approved)


@pytest.mark.parametrize("script", _NOT_DONE)
def test_what_was_not_done_is_never_taken_for_done_or_declined(till: Till, script: str) -> None:
    paid = till.pay(f"tok_{script}")
    assert isinstance(paid.outcome, Unknown | NotSent)
    assert till.captured(paid) == []


def test_an_answer_that_calls_itself_a_page_is_read_all_the_same_or_doubted(till: Till) -> None:
    paid = till.pay("tok_wrong_type")
    assert isinstance(paid.outcome, Approved | Unknown)
    assert till.captured(paid) == [1999]


@pytest.mark.parametrize("script", ["webhook_forged", "webhook_wrong_secret", "webhook_unsigned"])
def test_a_webhook_that_is_not_the_gateways_own_is_refused(till: Till, script: str) -> None:
    paid = till.pay(f"tok_{script}")
    assert eventually(lambda: not all(_is_believed(till, *webhook) for webhook in till.news.events(paid)))


def test_a_webhook_of_a_kind_that_nobody_knows_is_heard(till: Till) -> None:
    paid = till.pay("tok_webhook_unknown_kind")
    assert eventually(lambda: "emulator_unknown_kind" in {one.kind.lower() for one in till.news.told(paid)})


def _is_believed(till: Till, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        till.news.heard(headers, body)
    except InvalidWebhook:
        return False
    return True
