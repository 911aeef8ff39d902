"""Every code is classified, every adapter speaks in our codes, and what may never be tried again is not."""

from __future__ import annotations

from typing import get_args

import pytest

from aegis_worker.domain.declines import ADVICE, CATEGORIES, DECLINES, Advice, Category, may_fail_over
from aegis_worker.emulator.script_table import SCRIPTS
from aegis_worker.gateways.registry import ADAPTERS

# Visa's decline category 1 and Mastercard's merchant advice codes 03 and 21, in our words.
NEVER_AGAIN = {
    "pickup_card",  # 04, 07
    "lost_card",  # 41
    "stolen_card",  # 43
    "invalid_account",  # 15
    "invalid_number",  # 14
    "closed_account",  # 46
    "transaction_not_permitted",  # 12, 57
    "revocation_of_authorization",  # R0, R1, R3; 21
    "do_not_try_again",  # 03
}


def test_every_category_and_every_advice_has_a_meaning_and_a_code() -> None:
    assert set(CATEGORIES) == set(get_args(Category)) == {told.category for told in DECLINES.values()}
    assert set(ADVICE) == set(get_args(Advice)) == {told.advised_action for told in DECLINES.values()}


@pytest.mark.parametrize("code", DECLINES)
def test_every_code_means_something_in_one_sentence_of_its_own(code: str) -> None:
    meaning = DECLINES[code].meaning
    assert meaning[0].isupper()
    assert meaning.endswith(".")
    assert meaning.count(".") == 1
    assert [other for other, told in DECLINES.items() if told.meaning == meaning] == [code]


def test_what_the_networks_forbid_to_try_again_is_tried_at_no_other_gateway() -> None:
    assert {code for code, told in DECLINES.items() if told.never_again} == NEVER_AGAIN
    assert not any(may_fail_over(code) for code in NEVER_AGAIN)


def table_of(adapter: str) -> dict[str, str]:
    """The gateway's codes in our words."""
    return dict(vars(ADAPTERS[adapter])["decline_codes"])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_code_of_an_adapters_table_is_classified(adapter: str) -> None:
    assert set(table_of(adapter).values()) <= set(DECLINES)


def test_every_code_that_the_sandbox_can_answer_with_is_in_its_adapters_table() -> None:
    of_sandbox = [one for one in SCRIPTS.values() if not one.wires or "sandbox" in one.wires]
    scripted = {script.code for script in of_sandbox if script.code}
    assert len(scripted) > 20
    assert scripted == set(table_of("sandbox"))
