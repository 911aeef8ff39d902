"""`aegis doctor` on which gateways cards of the vault go to."""

from __future__ import annotations

from support.scripted_gateway import ScriptedGateway

from aegis_worker.cli.checks_vault import takers

PLAIN = ScriptedGateway("paypal")
ABLE = ScriptedGateway("stripe", cards=True, raw_cards=True)
OUT = ScriptedGateway("adyen", cards=True, raw_cards=True, enabled=False)


def test_without_a_vault_nothing_is_said() -> None:
    assert list(takers(False, [PLAIN, ABLE])) == []


def test_the_gateways_that_may_be_sent_numbers_are_named() -> None:
    (check,) = takers(True, [PLAIN, ABLE, OUT])
    assert (check.verdict, check.seen) == ("ok", "its cards go to stripe")


def test_a_vault_whose_cards_no_gateway_may_be_sent_is_noticed() -> None:
    (check,) = takers(True, [PLAIN, OUT])
    assert check.verdict == "warn"
    assert "raw_cards = true" in check.advice
