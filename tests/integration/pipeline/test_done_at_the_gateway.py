"""What gateways do with a charge later, and nobody ordered here: late failures, and the gateway's dashboard.

The sandbox shows each operation with the payment; Stripe has captures in the intent's sums and refunds in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, ordering, payment_now, row_is_fold
from support.payments import (
    A_RING,
    accept_one,
    events_of,
    job_of,
    let_pass,
    make_due,
    pipeline,
    rows,
    run_until_quiet,
)
from support.sandbox_process import API_KEY, Sandbox, eventually, running_sandbox
from support.stripe_process import STRIPE_KEY, running_stripe, sdk

from aegis_worker.audit.run import AuditParts, audit_all
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.gateway_events import NewEvent
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.ids import new_id
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.asking import sync_now
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import check_now, open_checks
from aegis_worker.reconcile import ReconcileParts, reconcile

TABLES = {"captures": CAPTURE, "refunds": REFUND, "voids": VOID}


@dataclass(frozen=True)
class Place:
    """A gateway, its emulator, and its dashboard: (emulator, the charge's id, minor units)."""

    gateway: LoadedGateway
    emulator: Sandbox
    refund: Callable[[Sandbox, str, int], object]
    capture: Callable[[Sandbox, str, int], object]
    cancel: Callable[[Sandbox, str], object]

    def pay(self, database: Database, **terms: Any) -> str:
        """A payment of 19.99 USD, with its job done."""
        name = self.gateway.config.name
        token = "pm_card_visa" if name == "stripe" else "tok_ok"
        method = {"type": "card", "token": token, "gateway": name}
        payment_id = accept_one(database, payment_method=method, **terms).payment.id
        run_until_quiet(pipeline(database, self.gateway))
        return payment_id

    def order(self, database: Database, payment_id: str, kind: Any, minor: int | None, **how: Any) -> str:
        """Something ordered here, with its job done."""
        accepted = ordering(database, self.gateway, payment_id, kind, minor, f"{kind}-{minor}", **how)
        run_until_quiet(pipeline(database, self.gateway))
        return accepted.id

    def sync(self, database: Database, payment_id: str) -> None:
        """The gateway is asked about the payment, in a while in which it shows all that was done."""
        let_pass(database, 200)
        assert database.run(lambda connection: sync_now(connection, payment_id))
        run_until_quiet(pipeline(database, self.gateway))


def at(emulator: Sandbox, path: str, body: dict[str, Any]) -> None:
    assert emulator.post(path, body).status in (200, 202)


@pytest.fixture(scope="module")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sandbox]]:
    folder = tmp_path_factory.mktemp
    with running_sandbox(folder("sandbox")) as sandbox, running_stripe(folder("stripe")) as stripe:
        yield {"sandbox": sandbox, "stripe": stripe}


@pytest.fixture(params=["sandbox", "stripe"])
def place(request: pytest.FixtureRequest, emulators: dict[str, Sandbox]) -> Iterator[Place]:
    emulator = emulators[request.param]
    if request.param == "sandbox":
        config = GatewayConfig("sandbox", "sandbox", emulator.url, API_KEY)
        gateway = LoadedGateway(SandboxAdapter(config))
        found = Place(
            gateway,
            emulator,
            refund=lambda to, ref, minor: at(to, f"/v1/payments/{ref}/refund", {"amount": minor}),
            capture=lambda to, ref, minor: at(to, f"/v1/payments/{ref}/capture", {"amount": minor}),
            cancel=lambda to, ref: at(to, f"/v1/payments/{ref}/void", {}),
        )
    else:
        options = {"multicapture": True}
        config = GatewayConfig("stripe", "stripe", emulator.url, STRIPE_KEY, options=options)
        gateway = LoadedGateway(StripeAdapter(config))
        client = sdk(emulator.url).v1
        found = Place(
            gateway,
            emulator,
            refund=lambda to, ref, minor: client.refunds.create({"payment_intent": ref, "amount": minor}),
            capture=lambda to, ref, minor: client.payment_intents.capture(ref, {"amount_to_capture": minor}),
            cancel=lambda to, ref: client.payment_intents.cancel(ref),
        )
    yield found
    emulator.set_faults()
    gateway.close_connections()


def charge_of(database: Database, payment_id: str) -> str:
    return payment_now(database, payment_id).gateway_ref or ""


