"""A call that is repeated when its gateway has forgotten its key charges twice: that is found, and one is given back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    events_of,
    job_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    story_of,
)
from support.rechecks import rechecked
from support.sandbox_process import API_KEY, running_sandbox
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Declined, NotFound, Twin, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.intake import request_sync
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run

LOST = Unknown("reset")


def looked_at(parts: PipelineParts) -> None:
    """It is asked about, a charge too many is given back, and it is asked about once more."""
    for queue in ("verify", "payments", "verify"):
        run(parts, queue)


def repeated(database: Database, *, shows_twins: bool = True) -> tuple[str, PipelineParts, ScriptedGateway]:
    """A payment whose first answer was lost, whose look-up lagged, and whose repeat charged again: it stands on ch_2."""
    gateway = ScriptedGateway("a", answering(LOST, Approved("ch_2")))
    gateway.able(shows_twins=shows_twins)
    gateway.look_up = lambda query: NotFound()
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    let_pass(database, 60)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    return payment_id, parts, gateway


def told_of(database: Database, payment_id: str, kind: str) -> list[Any]:
    return [
        event.data["gateway_ref"]
        for event in events_of(database, payment_id)
        if event.type == f"PAYMENT_{kind}"
    ]


def test_two_charges_under_one_key_at_the_sandbox_are_found_and_one_is_refunded(
    database: Database, tmp_path: Path
) -> None:
    with running_sandbox(tmp_path, "--key-window-s", "30") as sandbox:
        config = GatewayConfig("sandbox_a", "sandbox", sandbox.url, API_KEY)
        lags = {"type": "card", "token": "tok_status_lag_60"}
        payment_id = accept_one(database, payment_method=lags).payment.id
        parts = pipeline(database, LoadedGateway(SandboxAdapter(config)))
        run(parts, "payments")
        # The key is forgotten, and look-ups don't show the charge yet: the call is repeated, and charges again.
        sandbox.post("/_sandbox/clock", {"advance_s": 31})
        let_pass(database, 31)
        run(parts, "verify")
        sandbox.post("/_sandbox/clock", {"advance_s": 61})
        let_pass(database, 61)
        run(parts, "verify")
        payment = payment_of(database, payment_id)
        assert (payment.state, payment.captured_minor) == (State.SUCCESS, 1999)
        assert len(sandbox.booked(f"{payment_id}-p1")) == 2
        assert rechecked(database, parts) == {"asked": 1, "found": 1}
        looked_at(parts)
        charges = {row["payment_id"]: row["refunded"] for row in sandbox.booked(f"{payment_id}-p1")}
    own = payment.gateway_ref
    (twin,) = charges.keys() - {own}
    assert charges == {own: 0, twin: 1999}
    assert told_of(database, payment_id, "DUPLICATE_DETECTED") == [twin]
    assert told_of(database, payment_id, "DUPLICATE_REVERSED") == [twin]
    assert payment_of(database, payment_id).refunded_minor == 0
    assert job_of(database, payment_id)["result"] == {"agrees": True, "gateway_says": "Approved"}


def test_a_twin_that_shows_later_is_found_by_the_looks_at_what_was_sent_twice(database: Database) -> None:
    payment_id, parts, gateway = repeated(database)
    gateway.look_up = lambda query: Approved("ch_2")
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    assert gateway.look_ups[-1].twins
    gateway.look_up = lambda query: (
        Approved("ch_2", twins=(Twin("ch_1"),)) if query.twins else Approved("ch_1")
    )
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    looked_at(parts)
    assert told_of(database, payment_id, "DUPLICATE_DETECTED") == ["ch_1"]
    assert [call.gateway_ref for call in gateway.calls[2:]] == ["ch_1"]
    assert [(one["number"], one["gateway_ref"]) for one in attempts_of(database, payment_id)][:2] == [
        (1, "ch_2"),
        (2, "ch_1"),
    ]
    # It is given back, and stays known: a gateway that goes on showing it brings nothing new.
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    assert job_of(database, payment_id)["status"] == "succeeded"
    assert story_of(database, payment_id)[-2:] == ["DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]


def test_each_of_several_twins_is_given_back(database: Database) -> None:
    payment_id, parts, gateway = repeated(database)
    twins = (Twin("ch_1"), Twin("ch_3"))
    gateway.look_up = lambda query: Approved(query.gateway_ref or "", twins=twins if query.twins else ())
    rechecked(database, parts)
    looked_at(parts)
    looked_at(parts)
    assert sorted(told_of(database, payment_id, "DUPLICATE_REVERSED")) == ["ch_1", "ch_3"]
    assert sorted(call.gateway_ref or "" for call in gateway.calls[2:]) == ["ch_1", "ch_3"]
    assert job_of(database, payment_id)["status"] == "succeeded"


def test_a_twin_that_its_gateway_has_yet_to_decide_on_is_waited_for(database: Database) -> None:
    payment_id, parts, gateway = repeated(database)
    gateway.look_up = lambda query: Approved("ch_2", twins=(Twin("ch_1", pending=True),))
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "waiting"
    assert told_of(database, payment_id, "DUPLICATE_DETECTED") == []


def test_a_repeat_that_was_refused_may_stand_beside_a_charge(database: Database) -> None:
    refusal = Declined("stolen_card", "43", gateway_ref="ch_2")
    gateway = ScriptedGateway("a", answering(LOST, refusal))
    gateway.able(shows_twins=True)
    gateway.look_up = lambda query: NotFound()
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    let_pass(database, 60)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.FAILURE
    gateway.look_up = lambda query: (
        Declined("stolen_card", "43", gateway_ref="ch_2", twins=(Twin("ch_1"),))
        if query.twins
        else Approved("ch_1")
    )
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    looked_at(parts)
    assert told_of(database, payment_id, "DUPLICATE_REVERSED") == ["ch_1"]
    assert payment_of(database, payment_id).state is State.FAILURE


def test_a_twin_that_is_another_payments_charge_is_left_alone(database: Database) -> None:
    payment_id, parts, gateway = repeated(database)
    taken = (
        "INSERT INTO gateway_references (gateway, gateway_ref, payment_id) VALUES ('a', 'ch_1', 'pay_other')"
    )
    database.run(lambda tx: tx.exec_driver_sql(taken))
    gateway.look_up = lambda query: Approved("ch_2", twins=(Twin("ch_1"),))
    rechecked(database, parts)
    looked_at(parts)
    job = job_of(database, payment_id)
    assert (job["status"], "which is another payment's" in job["reason"]) == ("review", True)
    assert len(gateway.calls) == 2
    assert len(attempts_of(database, payment_id)) == 1


def test_a_charge_that_a_zombie_heard_of_under_another_reference_is_a_persons_where_its_gateway_shows_no_twins(
    database: Database,
) -> None:
    payment_id, parts, gateway = repeated(database, shows_twins=False)
    gateway.look_up = lambda query: Approved("ch_2")
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    parts.jobs.recheck_now([(payment_id, 1, "ch_1")])
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    run(parts, "verify")
    job = job_of(database, payment_id)
    assert job["status"] == "review"
    assert job["reason"] == "there may be a second charge: its gateway has told of it as ch_1 too"
    # A person was told once, and has looked: the next look finds that all is well.
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "succeeded"


def test_what_was_sent_once_is_asked_about_no_further(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a")), "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert rows(database, "SELECT recheck_at FROM attempts") == [{"recheck_at": None}]


@pytest.mark.parametrize("policy", ["hold", "void"])
def test_a_captured_twin_is_left_to_a_person_where_the_policy_says_so(
    database: Database, policy: Any
) -> None:
    payment_id, parts, gateway = repeated(database)
    parts = pipeline(database, gateway, policy=replace(POLICY, late_charge=policy))
    gateway.look_up = lambda query: (
        Approved("ch_2", twins=(Twin("ch_1"),)) if query.twins else Approved("ch_1")
    )
    rechecked(database, parts)
    looked_at(parts)
    assert job_of(database, payment_id)["status"] == "review"
    assert told_of(database, payment_id, "DUPLICATE_DETECTED") == ["ch_1"]
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
