"""Who pays: sent to gateways that take it, kept in one place, and not sent again once it is erased."""

from __future__ import annotations

from typing import Any

from support.payments import (
    a_command,
    accept_all,
    accept_one,
    let_pass,
    pipeline,
    rows,
    run_until_quiet,
)
from support.scripted_gateway import ScriptedGateway, answering
from support.statement_counts import statements_of

from aegis_worker.domain.outcomes import NotFound, Operation, Unknown
from aegis_worker.domain.payer import Payer
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