def found_there(database: Database, payment_id: str) -> list[tuple[str, int, str]]:
    """What nobody ordered here: its kind, amount and status."""
    return [
        (kind.value, row["amount_minor"], row["status"])
        for table, kind in TABLES.items()
        for row in rows(
            database, f"SELECT * FROM {table} WHERE payment_id = '{payment_id}' AND origin = 'gateway'"
        )
    ]


def told(database: Database, payment_id: str) -> list[str]:
    return [event.type.value for event in events_of(database, payment_id)]


@pytest.mark.slow
def test_a_refund_that_fails_after_it_had_succeeded_is_told_and_taken_back(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database)
    kept = place.order(database, payment_id, REFUND, 300)
    place.emulator.set_faults(movement_script="fails_late_0")
    failing = place.order(database, payment_id, REFUND, 500)
    assert amounts(database, payment_id)["refunded"] == 800
    place.sync(database, payment_id)
    stored = entity(database, failing)
    assert (stored["status"], stored["error"]["gateway"]) == ("failed", place.gateway.config.name)
    assert entity(database, kept)["status"] == "succeeded"
    last = events_of(database, payment_id)[-1]
    assert (last.type, last.data["late"], last.data["refund_id"]) == ("REFUND_FAILED", True, failing)
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert amounts(database, payment_id)["refundable"] == 1699
    assert row_is_fold(database, payment_id)
    place.sync(database, payment_id)
    assert told(database, payment_id).count("REFUND_FAILED") == 1


def test_a_refund_in_the_dashboard_becomes_an_entity_of_the_gateways_origin_once(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database)
    place.order(database, payment_id, REFUND, 300)
    place.refund(place.emulator, charge_of(database, payment_id), 500)
    for _ in range(2):
        place.sync(database, payment_id)
        assert found_there(database, payment_id) == [("refund", 500, "succeeded")]
        assert amounts(database, payment_id)["refunded"] == 800
    assert job_of(database, payment_id)["status"] == "succeeded"
    assert row_is_fold(database, payment_id)
    assert place.order(database, payment_id, REFUND, 1199)
    assert amounts(database, payment_id)["refunded"] == 1999
    assert row_is_fold(database, payment_id)


@pytest.mark.slow
def test_a_pending_refund_in_the_dashboard_reserves_its_amount_until_it_ends(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database)
    place.emulator.set_faults(movement_script="pending_2")
    place.refund(place.emulator, charge_of(database, payment_id), 500)
    place.sync(database, payment_id)
    assert found_there(database, payment_id) == [("refund", 500, "pending")]
    assert (amounts(database, payment_id)["refunding"], amounts(database, payment_id)["refundable"]) == (
        500,
        1499,
    )

    def is_over() -> bool:
        place.sync(database, payment_id)
        return found_there(database, payment_id) == [("refund", 500, "succeeded")]

    assert eventually(is_over)
    assert amounts(database, payment_id)["refunded"] == 500
    assert row_is_fold(database, payment_id)


def test_a_refund_whose_answer_was_lost_is_ours_and_no_refund_of_the_dashboard(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database)
    place.emulator.set_faults(movement_script="drop")
    refund = place.order(database, payment_id, REFUND, 300)
    assert entity(database, refund)["status"] == "pending"
    place.emulator.set_faults()
    make_due(database)
    run_until_quiet(pipeline(database, place.gateway))
    place.sync(database, payment_id)
    assert entity(database, refund)["status"] == "succeeded"
    assert (found_there(database, payment_id), amounts(database, payment_id)["refunded"]) == ([], 300)
    assert row_is_fold(database, payment_id)


def test_a_capture_in_the_dashboard_ends_the_hold(database: Database, place: Place) -> None:
    payment_id = place.pay(database, capture_method="manual")
    place.order(database, payment_id, CAPTURE, 300, final=False)
    place.capture(place.emulator, charge_of(database, payment_id), 500)
    place.sync(database, payment_id)
    assert found_there(database, payment_id) == [("capture", 500, "succeeded")]
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert amounts(database, payment_id)["captured"] == 800
    assert told(database, payment_id)[-3:] == [
        "CAPTURE_REQUESTED",
        "CAPTURE_SUCCEEDED",
        "PAYMENT_SUCCEEDED",
    ]
    assert row_is_fold(database, payment_id)


