"""Payments over HTTP, through a real worker, to a real gateway's ledger."""

from __future__ import annotations

from sqlalchemy import create_engine
from support.installation import SOON_S, Installation, wait_until


def test_a_payment_is_charged_once_and_is_success(running: Installation) -> None:
    payment = running.ended(running.accepted("tok_visa"))
    assert payment["state"] == "SUCCESS"
    moved = {name: minor for name, minor in payment["amounts"].items() if minor}
    assert moved == {"authorized": 1999, "captured": 1999, "refundable": 1999}
    (charge,) = running.charges(payment["id"])
    assert (charge["captured"], charge["currency"]) == (1999, "USD")
    assert [event["seq"] for event in payment["events"]["data"]] == list(range(1, payment["version"] + 1))


def test_a_hard_decline_is_failure_and_nothing_is_charged(running: Installation) -> None:
    payment = running.ended(running.accepted("tok_hard_stolen_card"))
    assert payment["state"] == "FAILURE"
    assert payment["last_error"]["code"] == "stolen_card"
    assert running.charges(payment["id"]) == []


def test_a_soft_decline_moves_to_the_next_gateway(running: Installation) -> None:
    payment = running.ended(running.accepted("tok_soft_try_again_at_sandbox_a"))
    assert (payment["state"], payment["gateway"]) == ("SUCCESS", "sandbox_b")
    assert len(running.charges(payment["id"])) == 1


def test_a_charge_whose_answer_was_lost_is_found_by_asking(running: Installation) -> None:
    payment = running.ended(running.accepted("tok_drop"))
    assert payment["state"] == "SUCCESS"
    assert "payment.in_doubt" in [event["type"] for event in payment["events"]["data"]]
    assert [(attempt["sends"], attempt["checks"] > 0) for attempt in payment["attempts"]["data"]] == [
        (1, True)
    ]
    assert len(running.charges(payment["id"])) == 1


def test_the_gateways_tell_of_what_they_did_and_are_heard(running: Installation) -> None:
    payment_id = running.accepted("tok_visa")
    engine = create_engine(running.settings["DATABASE_URL"])

    def heard() -> bool:
        with engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT 1 FROM gateway_events WHERE payment_id = %s", (payment_id,)
            )
            return found.first() is not None

    wait_until(heard, SOON_S)
    engine.dispose()
    assert len(running.charges(payment_id)) == 1
