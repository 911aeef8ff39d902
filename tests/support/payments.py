"""For tests of the pipeline: accept a payment, wire a pipeline to scripted gateways, and read what was stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.payment import Event, Payment
from aegis_worker.domain.replay import differences
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import AegisError
from aegis_worker.intake import Accepted, Intake, PaymentCommand
from aegis_worker.persistence.action_secrets import action_of
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.pipeline.parts import PipelineParts, RunReport
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from aegis_worker.resilience.permits import BreakerView, CallResult, GatewayHealth, Verdict, Wanted
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.sealing.keys import sealing_keys
from aegis_worker.sealing.ring import KeyRing

# A limit for a busy machine.
_FOLLOW_S = 20.0

POLICY = Policy(max_attempts=3, verify_ladder_s=(10.0, 30.0, 60.0), poison_cap=5)


class AlwaysGrants:
    """A lock that locks nothing, because the rest must hold without it."""

    def acquire(self, payment_ids: Sequence[str], *, ttl_ms: int) -> set[str]:
        return set(payment_ids)

    def release(self, payment_ids: Sequence[str]) -> None:
        """Do nothing, because nothing is held."""


class OpenGates:
    """Gates that let everything through, because the rest must hold without them."""

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        return [Verdict(granted=True) for _ in wanted]

    def report(self, results: Sequence[CallResult]) -> None:
        """Do nothing, because nothing is counted."""

    def forget(self, wanted: Sequence[Wanted]) -> None:
        """Do nothing, because nothing is held."""

    def health(self) -> Mapping[str, GatewayHealth]:
        return {}

    def views(self) -> Mapping[str, Mapping[str, BreakerView]]:
        return {}

    def turns(self, count: int) -> int:
        return 0


# What tests seal with, as an installation does whose AEGIS_SECRET this is.
A_RING = KeyRing(sealing_keys("", "s" * 32))


def in_configured_order() -> RoutingTable:
    return RoutingTable(RoutingConfig(), 0, "file", frozenset())


def a_command(key: str = "key-1", **changes: Any) -> PaymentCommand:
    """A command. A change goes to the command if it has a field of that name, and otherwise to its terms."""
    request: dict[str, Any] = {
        "owner": Owner("m_1", "test"),
        "route": "POST /v1/payments",
        "idempotency_key": key,
        "request_hmac": b"h" * 32,
    }
    terms: dict[str, Any] = {
        "amount": Money(1999, "USD"),
        "payment_method": {"type": "card", "token": "tok_ok"},
    }
    if "payer" in changes:
        request["payer"] = Payer(changes.pop("payer"))
    if "merchant_id" in changes:
        changes["owner"] = Owner(changes.pop("merchant_id"), "test")
    for name, value in changes.items():
        (request if name in request else terms)[name] = value
    return PaymentCommand(**request, terms=PaymentTerms(**terms))


def accept(command: PaymentCommand, database: Database) -> Accepted:
    return Intake(database, wait_s=_FOLLOW_S).accept(command)


def accept_all(commands: Sequence[PaymentCommand], database: Database) -> list[Accepted | AegisError]:
    return Intake(database, wait_s=_FOLLOW_S).accept_all(commands)


def accept_one(database: Database, key: str = "key-1", **changes: Any) -> Accepted:
    return accept(a_command(key, **changes), database)


def pipeline(database: Database, *gateways: Any, **changes: Any) -> PipelineParts:
    parts = PipelineParts(
        jobs=PostgresJobs(database, A_RING),
        gateways={gateway.config.name: gateway for gateway in gateways},
        locks=AlwaysGrants(),
        gates=OpenGates(),
        routing=in_configured_order,
        policy=POLICY,
        hint=lambda queue: None,
        worker="test",
        lease_s=90,
        batch=64,
        calls_in_flight=8,
        run_limit_s=5,
    )
    return replace(parts, **changes)


def run_until_quiet(parts: PipelineParts) -> list[RunReport]:
    return [run(parts, "payments"), run(parts, "verify")]


def action_kept(database: Database, payment_id: str) -> dict[str, Any] | None:
    """What the payment's payer has to do, opened."""
    return database.run(lambda connection: action_of(connection, A_RING, payment_id))


def make_due(database: Database) -> None:
    """Let the time pass for which jobs wait."""
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE jobs SET run_at = now() WHERE status = 'waiting'"
        )
    )


def end_leases(database: Database) -> None:
    """Let the leases of dead workers run out."""
    statement = "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE status = 'running'"
    database.run(lambda connection: connection.exec_driver_sql(statement))


def let_pass(database: Database, seconds: float) -> None:
    """Let time pass for every attempt, and for whatever waits."""
    times = "sent_at = sent_at - %(age)s, first_not_found_at = first_not_found_at - %(age)s"
    age = {"age": timedelta(seconds=seconds)}
    database.run(lambda connection: connection.exec_driver_sql(f"UPDATE attempts SET {times}", age))
    make_due(database)


def rows(database: Database, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [dict(row) for row in connection.exec_driver_sql(sql, parameters).mappings()]


def payment_of(database: Database, payment_id: str) -> Payment:
    return payment_from_row(rows(database, "SELECT * FROM payments WHERE id = %(id)s", id=payment_id)[0])


def last_error_of(payment: Payment) -> Mapping[str, Any]:
    """Of a payment that has one."""
    assert payment.last_error is not None
    return payment.last_error


def events_of(database: Database, payment_id: str) -> list[Event]:
    sql = "SELECT * FROM payment_events WHERE payment_id = %(id)s ORDER BY seq"
    return [
        Event(payment_id, row["seq"], EventType(row["type"]), row["data"])
        for row in rows(database, sql, id=payment_id)
    ]


def story_of(database: Database, payment_id: str) -> list[str]:
    """The payment's events by type, after checking that its row is what they fold to (I4)."""
    events = events_of(database, payment_id)
    assert differences(payment_of(database, payment_id), events) == {}
    return [event.type.removeprefix("PAYMENT_") for event in events]


def job_of(database: Database, payment_id: str) -> dict[str, Any]:
    """The newest job. `due_in_s` from now on; `put_off_s` from when it was last written, however long ago that is."""
    sql = (
        "SELECT *, extract(epoch FROM run_at - now()) AS due_in_s,"
        " extract(epoch FROM run_at - updated_at) AS put_off_s FROM jobs WHERE payment_id = %(id)s ORDER BY id"
    )
    return rows(database, sql, id=payment_id)[-1]


def attempts_of(database: Database, payment_id: str) -> list[dict[str, Any]]:
    return rows(database, "SELECT * FROM attempts WHERE payment_id = %(id)s ORDER BY sent_at", id=payment_id)