def test_a_hold_that_was_cancelled_in_the_dashboard_is_cancelled(database: Database, place: Place) -> None:
    payment_id = place.pay(database, capture_method="manual")
    place.cancel(place.emulator, charge_of(database, payment_id))
    place.sync(database, payment_id)
    assert payment_now(database, payment_id).state is State.CANCELLED
    assert found_there(database, payment_id) == [("void", 1999, "succeeded")]
    assert row_is_fold(database, payment_id)


def test_the_rest_of_a_hold_that_was_released_in_the_dashboard_ends_the_payment(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database, capture_method="manual")
    place.order(database, payment_id, CAPTURE, 300, final=False)
    place.cancel(place.emulator, charge_of(database, payment_id))
    place.sync(database, payment_id)
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert amounts(database, payment_id) == {"authorized": 1999, "captured": 300, "refundable": 300}
    assert found_there(database, payment_id) == [("void", 1699, "succeeded")]
    assert row_is_fold(database, payment_id)


def test_a_capture_that_fails_late_leaves_the_payment_a_success(
    database: Database, emulators: dict[str, Sandbox]
) -> None:
    config = GatewayConfig("sandbox", "sandbox", emulators["sandbox"].url, API_KEY)
    gateway = LoadedGateway(SandboxAdapter(config))
    method = {"type": "card", "token": "tok_fails_late_0_on_capture"}
    payment_id = accept_one(database, payment_method=method, capture_method="manual").payment.id
    run_until_quiet(pipeline(database, gateway))
    capture = ordering(database, gateway, payment_id, CAPTURE, 800)
    run_until_quiet(pipeline(database, gateway))
    assert amounts(database, payment_id)["captured"] == 800
    let_pass(database, 200)
    database.run(lambda connection: sync_now(connection, payment_id))
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, capture.id)["status"] == "failed"
    assert (payment_now(database, payment_id).state, amounts(database, payment_id)) == (
        State.AUTHORIZED,
        {"authorized": 1999, "capturable": 1999},
    )
    assert row_is_fold(database, payment_id)
    gateway.close_connections()


def tell(database: Database, payment_id: str, kind: str, reference: str | None = None) -> str:
    """The gateway's event about the payment's charge, followed at once; returns what became of it."""
    payment = payment_now(database, payment_id)
    event = NewEvent(new_id("evt"), kind, reference, payment.gateway_ref, None, "waiting")
    keep = partial(
        gateway_event_rows.keep,
        ring=A_RING,
        gateway=payment.gateway or "",
        account=None,
        events=[event],
        body=b"{}",
    )
    database.run(keep)
    follow(FollowParts(database, {}, NoHints()))
    (row,) = rows(database, f"SELECT status FROM gateway_events WHERE provider_event_id = '{event.event_id}'")
    return str(row["status"])


class NoHints:
    def notify(self, queue: str) -> None:
        """Do nothing: the tests run the workers."""


def test_an_event_of_a_refund_has_the_gateway_asked_unless_it_tells_what_is_known(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database)
    place.emulator.set_faults(movement_script="fails_late_0")
    refund = place.order(database, payment_id, REFUND, 500)
    key = f"{payment_id}b101"
    assert tell(database, payment_id, "refund.succeeded", key) == "no_news"
    assert tell(database, payment_id, "refund.failed", key) == "followed"
    run_until_quiet(pipeline(database, place.gateway))
    assert entity(database, refund)["status"] == "failed"
    assert tell(database, payment_id, "refund.failed", key) == "no_news"
    assert row_is_fold(database, payment_id)


def test_an_event_of_a_pending_refund_has_it_asked_about_at_once(database: Database, place: Place) -> None:
    payment_id = place.pay(database)
    place.emulator.set_faults(movement_script="pending_1")
    refund = place.order(database, payment_id, REFUND, 500)
    assert entity(database, refund)["status"] == "pending"
    assert amounts(database, payment_id)["refunding"] == 500

    def is_over() -> bool:
        assert tell(database, payment_id, "refund.succeeded", f"{payment_id}b101") in ("followed", "no_news")
        run_until_quiet(pipeline(database, place.gateway))
        return bool(entity(database, refund)["status"] == "succeeded")

    assert eventually(is_over)
    assert amounts(database, payment_id)["refunded"] == 500
    assert row_is_fold(database, payment_id)


