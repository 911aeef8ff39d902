"""Whether an answer is about what was asked: the check that every adapter uses, whatever its gateway shows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from aegis_worker.domain.gateway_keys import keys_of_same_hop
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation, UnknownKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.kit.identity import EVERYTHING, NOTHING, Carries, Expected, Shown, mismatch
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

KEY = "pay_" + "0" * 32 + "-p2"
EXPECTED = Expected(keys_of_same_hop(KEY), "ch_1", Money(1999, "USD"))
OURS = Shown({KEY}, "ch_1", 1999, "USD")

ANOTHERS = [
    replace(OURS, references={KEY.replace("p2", "p1")}),
    replace(OURS, references={"pay_" + "1" * 32 + "-p2"}),
    replace(OURS, gateway_ref="ch_2"),
    replace(OURS, references={KEY.replace("p2", "r2")}),
]
OTHER_MONEY = [
    replace(OURS, minor=19990),
    replace(OURS, minor=0),
    replace(OURS, currency="EUR"),
    replace(OURS, minor=None, currency="EUR"),
]
MISSING = [
    (Carries(reference=True), replace(OURS, references=())),
    (Carries(gateway_ref=True), replace(OURS, gateway_ref=None)),
    (Carries(amount=True), replace(OURS, minor=None)),
    (Carries(currency=True), replace(OURS, currency=None)),
]


def test_an_answer_that_shows_all_that_was_asked_is_ours() -> None:
    for carries in (EVERYTHING, NOTHING):
        assert mismatch(carries, EXPECTED, OURS) is None


@pytest.mark.parametrize("step", ["i2", "a2", "p2"])
def test_a_charge_is_known_by_the_key_of_any_of_its_steps(step: str) -> None:
    assert mismatch(EVERYTHING, EXPECTED, replace(OURS, references={KEY.replace("p2", step)})) is None


@pytest.mark.parametrize("shown", ANOTHERS)
@pytest.mark.parametrize("carries", [EVERYTHING, NOTHING])
def test_what_is_shown_and_different_is_anothers_even_where_it_need_not_be_shown(
    carries: Carries, shown: Shown
) -> None:
    found = mismatch(carries, EXPECTED, shown)
    assert found is not None
    assert (found.kind, found.shows) == (UnknownKind.MISMATCH, "")


@pytest.mark.parametrize("shown", OTHER_MONEY)
@pytest.mark.parametrize("carries", [EVERYTHING, NOTHING])
def test_other_money_is_said_with_what_was_expected_and_what_was_found(
    carries: Carries, shown: Shown
) -> None:
    found = mismatch(carries, EXPECTED, shown)
    assert found is not None
    assert found.kind is UnknownKind.MISMATCH
    assert found.shows
    assert found.shows in found.reason
    assert "1999 USD" in found.reason


@pytest.mark.parametrize(("carries", "shown"), MISSING)
def test_what_is_declared_and_missing_is_a_mismatch_and_what_is_not_declared_may_be_missing(
    carries: Carries, shown: Shown
) -> None:
    assert mismatch(carries, EXPECTED, shown) is not None
    assert mismatch(NOTHING, EXPECTED, shown) is None


OF_OURS = {"mode": "live", "account": "acct_1"}
AT_ANOTHER = [
    pytest.param({"mode": "test"}, "it is of the mode test, ours is live", id="mode"),
    pytest.param({"account": "acct_2"}, "it is of the account acct_2, ours is acct_1", id="account"),
]


@pytest.mark.parametrize(("other", "why"), AT_ANOTHER)
@pytest.mark.parametrize("carries", [Carries(mode=True, account=True), NOTHING])
def test_an_answer_of_another_mode_or_account_is_about_something_else(
    carries: Carries, other: dict[str, Any], why: str
) -> None:
    expected = EXPECTED.under("live", "acct_1")
    assert mismatch(carries, expected, replace(OURS, **OF_OURS)) is None
    found = mismatch(carries, expected, replace(OURS, **OF_OURS | other))
    assert found is not None
    assert (found.kind, found.shows) == (UnknownKind.MISMATCH, "")
    assert why in found.reason


@pytest.mark.parametrize("name", ["mode", "account"])
def test_a_mode_or_account_that_is_declared_must_be_shown(name: str) -> None:
    expected, silent = EXPECTED.under("live", "acct_1"), replace(OURS, **OF_OURS | {name: None})
    found = mismatch(Carries(**{name: True}), expected, silent)
    assert found is not None
    assert f"it does not show the {name}" in found.reason
    assert mismatch(NOTHING, expected, silent) is None


def test_an_account_that_the_table_does_not_name_is_not_compared() -> None:
    anybodys = EXPECTED.under("live", None)
    assert mismatch(Carries(account=True), anybodys, OURS) is None
    assert mismatch(Carries(account=True), anybodys, replace(OURS, account="acct_2")) is None


def test_what_nobody_asked_by_can_not_be_missing() -> None:
    by_reference = replace(EXPECTED, gateway_ref=None, amount=None)
    assert mismatch(EVERYTHING, by_reference, Shown({KEY}, "ch_9")) is None
    assert mismatch(EVERYTHING, by_reference, Shown(gateway_ref="ch_9")) is not None


def test_a_call_and_a_look_up_expect_the_same_of_their_answers() -> None:
    method = {"type": "card", "token": "tok"}
    request = GatewayRequest(
        Operation.PROCESS, "pay_1", KEY, PaymentTerms(Money(1999, "USD"), method), "ch_1"
    )
    query = StatusQuery(Operation.PROCESS, KEY, "ch_1", Money(1999, "USD"))
    assert request.expected == query.expected == EXPECTED


@pytest.mark.parametrize("key", ["pay_" + "0" * 32 + "-r2", "pay_1-p1", "order-17", ""])
def test_a_key_of_another_kind_is_known_by_itself_alone(key: str) -> None:
    assert keys_of_same_hop(key) == {key}
