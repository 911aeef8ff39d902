"""What a payer has to do lies sealed in a table of its own, for as long as the payer has to do it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.database_dump import everything_in
from support.outbox_events import execute, settings_with
from support.payments import A_RING, accept_one, action_kept, make_due, payment_of, pipeline
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.actions import NextAction, Qr, Redirect, Sdk
from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, Lookup
from aegis_worker.domain.payment import Event
from aegis_worker.domain.replay import FOLDED_FIELDS, fold
from aegis_worker.domain.transitions import State
from aegis_worker.errors import CannotUnseal
from aegis_worker.persistence.action_secrets import action_of
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.sealed_rows import keys_in_use
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.purge import purge
from aegis_worker.queries.history import list_events
from aegis_worker.sealing.keys import sealing_keys
from aegis_worker.sealing.ring import KeyRing

ACTIONS: list[NextAction] = [
    Redirect("https://bank.example/3ds?secret=canary-7f3a"),
    Sdk("stripe", {"client_secret": "canary-7f3a"}),
    Qr("upi://pay?tr=canary-7f3a"),
]
ENDS_AT = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)


def waiting_for_the_payer(
    database: Database, action: NextAction, then: Lookup | None = None
) -> tuple[str, PipelineParts]:
    """A payment whose payer has to act, and what goes on with it; a look-up says `then`."""
    asked = ActionRequired("ch_1", action, ENDS_AT)
    gateway = ScriptedGateway("a", lambda request: asked)
    gateway.look_up = answering(then or asked)
    payment_id, parts = accept_one(database).payment.id, pipeline(database, gateway)
    run(parts, "payments")
    return payment_id, parts


@pytest.mark.parametrize("action", ACTIONS)
def test_event_and_row_have_its_type_and_end_alone_and_nothing_in_the_database_has_the_rest(
    database: Database, action: NextAction
) -> None:
    payment_id, _ = waiting_for_the_payer(database, action)
    payment = payment_of(database, payment_id)
    assert payment.next_action == {"type": action.type, "expires_at": "2027-01-02T03:04:05.000Z"}
    with database.read() as connection:
        events = list_events(connection, None, payment_id, limit=100)
    assert action_kept(database, payment_id) == action.told
    folded = fold(payment, [Event(payment_id, one.seq, one.type, one.data) for one in events])
    assert {name: getattr(folded, name) for name in FOLDED_FIELDS} == {
        name: getattr(payment, name) for name in FOLDED_FIELDS
    }
    assert "canary-7f3a" not in everything_in(database)


@pytest.mark.parametrize(
    ("then", "state"),
    [(Approved("ch_1"), State.SUCCESS), (Declined("do_not_honor", "05", gateway_ref="ch_1"), State.FAILURE)],
)
def test_it_is_gone_with_the_commit_that_moves_the_payment_on(
    database: Database, then: Lookup, state: State
) -> None:
    payment_id, parts = waiting_for_the_payer(database, ACTIONS[0], then)
    make_due(database)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is state
    assert database.run(keys_in_use) == {}


def test_it_stays_while_the_gateway_still_waits_for_the_payer(database: Database) -> None:
    payment_id, parts = waiting_for_the_payer(database, ACTIONS[1])
    make_due(database)
    run(parts, "verify")
    assert action_kept(database, payment_id) == ACTIONS[1].told


def test_a_row_that_was_copied_to_another_payment_opens_nothing(database: Database) -> None:
    waiting_for_the_payer(database, ACTIONS[1])
    move = "UPDATE action_secrets SET payment_id = 'pay_other'"
    database.run(lambda connection: connection.exec_driver_sql(move))
    with database.read() as connection, pytest.raises(CannotUnseal, match="another place"):
        action_of(connection, A_RING, "pay_other")


def test_rows_are_read_after_the_keys_were_exchanged(database: Database) -> None:
    payment_id, _ = waiting_for_the_payer(database, ACTIONS[1])
    newer = KeyRing(sealing_keys("new:" + "A" * 43 + "=", "s" * 32))
    with database.read() as connection:
        assert action_of(connection, newer, payment_id) == ACTIONS[1].told
        assert keys_in_use(connection) == {A_RING.ids[0]: 1}


def test_purge_removes_what_the_trigger_did_not_see_and_no_other(database: Database) -> None:
    waiting_for_the_payer(database, ACTIONS[0])
    ended = accept_one(database, "key-2").payment.id
    execute(database, "INSERT INTO action_secrets SELECT %(id)s, sealed FROM action_secrets", id=ended)
    assert purge(database, settings_with())["action_secrets"] == 1
    assert database.run(keys_in_use) == {A_RING.ids[0]: 1}
