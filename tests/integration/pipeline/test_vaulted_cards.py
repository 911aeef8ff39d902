"""A card of the vault in the pipeline: which gateways are tried with it, and what ends it before one was sent it."""

from __future__ import annotations

from typing import Any

import pytest
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    job_of,
    last_error_of,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway, answering
from support.vaulted_cards import FINGERPRINT, vaulted

from aegis_worker.domain.card_networks import card_key
from aegis_worker.domain.outcomes import Declined, NotSent, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.kit.flows import OpenCard
from aegis_worker.persistence.database import Database
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.config import RoutingConfig

SOFT, REFUSED = Declined("issuer_unavailable", "91", "no way"), NotSent("connection refused")
SILENT = NotSent("the card vault does not answer: refused", kind=NotSentKind.VAULT)
DOUBT = Unknown("read timeout")


def by_number(name: str, script: Any = None) -> ScriptedGateway:
    return ScriptedGateway(name, script, cards=True, raw_cards=True, bare_tokens="")


def pay(database: Database, *gateways: ScriptedGateway, key: str = "key-1", **method: Any) -> str:
    payment_id = accept_one(database, key, payment_method=vaulted(**method)).payment.id
    run_until_quiet(pipeline(database, *gateways))
    return payment_id


@pytest.mark.parametrize("answer", [SOFT, REFUSED, Declined("gateway_misconfigured", "401")])
def test_it_goes_to_the_next_gateway_that_takes_numbers_and_is_charged_there_once(
    database: Database, answer: Any
) -> None:
    first, second = by_number("stripe", answering(answer)), by_number("adyen")
    payment_id = pay(database, first, ScriptedGateway("sandbox_a"), second)
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.gateway) == (State.SUCCESS, "adyen")
    assert (first.charges_of(payment_id), second.charges_of(payment_id)) == (0, 1)
    (sent,) = second.calls
    assert sent.vaulted == OpenCard.of(vaulted())
    assert sent.terms.payment_method == vaulted()


def test_a_gateway_that_takes_no_numbers_is_no_candidate_and_the_decision_says_so(database: Database) -> None:
    unset = ScriptedGateway("braintree", cards=True, bare_tokens="")
    payment_id = pay(database, ScriptedGateway("sandbox_a"), unset, by_number("stripe"))
    (attempt,) = attempts_of(database, payment_id)
    assert attempt["decision"]["candidates"] == ["stripe"]
    assert attempt["decision"]["left_out"] == {
        "sandbox_a": "takes no card numbers",
        "braintree": "is not set to be sent card numbers (raw_cards)",
    }


def test_in_doubt_it_goes_nowhere_else_until_the_first_gateway_has_answered(database: Database) -> None:
    first, second = by_number("stripe", answering(DOUBT)), by_number("adyen")
    first.look_up = answering(DOUBT)
    payment_id = pay(database, first, second)
    make_due(database)
    run_until_quiet(pipeline(database, first, second))
    assert (payment_of(database, payment_id).certainty, second.calls) == ("unknown", [])
    first.look_up = answering(SOFT)
    make_due(database)
    run_until_quiet(pipeline(database, first, second))
    assert payment_of(database, payment_id).gateway == "adyen"
    assert second.charges_of(payment_id) == 1


def test_a_repeat_carries_the_same_and_without_the_security_code_none_is_sent(database: Database) -> None:
    gone = Declined("security_code_gone", "", "its security code is not held any more")
    first, second = by_number("stripe", answering(DOUBT, gone)), by_number("adyen")
    payment_id = pay(database, first, second)
    make_due(
        database
    )  # the gateway knows nothing of it, so it is sent again, and the vault has no code any more
    run_until_quiet(pipeline(database, first, second))
    one, again = first.calls
    assert one == again
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["status"], attempt["sends"]) == ("UNKNOWN", 2)
    assert attempt["outcome"]["reason"] == "the repeat was refused: its security code is not held any more"
    assert payment_of(database, payment_id).state is State.PROCESSING
    assert (job_of(database, payment_id)["status"], second.calls) == ("waiting", [])


