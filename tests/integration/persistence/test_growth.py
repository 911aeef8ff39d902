"""Growth: with many payments that have ended in the tables, no statement looks at more than a few of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, make_url
from support.erasing import erase
from support.outbox_events import claim_and_fan_out, execute, settings_with
from support.payments import a_command, accept_all, accept_one, pipeline, rows
from support.scripted_gateway import ScriptedGateway
from support.statement_plans import Scan, scans_of

from aegis_worker.audit.batches import check_keys, check_payments
from aegis_worker.cli import checks_database
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.entities import EntityKind, EntityStatus
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Declined, Outcome, Unknown
from aegis_worker.domain.reviews import REVIEW_KINDS
from aegis_worker.domain.transitions import State
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.hints import NoHints
from aegis_worker.ids import PAYMENT, first_id_at
from aegis_worker.intake import PaymentCommand
from aegis_worker.lab.bench.seed import seed_finished
from aegis_worker.persistence import delivery_rows, outbox_rows
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.claims import claim, due_by_queue
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.ended_payments import ended_payments
from aegis_worker.persistence.merchant_deliveries import of_owner
from aegis_worker.pipeline.recheck import RecheckParts, recheck
from aegis_worker.pipeline.run import run
from aegis_worker.purge import purge
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.entities import DISPUTES, ORDERED, EntityFilters, Shelf, list_some
from aegis_worker.queries.gateway_events import list_gateway_events
from aegis_worker.queries.jobs import list_jobs
from aegis_worker.queries.payments import PaymentFilters, list_payments
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.queries.stuck import Thresholds, list_stuck
from aegis_worker.reconcile import ReconcileParts, reconcile

# Of one scan of a table. A statement that reads what it doesn't need reads tens of thousands here.
MOST_ROWS = 2_000
AT_ONCE = 20_000
GROWS = {
    "payments",
    "payment_events",
    "jobs",
    "attempts",
    "idempotency_keys",
    "webhook_deliveries",
    "refunds",
    "disputes",
    "gateway_events",
}
# Keys are found by age, for want of an index by payment, and those here were all made in a few moments.
BY_AGE = ("audit of payments", "idempotency_keys")

UseCases = Mapping[str, Callable[[], object]]

DELIVERED = """
INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id, status, due_at, delivered_at)
SELECT 'whd_' || replace(uuidv7()::text, '-', ''), id, 3, 'whe_1', 'm_1', 'delivered', now(), now()
FROM payments WHERE unfinished IS FALSE
"""
# Old deliveries are of another mode than those that are listed, and nearly all refunds and disputes are over.
REFUNDED = """
UPDATE webhook_deliveries SET mode = 'live';
INSERT INTO refunds (id, payment_id, merchant_id, mode, number, amount_minor, currency, status, key, request_hmac, gateway)
SELECT 'ref_' || replace(uuidv7()::text, '-', ''), id, 'm_1', 'test', 1, 100, 'USD',
    CASE WHEN right(id, 3) = '000' THEN 'pending' ELSE 'succeeded' END, 'k', ''::bytea, 'null'
FROM payments WHERE unfinished IS FALSE;
INSERT INTO disputes (id, payment_id, merchant_id, mode, gateway, gateway_ref, charge_ref, own_charge, amount_minor,
    currency, status, gateway_status, reason, asked_at)
SELECT 'dsp_' || replace(uuidv7()::text, '-', ''), id, 'm_1', 'test', 'null', id, 'ch', true, 100, 'USD',
    CASE WHEN right(id, 3) = '000' THEN 'needs_response' ELSE 'won' END, 'won', 'general', now()
