"""Who pays: sent to gateways that take it, kept in one place, and not sent again once it is erased."""

from __future__ import annotations

from typing import Any

from support.outbox_events import execute
from support.payments import (
    a_command,
    accept_all,
    accept_one,
    attempts_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway, answering
from support.statement_counts import statements_of

from aegis_worker.domain.outcomes import Declined, NotFound, Operation, Unknown
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.transitions import State
from aegis_worker.erasing import erase_customer
from aegis_worker.persistence.database import Database

ASHA = {
    "email": "asha@shop.example",
    "ip": "203.0.113.7",
    "billing_address": {"line1": "12 MG Road", "country": "IN"},
}
CUSTOMER = {"id": "cus_117", "email": "asha@shop.example", "name": "Asha Rao", "country": "IN"}
TAKES = frozenset({"email", "billing_address", "phone"})


def takes_payer(script: Any = None, **more: Any) -> ScriptedGateway:
    return ScriptedGateway("a", script, payer=TAKES, **more)


def details(database: Database) -> list[Any]:
    return [row["details"] for row in rows(database, "SELECT details FROM payer_details ORDER BY payment_id")]


def test_a_gateway_is_sent_what_it_takes_of_the_payer_on_each_step_of_the_charge(database: Database) -> None:
    steps = (Operation.INITIATE, Operation.PROCESS)
    gateway = takes_payer(steps=steps)
    accept_one(database, payer=ASHA)
    run_until_quiet(pipeline(database, gateway))
    sent = Payer({name: ASHA[name] for name in ("email", "billing_address")})
    assert [(call.operation, call.payer) for call in gateway.calls] == [(step, sent) for step in steps]
    assert details(database) == [ASHA]


def test_a_gateway_that_takes_nothing_of_it_is_sent_nothing(database: Database) -> None:
    gateway = ScriptedGateway("a")
    accept_one(database, payer=ASHA)
    run_until_quiet(pipeline(database, gateway))
    assert [call.payer for call in gateway.calls] == [None]


def test_payments_with_and_without_a_payer_are_accepted_together_and_told_apart(database: Database) -> None:
    commands = [a_command("one"), a_command("two", payer=ASHA), a_command("three")]
    assert len(accept_all(commands, database)) == 3
    assert details(database) == [ASHA]
    flags = rows(database, "SELECT has_payer FROM payments ORDER BY id")
    assert [row["has_payer"] for row in flags].count(True) == 1
    gateway = takes_payer()
    run_until_quiet(pipeline(database, gateway))
    assert sorted(call.payer is None for call in gateway.calls) == [False, True, True]


def test_without_a_payer_no_statement_is_made_for_one(database: Database) -> None:
    seen = {}
    for key, payer in (("warm", {}), ("without", {}), ("with", {"payer": ASHA})):
        with statements_of(database) as statements:
            accept_one(database, key, **payer)
            run_until_quiet(pipeline(database, takes_payer()))
        seen[key] = list(statements)
    assert len(seen["with"]) == len(seen["without"])
    assert not any("INSERT INTO payer_details" in statement for statement in seen["without"])


def test_what_is_erased_is_not_sent_again_even_where_the_call_would_be_repeated(database: Database) -> None:
    gateway = takes_payer(answering(Unknown("read timeout")))
    gateway.look_up = answering(NotFound())
    payment_id = accept_one(database, payer=ASHA, customer=CUSTOMER).payment.id
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    calls = len(gateway.calls)
    assert calls >= 1
    erased = erase_customer(database, "m_1", "cus_117", actor="cli:night")
    assert erased == (1, 1, 0, 0)
    for _ in range(6):
        let_pass(database, 121)
        run_until_quiet(parts)
    repeats = gateway.calls[calls:]
    assert all(
        call.payer is None and call.idempotency_key != gateway.calls[0].idempotency_key for call in repeats
    )
    assert details(database) == []
    assert story_of(database, payment_id)[0] == "INITIATED"


def test_the_same_call_is_repeated_while_the_payer_is_known(database: Database) -> None:
    gateway = takes_payer(answering(Unknown("read timeout")))
    gateway.look_up = answering(NotFound())
    accept_one(database, payer=ASHA)
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    let_pass(database, 20)
    run_until_quiet(parts)
    first, *again = gateway.calls
    assert again
    assert all(call == first for call in again)


def test_a_payment_whose_payer_is_erased_before_it_was_sent_goes_without(database: Database) -> None:
    gateway = takes_payer()
    payment_id = accept_one(database, payer=ASHA, customer=CUSTOMER).payment.id
    erase_customer(database, "m_1", "cus_117", actor="cli:night")
    run_until_quiet(pipeline(database, gateway))
    assert [call.payer for call in gateway.calls] == [None]
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_erasing_empties_what_is_known_of_one_customer_in_both_modes_and_of_no_other(
    database: Database,
) -> None:
    mine = [accept_one(database, f"k{n}", payer=ASHA, customer=CUSTOMER).payment.id for n in range(3)]
    others = [
        accept_one(database, "other", payer=ASHA, customer={**CUSTOMER, "id": "cus_118"}),
        accept_one(database, "theirs", payer=ASHA, customer=CUSTOMER, merchant_id="m_2"),
    ]
    execute(database, "UPDATE payments SET mode = 'live' WHERE id = %(id)s", id=mine[0])
    assert erase_customer(database, "m_1", "cus_117", actor="cli:night", limit=2) == (3, 3, 0, 0)
    left = rows(database, "SELECT payment_id FROM payer_details ORDER BY 1")
    assert [row["payment_id"] for row in left] == sorted(other.payment.id for other in others)
    for payment_id in mine:
        assert payment_of(database, payment_id).customer == {"id": "cus_117", "country": "IN"}
    assert payment_of(database, others[1].payment.id).customer == CUSTOMER
    (entry,) = rows(database, "SELECT actor, action, details FROM audit_log")
    assert entry == {
        "actor": "cli:night",
        "action": "customer.erased",
        "details": {
            "merchant_id": "m_1",
            "payer_details": 3,
            "customers": 3,
            "event_bodies": 0,
            "exchanges": 0,
        },
    }
    assert erase_customer(database, "m_1", "cus_117", actor="cli:night") == (0, 0, 0, 0)


def test_of_a_payment_that_has_ended_the_payer_is_erased_as_well(database: Database) -> None:
    payment_id = accept_one(database, payer=ASHA, customer=CUSTOMER).payment.id
    run_until_quiet(pipeline(database, takes_payer(answering(Declined("stolen_card", "43", "stolen")))))
    before = payment_of(database, payment_id)
    assert before.is_terminal
    assert erase_customer(database, "m_1", "cus_117", actor="cli:night") == (1, 1, 0, 0)
    after = payment_of(database, payment_id)
    assert (after.state, after.version) == (before.state, before.version)
    assert len(attempts_of(database, payment_id)) == 1
    assert story_of(database, payment_id)[-1] == "FAILED"


def test_what_a_gateway_wrote_of_a_customers_payment_goes_with_it_once_it_was_followed(
    database: Database,
) -> None:
    for key, customer in (("one", "cus_117"), ("two", "cus_118")):
        accept_one(database, key, customer={"id": customer})
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    payments = rows(database, "SELECT id, gateway_ref FROM payments ORDER BY id")
    kept = """INSERT INTO gateway_event_bodies (id, gateway, key_id, sealed) VALUES (%(id)s, 'a', 'k', '')"""
    event = """
        INSERT INTO gateway_events
            (gateway, provider_event_id, kind, gateway_ref, payment_id, status, due_at, body_id)
        VALUES ('a', %(id)s, 'payment.succeeded', %(ref)s, %(payment_id)s, %(status)s, %(due)s, %(id)s)
    """
    for number, (payment, status) in enumerate(
        (payment, status) for payment in payments for status in ("followed", "waiting")
    ):
        due = "now" if status == "waiting" else None
        execute(database, kept, id=f"b{number}")
        about = {"payment_id": payment["id"], "ref": payment["gateway_ref"]}
        execute(database, event, id=f"b{number}", status=status, due=due, **about)
    erased = erase_customer(database, "m_1", "cus_117", actor="cli:night")
    assert erased == (0, 0, 1, 0)
    left = rows(database, "SELECT id FROM gateway_event_bodies ORDER BY id")
    assert len(left) == 3