@pytest.mark.parametrize("code", ["card_gone", "security_code_gone", "vault_misconfigured"])
def test_what_the_vault_does_not_give_ends_the_payment_and_no_other_gateway_is_tried(
    database: Database, code: str
) -> None:
    first, second = by_number("stripe", answering(Declined(code, ""))), by_number("adyen")
    payment_id = pay(database, first, second)
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, code)
    assert last_error_of(payment)["gateway"] is None
    assert second.calls == []
    assert rows(database, "SELECT * FROM card_declines") == []
    story_of(database, payment_id)


def test_while_the_vault_is_silent_the_payment_waits_for_it_at_the_same_gateway(database: Database) -> None:
    first, second = by_number("stripe", answering(SILENT)), by_number("adyen")
    payment_id = pay(database, first, second)
    for _ in range(POLICY.max_attempts):
        job = job_of(database, payment_id)
        assert (job["status"], second.calls) == ("waiting", [])
        assert "the card vault did not answer" in job["reason"]
        make_due(database)
        run_until_quiet(pipeline(database, first, second))
    first._script = first.charge
    make_due(database)
    run_until_quiet(pipeline(database, first, second))
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert (first.charges_of(payment_id), second.calls) == (1, [])


def test_a_gateway_that_declined_is_not_the_one_that_waits_for_the_vault(database: Database) -> None:
    first, second = by_number("stripe", answering(SOFT)), by_number("adyen", answering(SILENT))
    payment_id = pay(database, first, second)
    second._script = second.charge
    make_due(database)
    run_until_quiet(pipeline(database, first, second))
    assert payment_of(database, payment_id).gateway == "adyen"
    assert len(first.calls) == 1


def test_a_gateway_that_is_paused_while_the_vault_is_silent_is_not_waited_for(database: Database) -> None:
    first, second = by_number("stripe", answering(SILENT)), by_number("adyen")
    payment_id = pay(database, first, second)
    without_stripe = RoutingTable(RoutingConfig(), 0, "file", frozenset({"stripe"}))
    make_due(database)
    run_until_quiet(pipeline(database, first, second, routing=lambda: without_stripe))
    assert payment_of(database, payment_id).gateway == "adyen"


def test_a_vault_that_stays_silent_fails_the_payment_unsent(database: Database) -> None:
    gateway = by_number("stripe", answering(SILENT))
    payment_id = pay(database, gateway)
    for _ in range(20):
        make_due(database)
        run_until_quiet(pipeline(database, gateway))
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "vault_unavailable")
    assert {attempt["status"] for attempt in attempts_of(database, payment_id)} == {"NOT_SENT"}


def test_two_tokens_of_one_card_are_one_card_to_its_network(database: Database) -> None:
    stolen = Declined("stolen_card", "43", "stolen")
    pay(database, by_number("stripe", answering(stolen)))
    keys = rows(database, "SELECT encode(card_key, 'hex') AS key FROM card_declines")
    assert keys == [{"key": card_key("m_1", f"vault {FINGERPRINT}").hex()}]
    adyen = by_number("adyen")
    again = pay(database, adyen, key="key-2", number=2)
    assert last_error_of(payment_of(database, again))["code"] == "card_barred"
    assert adyen.calls == []
    other = pay(database, adyen, key="key-3", number=3, fingerprint="fp_2")
    assert payment_of(database, other).state is State.SUCCESS


def test_later_calls_of_the_payment_carry_no_card(database: Database) -> None:
    gateway = by_number("stripe")
    payment_id = accept_one(database, payment_method=vaulted(), capture_method="manual").payment.id
    run_until_quiet(pipeline(database, gateway))
    assert payment_of(database, payment_id).state is State.AUTHORIZED
    assert [call.vaulted is not None for call in gateway.calls] == [True]
