"""What a monitor is told of events, webhooks and reviews: what waits and for how long, at a bounded cost."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.api_client import Api, start_api
from support.disputes import insert_dispute
from support.outbox_events import STORY, a_payment, claim_and_fan_out, execute, settings_with
from support.payments import accept_one

from aegis_worker.delivery.webhooks.endpoints import create_endpoint, disable_endpoint
from aegis_worker.domain.approvals import APPROVAL_KINDS
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.people import ROLES, USER_STATUSES
from aegis_worker.persistence.database import Database
from aegis_worker.queries import waiting


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    api = start_api(database_url)
    yield api
    api.database.dispose()


def told(api: Api) -> dict[str, float]:
    """The metrics that are not about gateways, by name and label."""
    answer = api.app.test_client().get("/metrics")
    assert answer.status_code == 200
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if not sample.name.startswith("aegis_gateway")
    }


def test_nothing_that_waits_is_told_as_0(api: Api) -> None:
    found = told(api)
    without = {"aegis_disputes_deadline_seconds", "aegis_reconciliation_mismatches"}
    assert {name for name, value in found.items() if isnan(value)} == without
    assert {name: value for name, value in found.items() if name not in without} == {
        "aegis_database_up": 1,
        "aegis_jobs_due payments": 0,
        "aegis_jobs_due verify": 0,
        "aegis_outbox_pending stream": 0,
        "aegis_outbox_pending webhooks": 0,
        "aegis_outbox_pending hooks": 0,
        "aegis_outbox_oldest_age_seconds hooks": 0,
        "aegis_hook_deliveries pending": 0,
        "aegis_hook_deliveries failing": 0,
        "aegis_hook_deliveries dead": 0,
        "aegis_outbox_oldest_age_seconds stream": 0,
        "aegis_outbox_oldest_age_seconds webhooks": 0,
        "aegis_webhook_deliveries pending": 0,
        "aegis_webhook_deliveries failing": 0,
        "aegis_webhook_deliveries dead": 0,
        "aegis_webhook_deliveries cancelled": 0,
        "aegis_reviews_waiting doubt": 0,
        "aegis_reviews_waiting fraud": 0,
        "aegis_reviews_oldest_age_seconds doubt": 0,
        "aegis_reviews_oldest_age_seconds fraud": 0,
        "aegis_payments_frozen": 0,
        "aegis_audit_incidents": 0,
        "aegis_jobs_oldest_age_seconds payments": 0,
        "aegis_jobs_oldest_age_seconds verify": 0,
        "aegis_payments_in_doubt": 0,
        "aegis_payments_in_doubt_oldest_age_seconds": 0,
        "aegis_disputes_waiting": 0,
        **{f"aegis_approvals_waiting {kind}": 0 for kind in APPROVAL_KINDS},
        **{f"aegis_approvals_oldest_age_seconds {kind}": 0 for kind in APPROVAL_KINDS},
        **{f"aegis_console_users {role} {status}": 0 for role in ROLES for status in USER_STATUSES},
    }


def test_what_waits_is_told_with_its_age(api: Api, database: Database) -> None:
    settings = settings_with(webhook_allow_private=True)
    for path in ("/stays", "/gone"):
        made = create_endpoint(database, settings, Owner("m_1", "test"), f"http://127.0.0.1:9009{path}", ())
    a_payment(database, events=STORY)
    database.run(lambda connection: claim_and_fan_out(connection, limit=10, lease_s=60))
    disable_endpoint(database, Owner("m_1", "test"), made.endpoint.id)
    execute(database, "UPDATE webhook_deliveries SET status = 'dead' WHERE status = 'pending' AND seq = 1")
    execute(database, "UPDATE webhook_deliveries SET tries = 2 WHERE status = 'pending' AND seq = 2")
    execute(database, "UPDATE webhook_deliveries SET created_at = now() - interval '300 s'")
    execute(database, "UPDATE outbox SET created_at = now() - interval '600 s' WHERE seq = 3")
    accept_one(database)
    accept_one(database, "key-2")
    held_back = accept_one(database, "key-3").payment.id
    execute(database, "UPDATE jobs SET status = 'review', updated_at = now() - interval '900 s'")
    execute(
        database,
        "UPDATE jobs SET review_kind = 'fraud', updated_at = now() - interval '5000 s'"
        f" WHERE payment_id = '{held_back}'",
    )
    execute(database, "UPDATE payments SET frozen_at = now() WHERE id = (SELECT min(payment_id) FROM jobs)")
    found = told(api)
    assert found["aegis_outbox_pending stream"] == 6
    assert 600 <= found["aegis_outbox_oldest_age_seconds stream"] < 4000
    assert found["aegis_outbox_pending webhooks"] == found["aegis_webhook_deliveries pending"] == 2
    assert 300 <= found["aegis_outbox_oldest_age_seconds webhooks"] < 4000
    by_status = {name: found[f"aegis_webhook_deliveries {name}"] for name in ("failing", "dead", "cancelled")}
    assert by_status == {"failing": 1, "dead": 1, "cancelled": 3}
    assert (found["aegis_reviews_waiting doubt"], found["aegis_payments_frozen"]) == (2, 1)
    assert 900 <= found["aegis_reviews_oldest_age_seconds doubt"] < 4000
    assert found["aegis_reviews_waiting fraud"] == 1
    assert 5000 <= found["aegis_reviews_oldest_age_seconds fraud"] < 8000


def test_disputes_that_wait_for_evidence_are_told_with_the_next_deadline(
    api: Api, database: Database
) -> None:
    insert_dispute(database, accept_one(database).payment.id)
    execute(database, "UPDATE disputes SET respond_by = now() + interval '1 h'")
    found = told(api)
    assert found["aegis_disputes_waiting"] == 1
    assert 0 < found["aegis_disputes_deadline_seconds"] <= 3600


def test_counts_end_at_their_bound(api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_COUNTED", 2)
    a_payment(database, events=STORY)
    assert told(api)["aegis_outbox_pending stream"] == 2


def test_no_count_reads_a_table_from_end_to_end(database: Database) -> None:
    names = {"most": 10, "after": "whd_"}
    for statement in (
        waiting._OUTBOX,
        waiting._WEBHOOKS,
        waiting._ENDED,
        waiting._REVIEWS,
        waiting._DISPUTES,
    ):
        with database.read() as connection:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", names).scalars())
        assert "Index" in plan
        assert "Seq Scan" not in plan, plan
