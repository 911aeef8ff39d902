"""The hot statements read by index, and no more rows than their batch, whatever the tables held when they were planned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.outbox_events import execute, settings_with
from support.payments import a_command, accept_all, pipeline, rows
from support.scripted_gateway import ScriptedGateway
from support.statement_plans import Scan, scans_of

from aegis_worker.domain.exchanges import AttemptExchange, CallKind, Noted
from aegis_worker.domain.gateway_events import Followed
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import Approved
from aegis_worker.persistence import delivery_rows, exchange_rows, gateway_event_rows, hook_rows, outbox_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.delivery_rows import Settlement
from aegis_worker.persistence.hook_rows import Failure, Listener
from aegis_worker.pipeline.run import run

BATCH, MANY = 40, 2000
HOT = (
    "claim",
    "record",
    "outbox_claim",
    "outbox_remove",
    "webhook_claim",
    "webhook_settle",
    "hook_claim",
    "hook_remove",
    "hook_put_back",
    "hook_fail",
    "keep_exchanges",
    "claim_events",
    "match_events",
    "settle_events",
)
# Of one scan. A claim of events also looks at the other events of its payments, of which each has three; and a second
# claim at those behind what the first holds.
MOST_ROWS = 6 * BATCH
# Tables that never grew large are read at once, whatever the plan.
GROWN = (
    "payments",
    "jobs",
    "outbox",
    "payment_events",
    "webhook_deliveries",
    "hook_deliveries",
    "exchanges",
    "gateway_events",
    "gateway_references",
)

ENDPOINT = """
INSERT INTO webhook_endpoints (id, merchant_id, url) VALUES ('whe_1', 'm_1', 'https://merchant.example/hooks')
"""
DELIVERIES = """
INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id)
SELECT 'whd_' || payment_id || seq, payment_id, seq, 'whe_1', 'm_1' FROM payment_events ON CONFLICT DO NOTHING
"""

FOR_HOOKS = """
INSERT INTO hook_deliveries (hook, point, payment_id, seq)
SELECT 'mail', 'listen', payment_id, nr FROM payment_events, generate_series(seq, seq + 2) nr
ORDER BY payment_id, nr ON CONFLICT DO NOTHING
"""
LISTENERS = [Listener("mail", "listen"), Listener("none", "listen")]

EXCHANGES = """
INSERT INTO exchanges (payment_id, id, operation, number, kind, at, told)
SELECT id, 1, 'process', 1, 'look_up', now(), '{}' FROM payments ON CONFLICT DO NOTHING
"""

EVENTS = """
INSERT INTO gateway_events (gateway, provider_event_id, kind, reference, status, due_at, waits_until)
SELECT 'a', id, 'charge.updated', id || '-c1', 'waiting', now(), now() FROM payments ON CONFLICT DO NOTHING
"""

FOR_EVER = float("inf")
Scans = dict[str, list[Scan]]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """As the programs connect, over one connection; the merchant has an endpoint."""
    database = Database.connect(settings_with(database_url=database_url), application="test", pool_size=1)
    execute(database, ENDPOINT)
    yield database
    database.dispose()


def keep_plans(database: Database, *, for_s: float) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("DISCARD PLANS")
        connection.info["plans_hold_until_s"] = for_s


def accept_many(database: Database, count: int = MANY) -> None:
    """Rows that no ANALYZE has seen, which would have PostgreSQL make its plans anew."""
    accept_all([a_command(f"key-{number}-of-{count}") for number in range(count)], database)
    execute(database, DELIVERIES)
    execute(database, FOR_HOOKS)
    execute(database, EXCHANGES)
    execute(database, EVENTS)


def use_all(database: Database) -> None:
    """Claim jobs, open their attempts and record the answers; claim the events and remove them; settle their webhooks."""
    gateway = ScriptedGateway("a", lambda request: Approved(f"ref_{request.payment_id}"))
    run(pipeline(database, gateway, batch=BATCH, calls_in_flight=BATCH, run_limit_s=0.1), "payments")
    events = database.run(lambda tx: outbox_rows.claim(tx, limit=BATCH, lease_s=30)).events
    database.run(lambda tx: outbox_rows.remove(tx, events))
    webhooks = database.run(
        lambda tx: delivery_rows.claim(tx, limit=BATCH, per_endpoint=BATCH, skip=[], lease_s=30)
    ).deliveries
    settled = [Settlement(webhook, "delivered", entry={"status_code": 204}) for webhook in webhooks]
    database.run(lambda tx: delivery_rows.settle(tx, settled))
    heard = database.run(lambda tx: hook_rows.claim(tx, LISTENERS, of_each=BATCH, lease_s=30))
    failed = [Failure(delivery, "raised KeyError", 9.0) for delivery in heard[:9]]
    database.run(lambda tx: hook_rows.settle(tx, heard[20:], failed, heard[9:20]))
    asked = [row["payment_id"] for row in rows(database, "SELECT payment_id FROM attempts LIMIT 40")]
    noted = Noted(0.0, "{}")
    told = [AttemptExchange(id_, "process", 1, CallKind.LOOK_UP, 2, noted) for id_ in asked]
    if told:
        database.run(lambda tx: exchange_rows.KEEP.execute(tx, *exchange_rows.columns_of(told)))
    follow_events(database)


def follow_events(database: Database) -> None:
    """Claim events, find their payments and write down that nothing came of them."""
    claimed = database.run(lambda tx: gateway_event_rows.claim(tx, limit=BATCH))
    places = [parse_gateway_key(event.reference or "") for event in claimed]
    found = database.run(lambda tx: gateway_event_rows.match(tx, claimed, places))
    assert None not in found
    followed = [Followed(event, "no_news") for event in claimed]
    database.run(lambda tx: gateway_event_rows.settle(tx, followed))


def scans_of_use(database: Database) -> Scans:
    with scans_of(database.engine) as scans:
        use_all(database)
    return {name: [scan for scan in scans if f"EXECUTE {name} " in scan.statement] for name in HOT}


def too_much(scans: Scans) -> list[Scan]:
    return [
        scan
        for of_it in scans.values()
        for scan in of_it
        if scan.looked_at > MOST_ROWS or (scan.node == "Seq Scan" and scan.table in GROWN)
    ]


def test_planned_for_full_tables(database: Database) -> None:
    accept_many(database)
    execute(database, "ANALYZE")
    scans = scans_of_use(database)
    assert [name for name in scans if not any(scan.looked_at for scan in scans[name])] == []
    assert too_much(scans) == []


# What was in the tables when they were last looked at: a row a page or none has a planner expect few for long.
SEEN = [(0, "ANALYZE"), (1, "VACUUM"), (2, "ANALYZE")]
SEEN_BESIDES = [
    (before, looks)
    for before in (0, 1, 2, 10, 50, 100)
    for looks in (None, "ANALYZE", "VACUUM", "VACUUM (ANALYZE)")
    if (before, looks) not in SEEN
]


def is_read_by_key(database: Database) -> None:
    accept_many(database)
    scans = scans_of_use(database)
    assert [name for name in scans if not any(scan.looked_at for scan in scans[name])] == []
    assert too_much(scans) == []


def look(database: Database, how: str, *tables: str) -> None:
    """As autovacuum may at any moment; without `tables`, at all of them."""
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
            f"{how} {', '.join(tables)}"
        )


def test_planned_for_full_tables_of_which_postgresql_knows_nothing_yet(database: Database) -> None:
    is_read_by_key(database)


@pytest.mark.parametrize(
    ("before", "looks"), [*SEEN, *(pytest.param(*one, marks=pytest.mark.slow) for one in SEEN_BESIDES)]
)
def test_planned_for_tables_that_were_smaller_when_postgresql_looked(
    database: Database, before: int, looks: str | None
) -> None:
    if before:
        accept_many(database, before)
    if looks:
        look(database, looks)
    is_read_by_key(database)


@pytest.mark.slow
@pytest.mark.parametrize("table", GROWN)
@pytest.mark.parametrize("others", ["never", "when they were empty"])
def test_planned_for_tables_of_which_postgresql_knows_one_alone(
    database: Database, table: str, others: str
) -> None:
    if others == "when they were empty":
        look(database, "ANALYZE")
    accept_many(database)
    look(database, "ANALYZE", table)
    scans = scans_of_use(database)
    assert too_much(scans) == []


def test_planned_anew_for_tables_that_were_empty(database: Database) -> None:
    keep_plans(database, for_s=FOR_EVER)
    use_all(database)
    accept_many(database)
    keep_plans(database, for_s=0)
    assert too_much(scans_of_use(database)) == []


@pytest.mark.slow
@pytest.mark.parametrize("before", [0, 1, BATCH])
def test_even_a_plan_for_empty_tables_reads_no_more(database: Database, before: int) -> None:
    keep_plans(database, for_s=FOR_EVER)
    if before:
        accept_many(database, before)
    use_all(database)
    accept_many(database)
    scans = scans_of_use(database)
    assert [name for name in scans if not any(scan.looked_at for scan in scans[name])] == []
    assert too_much(scans) == []


def test_planned_for_tables_that_most_rows_have_left(database: Database) -> None:
    accept_many(database)
    execute(database, "ANALYZE")
    execute(database, "DELETE FROM outbox")
    execute(database, "UPDATE jobs SET status = 'failed', finished_at = now()")
    accept_many(database, BATCH)
    scans = scans_of_use(database)
    assert [scan for scan in too_much(scans) if scan.node == "Seq Scan"] == []


def test_empty_tables(database: Database) -> None:
    assert too_much(scans_of_use(database)) == []