FROM payments WHERE unfinished IS FALSE;
INSERT INTO gateway_events (gateway, provider_event_id, kind, payment_id, gateway_ref)
SELECT 'null', id, 'payment.succeeded', id, 'ch_' || id FROM payments WHERE unfinished IS FALSE;
"""
ALIVE = """
INSERT INTO webhook_endpoints (id, merchant_id, url) VALUES ('whe_1', 'm_1', 'https://shop.example/hooks');
INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id)
SELECT 'whd_' || replace(uuidv7()::text, '-', ''), payment_id, seq, 'whe_1', 'm_1' FROM outbox;
UPDATE jobs SET status = 'review', lease_until = NULL
WHERE id IN (SELECT id FROM jobs WHERE queue = 'verify' AND status = 'waiting' LIMIT 3);
UPDATE payments SET frozen_at = now() WHERE id IN (SELECT min(id) FROM payments);
UPDATE attempts SET recheck_at = now() WHERE recheck_at IS NOT NULL;
INSERT INTO gateway_events (gateway, provider_event_id, kind, reference, gateway_ref, received_at)
SELECT 'a', 'e_' || payment_id, 'payment.failed', gateway_key, gateway_ref, now() FROM attempts;
UPDATE gateway_events SET status = 'waiting', due_at = now(), waits_until = now() + interval '1 h'
WHERE provider_event_id IN (SELECT provider_event_id FROM gateway_events LIMIT 50);
UPDATE idempotency_keys SET created_at = now() - interval '80 h'
WHERE (merchant_id, route, key) IN (SELECT merchant_id, route, key FROM idempotency_keys LIMIT 100);
"""


@pytest.fixture
def gateway() -> ScriptedGateway:
    """Approves one in three, declines one, leaves one in doubt."""

    def answer(request: GatewayRequest) -> Outcome:
        scripted.charge(request)
        refused = Declined("stolen_card", "stolen")
        return (scripted.charge(request), refused, Unknown("reset"))[int(request.payment_id[-3:], 16) % 3]

    scripted = ScriptedGateway("a", answer)
    return scripted


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """As the programs connect."""
    database = Database.connect(settings_with(database_url=database_url), application="test")
    yield database
    database.dispose()


def grow(database_url: str, count: int) -> None:
    url = make_url(database_url).set(drivername="postgresql")
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for first in range(0, count, AT_ONCE):
            seed_finished(cursor, "m_1", f"old-{first}", min(AT_ONCE, count - first), told=True)
        cursor.execute(DELIVERED)
        cursor.execute(REFUNDED)
        cursor.execute("VACUUM (ANALYZE)")
    connection.close()


def lists(database: Database, payment_id: str) -> UseCases:
    hour_ago, in_an_hour = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    filters: dict[str, PaymentFilters] = {
        "no filter": PaymentFilters(),
        **{state: PaymentFilters(state=state) for state in State if state not in ("FAILURE", "CANCELLED")},
        "in doubt": PaymentFilters(certainty="unknown"),
        "of a customer": PaymentFilters(customer_id="cus_none"),
        "with a reference": PaymentFilters(reference="old-0-77"),
        "with no such reference": PaymentFilters(reference="none"),
        "gateway": PaymentFilters(gateway="null"),
        "currency and amount": PaymentFilters(currency="USD", amount_gte=1, amount_lte=5000),
        "since": PaymentFilters(created_gte=hour_ago),
        "since then": PaymentFilters(created_gte=in_an_hour + timedelta(hours=1)),
        "before": PaymentFilters(created_lt=hour_ago - timedelta(days=1)),
    }

    def payments(owner: Owner | None, one: PaymentFilters) -> object:
        with database.read() as connection:
            return list_payments(connection, owner, one, limit=50)

    def jobs(**only: str) -> object:
        with database.read() as connection:
            return list_jobs(connection, Owner("m_1", "test"), limit=50, **only)

    def entities(shelf: Shelf[Any], one: EntityFilters) -> object:
        with database.read() as connection:
            return list_some(connection, shelf, Owner("m_1", "test"), one, limit=50)

    def deliveries() -> object:
        with database.read() as connection:
            wanted: dict[str, Any] = {"payment_id": None, "status": None, "limit": 50, "starting_after": None}
            return of_owner(connection, Owner("m_1", "test"), **wanted)

    refunds = ORDERED[EntityKind.REFUND]
    return {
        "refunds": partial(entities, refunds, EntityFilters()),
        **{
            f"refunds, {status}": partial(entities, refunds, EntityFilters(status=status))
            for status in EntityStatus
        },
        "refunds of a payment": partial(entities, refunds, EntityFilters(payment_id=payment_id)),
        "refunds since": partial(entities, refunds, EntityFilters(created_gte=in_an_hour)),
        **{
            f"disputes, {status}": partial(entities, DISPUTES, EntityFilters(status=status))
            for status in DisputeStatus
        },
        "disputes of a payment": partial(entities, DISPUTES, EntityFilters(payment_id=payment_id)),
        "deliveries": deliveries,
        **{
            f"payments, {name}": partial(payments, Owner("m_1", "test"), one) for name, one in filters.items()
        },
        "payments of anyone": partial(payments, None, PaymentFilters()),
        "jobs": jobs,
        "jobs that succeeded": partial(jobs, status="succeeded"),
        "jobs of a payment": partial(jobs, payment_id=payment_id),
        **{
            f"jobs, {name}": partial(jobs, status=name) for name in ("queued", "running", "waiting", "review")
        },
        **{f"jobs in review, {kind}": partial(jobs, review_kind=kind) for kind in REVIEW_KINDS},
    }


def looks(database: Database, payment_id: str) -> UseCases:
    def reading(look: Callable[[Connection], object]) -> Callable[[], object]:
        def read() -> object:
            with database.read() as connection:
                return look(connection)

        return read

    return {
        "sweep": reading(lambda tx: due_by_queue(tx, limit=1000)),
        "reviews": reading(lambda tx: list_reviews(tx, limit=50)),
        "fraud reviews": reading(lambda tx: list_reviews(tx, limit=50, kind="fraud")),
        "stuck": reading(lambda tx: list_stuck(tx, Thresholds(0, 0, 0, 0), limit=50)),
        "explain": reading(lambda tx: read_case_file(tx, Owner("m_1", "test"), payment_id)),
        "doctor": reading(
            lambda tx: [
                list(check(tx))
                for check in (checks_database.due_jobs, checks_database.open_jobs, checks_database.outbox)
            ]
        ),
        "doctor, webhooks": reading(lambda tx: list(checks_database.webhooks(tx))),
        "audit of payments": reading(lambda tx: check_payments(tx, limit=100)),
        "audit of keys": reading(lambda tx: check_keys(tx, limit=100)),
        "events of a payment": reading(lambda tx: list_gateway_events(tx, payment_id=payment_id, limit=50)),
        "comparison": lambda: next(ended_payments(database, after=first_id_at(PAYMENT, LONG_AGO), page=100)),
    }


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def a_list_of_everything() -> list[PaymentCommand]:
    """New payments, keys known before and twice in the list, references of other payments and twice in the list."""
    return [
        a_command(f"new-{number % 150}", reference=f"old-0-{number % 90}" if number % 2 else None)
        for number in range(200)
    ]


def works(database: Database, gateway: ScriptedGateway, payment_id: str) -> UseCases:
    parts = pipeline(database, gateway)
    reconciliation = ReconcileParts(database, parts.gateways, NoHints(), lambda: run(parts, "verify"))
    settings = settings_with(idempotency_keep_h=72)

    def deliver_events() -> None:
        events = database.run(lambda tx: claim_and_fan_out(tx, limit=100, lease_s=30)).events
        database.run(lambda tx: outbox_rows.remove(tx, events))

    def deliver_webhooks() -> None:
        one: dict[str, Any] = {"limit": 100, "per_endpoint": 100, "skip": [], "lease_s": 30}
        claimed = database.run(lambda tx: delivery_rows.claim(tx, **one)).deliveries
        settled = [
            delivery_rows.Settlement(delivery, "delivered", 0.0, {"status": 200}) for delivery in claimed
        ]
        database.run(lambda tx: delivery_rows.settle(tx, settled))

    return {
        "claim": lambda: database.run(lambda tx: claim(tx, "payments", limit=5, lease_s=90, worker="w")),
        "verify": lambda: database.run(lambda tx: claim(tx, "verify", limit=5, lease_s=90, worker="w")),
        "pipeline": lambda: run(parts, "payments"),
        "ask": lambda: database.run(lambda tx: ask_now(tx, payment_id)),
        "reconcile": lambda: [reconcile(reconciliation, trigger=by) for by in ("operator", "beat")],
        "gateway events": lambda: follow(FollowParts(database, parts.gateways, NoHints())),
        "recheck": lambda: recheck(RecheckParts(database, parts.gateways, NoHints(), (900.0,))),
        "outbox": deliver_events,
        "webhooks": deliver_webhooks,
        "replay": lambda: accept_one(database, "new-1"),
        "list": lambda: accept_all(a_list_of_everything(), database),
        "erase": lambda: erase(database, "cus_none", limit=50),
        "agreements": lambda: accept_one(
            database,
            "away",
            customer={"id": "cus_none"},
            payment_method={"type": "card", "token": "card_1", "fingerprint": "fp_1"},
            off_session=True,
        ),
        "purge": lambda: purge(database, settings, limit=50, budget_s=5),
    }


def scans_by_use_case(database: Database, use_cases: UseCases) -> dict[str, list[Scan]]:
    found = {}
    for name, use in use_cases.items():
        with scans_of(database.engine) as scans:
            use()
        found[name] = list(scans)
    return found


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_no_statement_reads_more_than_a_few_rows_of_a_table_that_grows(
    database: Database, database_url: str, gateway: ScriptedGateway, count: int
) -> None:
    grow(database_url, count)
    for number in range(30):
        accept_one(database, f"doubtful-{number}")
    run(pipeline(database, gateway), "payments")
    for number in range(30):
        accept_one(database, f"new-{number}")
    execute(database, ALIVE)
    (newest,) = rows(database, "SELECT max(id) AS id FROM payments")
    cases = {
        **lists(database, newest["id"]),
        **looks(database, newest["id"]),
        **works(database, gateway, newest["id"]),
    }
    found = scans_by_use_case(database, cases)
    assert [name for name, scans in found.items() if not scans] == []
    assert [
        f"{name}: {scan}"
        for name, scans in found.items()
        for scan in scans
        if (name, scan.table) != BY_AGE and _is_too_much(scan)
    ] == []


def _is_too_much(scan: Scan) -> bool:
    return scan.table in GROWS and (scan.looked_at > MOST_ROWS or scan.node == "Seq Scan")