def test_an_event_waits_while_another_job_of_its_payment_is_open(database: Database, place: Place) -> None:
    payment_id = place.pay(database)
    place.refund(place.emulator, charge_of(database, payment_id), 500)
    accepted = ordering(database, place.gateway, payment_id, REFUND, 300)
    assert tell(database, payment_id, "payment.refunded") == "waiting"
    run_until_quiet(pipeline(database, place.gateway))
    database.run(lambda connection: connection.exec_driver_sql("UPDATE gateway_events SET due_at = now()"))
    follow(FollowParts(database, {}, NoHints()))
    run_until_quiet(pipeline(database, place.gateway))
    assert entity(database, accepted.id)["status"] == "succeeded"
    assert found_there(database, payment_id) == [("refund", 500, "succeeded")]
    assert amounts(database, payment_id)["refunded"] == 800


def test_a_capture_in_the_dashboard_is_noticed_by_its_event(database: Database, place: Place) -> None:
    payment_id = place.pay(database, capture_method="manual")
    place.capture(place.emulator, charge_of(database, payment_id), 1999)
    assert tell(database, payment_id, "payment.succeeded", f"{payment_id}-p1") == "followed"
    run_until_quiet(pipeline(database, place.gateway))
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert found_there(database, payment_id) == [("capture", 1999, "succeeded")]


def test_the_audit_names_what_is_not_known_yet_and_reconciliation_has_it_written_down(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database)
    place.order(database, payment_id, REFUND, 300)
    named = {place.gateway.config.name: place.gateway}
    parts = AuditParts(database, named, Bounds(), 100, 5.0)
    assert audit_all(parts, ask_gateways=True).violations == []
    place.refund(place.emulator, charge_of(database, payment_id), 500)
    (violation,) = audit_all(parts, ask_gateways=True).violations
    assert "a refund of the gateway's own over 500 that succeeded" in violation.summary
    workers = pipeline(database, place.gateway)
    reconciliation = ReconcileParts(database, named, NoHints(), lambda: run_until_quiet(workers))
    reconcile(reconciliation, trigger="operator", since=datetime.now(UTC) - timedelta(hours=1))
    run_until_quiet(workers)
    assert found_there(database, payment_id) == [("refund", 500, "succeeded")]
    assert audit_all(parts, ask_gateways=True).violations == []


@pytest.mark.slow
def test_three_captures_and_three_refunds_of_which_one_pends_and_one_fails_late_add_up_at_every_step(
    database: Database, place: Place
) -> None:
    payment_id = place.pay(database, capture_method="manual")
    audit = AuditParts(database, {place.gateway.config.name: place.gateway}, Bounds(), 100, 5.0)

    def stands(**expected: int) -> None:
        assert amounts(database, payment_id) == {"authorized": 1999, **expected}
        assert audit_all(audit, ask_gateways=True).violations == []

    place.order(database, payment_id, CAPTURE, 500, final=False)
    stands(captured=500, capturable=1499, refundable=500)
    place.order(database, payment_id, CAPTURE, 600, final=False)
    stands(captured=1100, capturable=899, refundable=1100)
    place.order(database, payment_id, CAPTURE, 399, final=True)
    stands(captured=1499, refundable=1499)
    place.emulator.set_faults(movement_script="pending_2")
    pending = place.order(database, payment_id, REFUND, 100)
    stands(captured=1499, refunding=100, refundable=1399)
    place.emulator.set_faults()
    place.order(database, payment_id, REFUND, 200)
    stands(captured=1499, refunding=100, refunded=200, refundable=1199)
    place.emulator.set_faults(movement_script="fails_late_0")
    failing = place.order(database, payment_id, REFUND, 300)
    assert amounts(database, payment_id)["refunded"] == 500
    place.sync(database, payment_id)
    stands(captured=1499, refunding=100, refunded=200, refundable=1199)

    def is_over() -> bool:
        database.run(lambda connection: check_now(connection, pending))
        database.run(lambda connection: open_checks(connection, limit=10))
        run_until_quiet(pipeline(database, place.gateway))
        return bool(entity(database, pending)["status"] == "succeeded")

    assert eventually(is_over)
    stands(captured=1499, refunded=300, refundable=1199)
    statuses = {id_: entity(database, id_)["status"] for id_ in (pending, failing)}
    assert statuses == {pending: "succeeded", failing: "failed"}
    assert found_there(database, payment_id) == []
    (booked,) = [row for row in place.emulator.ledger() if row["merchant_payment_id"] == payment_id]
    assert (booked["captured"], booked["refunded"]) == (1499, 300)
    assert row_is_fold(database, payment_id)
