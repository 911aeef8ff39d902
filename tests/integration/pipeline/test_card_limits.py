"""Card networks' limits in the pipeline: what is remembered of declines, and what is then not tried."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event
from support.outbox_events import execute
from support.payments import (
    accept_one,
    attempts_of,
    last_error_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway, answering
from support.statement_counts import statements_of

from aegis_worker.domain.card_networks import CardDecline, card_key
from aegis_worker.domain.outcomes import Approved, Declined, NotSent, Operation, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.card_declines import note_declines
from aegis_worker.persistence.database import Database

SOFT, STOLEN = Declined("issuer_unavailable", "91", "no way"), Declined("stolen_card", "43", "stolen")
TOKEN = "tok_1"
DECLINES = (
    "SELECT payment_id, number, network, code, never_again FROM card_declines ORDER BY payment_id, number"
)


def card(network: str | None = None, token: str = TOKEN) -> dict[str, str]:
    return {"type": "card", "token": token, **({"network": network} if network else {})}


def pay(database: Database, key: str, method: dict[str, str], *gateways: ScriptedGateway) -> str:
    """A payment that is worked on until nothing is due; its id."""
    payment_id = accept_one(database, key, payment_method=method).payment.id
    run_until_quiet(pipeline(database, *gateways))
    return payment_id


def test_each_decline_of_a_card_whose_network_counts_them_is_remembered(database: Database) -> None:
    a, b = (ScriptedGateway(name, answering(SOFT)) for name in ("a", "b"))
    payment_id = pay(database, "one", card("visa"), a, b)
    noted = {"payment_id": payment_id, "network": "visa", "code": "issuer_unavailable", "never_again": False}
    assert rows(database, DECLINES) == [noted | {"number": number} for number in (1, 2)]
    keys = rows(database, "SELECT DISTINCT encode(card_key, 'hex') AS key FROM card_declines")
    assert keys == [{"key": card_key("m_1", TOKEN).hex()}]


@pytest.mark.parametrize("network", [None, "amex"])
def test_of_other_cards_only_what_forbids_another_try_is_remembered(
    database: Database, network: str | None
) -> None:
    pay(database, "one", card(network), ScriptedGateway("a", answering(SOFT)))
    assert rows(database, DECLINES) == []
    payment_id = pay(database, "two", card(network), ScriptedGateway("a", answering(STOLEN)))
    assert rows(database, DECLINES) == [
        {
            "payment_id": payment_id,
            "number": 1,
            "network": network,
            "code": "stolen_card",
            "never_again": True,
        }
    ]


@pytest.mark.parametrize("refusal", [NotSent("refused"), Declined("gateway_misconfigured", "401")])
def test_what_never_reached_the_issuer_is_not_remembered(database: Database, refusal: Any) -> None:
    pay(database, "one", card("visa"), ScriptedGateway("a", answering(refusal)), ScriptedGateway("b"))
    assert rows(database, DECLINES) == []


def test_a_decline_that_is_heard_of_late_counts_from_when_the_card_was_tried(database: Database) -> None:
    gateway = ScriptedGateway("a", answering(Unknown("read timeout")))
    payment_id = pay(database, "one", card("mastercard"), gateway)
    let_pass(database, 2 * 86_400)
    gateway.look_up = lambda query: SOFT
    run_until_quiet(pipeline(database, gateway))
    assert payment_of(database, payment_id).state is State.FAILURE
    assert [attempt["status"] for attempt in attempts_of(database, payment_id)] == ["DECLINED"]
    aged = "SELECT card_declines.at = attempts.sent_at AS same FROM card_declines JOIN attempts USING (payment_id, number)"
    assert rows(database, aged) == [{"same": True}]


def test_a_batch_without_a_network_and_without_such_declines_asks_and_writes_nothing_more(
    database: Database,
) -> None:
    for n in range(8):
        accept_one(database, f"key-{n}", payment_method=card(token=f"tok_{n}"))
    with statements_of(database) as seen:
        run_until_quiet(pipeline(database, ScriptedGateway("a", answering(SOFT))))
    assert len(seen) > 3
    assert not [statement for statement in seen if "card_declines" in statement]


def declined(
    database: Database, times: int, network: str | None, code: str = "do_not_honor", **of: str
) -> None:
    """Earlier payments of the card that ended with this code."""
    key = card_key(of.get("merchant_id", "m_1"), of.get("token", TOKEN))
    earlier = [CardDecline(f"pay_{n}", 1, "m_1", key, network, code) for n in range(times)]
    database.run(lambda connection: note_declines(connection, earlier))


def end_of(database: Database, payment_id: str) -> tuple[State, str | None]:
    payment = payment_of(database, payment_id)
    return payment.state, payment.last_error["code"] if payment.last_error else None


@pytest.mark.parametrize(("network", "most"), [("visa", 20), ("mastercard", 10)])
def test_a_card_that_was_declined_as_often_as_its_network_allows_is_not_sent(
    database: Database, network: str, most: int
) -> None:
    gateway = ScriptedGateway("a")
    declined(database, most - 1, network)
    assert end_of(database, pay(database, "one", card(network), gateway)) == (State.SUCCESS, None)
    declined(database, most, network)
    payment_id = pay(database, "two", card(network), gateway)
    assert end_of(database, payment_id) == (State.FAILURE, "card_retry_limit")
    assert f"allows {most} declined tries" in last_error_of(payment_of(database, payment_id))["message"]
    assert story_of(database, payment_id) == ["INITIATED", "FAILED"]
    assert (len(gateway.calls), attempts_of(database, payment_id)) == (1, [])


def test_the_decline_that_reaches_the_limit_is_the_last_of_its_payment(database: Database) -> None:
    declined(database, 19, "visa")
    first, second = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")
    payment_id = pay(database, "one", card("visa"), first, second)
    assert end_of(database, payment_id) == (State.FAILURE, "card_retry_limit")
    assert last_error_of(payment_of(database, payment_id))["message"] == (
        "Visa allows 20 declined tries of one card in 30 days; the last try was declined by a with issuer_unavailable"
    )
    assert (len(first.calls), len(second.calls)) == (1, 0)


def test_a_day_later_a_mastercard_may_be_tried_again_and_ten_declines_later_not(database: Database) -> None:
    gateway = ScriptedGateway("a")
    declined(database, 10, "mastercard")
    pay(database, "one", card("mastercard"), gateway)
    assert gateway.calls == []
    execute(database, "UPDATE card_declines SET at = at - interval '1 day 1 s'")
    pay(database, "two", card("mastercard"), gateway)
    assert len(gateway.calls) == 1


def test_other_tokens_merchants_and_networks_are_not_held_back(database: Database) -> None:
    gateway = ScriptedGateway("a")
    declined(database, 50, "visa", token="tok_2")
    declined(database, 50, "visa", merchant_id="m_2")
    declined(database, 50, "amex", token="tok_3")
    pay(database, "one", card("visa"), gateway)
    pay(database, "two", card("amex", "tok_3"), gateway)
    assert len(gateway.calls) == 2


@pytest.mark.parametrize("network", ["visa", "amex"])
def test_a_card_that_was_declined_for_good_is_not_sent_again(database: Database, network: str) -> None:
    pay(database, "one", card(network), ScriptedGateway("a", answering(STOLEN)))
    gateway = ScriptedGateway("a")
    payment_id = pay(database, "two", card(network), gateway)
    assert end_of(database, payment_id) == (State.FAILURE, "card_barred")
    assert last_error_of(payment_of(database, payment_id))["advised_action"] == "do_not_retry"
    assert gateway.calls == []


def test_without_a_network_a_first_try_goes_out_and_a_second_only_where_nothing_forbids_it(
    database: Database,
) -> None:
    declined(database, 1, None, "lost_card")
    first, second = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")
    assert end_of(database, pay(database, "one", card(), first, second)) == (State.FAILURE, "card_barred")
    assert (len(first.calls), len(second.calls)) == (1, 0)
    assert end_of(database, pay(database, "two", card(token="tok_2"), first, second)) == (State.SUCCESS, None)


def test_a_hop_that_was_begun_is_gone_on_with_and_so_is_a_charge_in_doubt(database: Database) -> None:
    steps = (Operation.AUTHENTICATE, Operation.PROCESS)
    declined(database, 19, "visa")
    gateway = ScriptedGateway(
        "a", answering(Approved("int_1"), Unknown("reset"), Approved("ch_1")), steps=steps
    )
    payment_id = pay(database, "one", card("visa"), gateway)
    declined(database, 25, "visa")
    let_pass(database, 30)
    run_until_quiet(pipeline(database, gateway))
    assert end_of(database, payment_id) == (State.SUCCESS, None)


def test_a_card_is_tried_where_its_declines_can_not_be_read(database: Database) -> None:
    def be_quick(*called: Any) -> None:
        called[1].execute("SET LOCAL lock_timeout = '50ms'")

    declined(database, 20, "visa")
    gateway = ScriptedGateway("a")
    event.listen(database.engine, "before_cursor_execute", be_quick)
    try:
        with database.engine.begin() as other:
            other.exec_driver_sql("LOCK TABLE card_declines")
            pay(database, "one", card("visa"), gateway)
    finally:
        event.remove(database.engine, "before_cursor_execute", be_quick)
    assert len(gateway.calls) == 1
