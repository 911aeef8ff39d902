"""Disputes in tests: what a gateway shows of one, and its webhooks, followed as a worker does."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import Dispute, DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.ids import DISPUTE, new_id
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.dispute_rows import write_dispute
from support.api_client import Api
from support.payments import accept_one, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway

RESPOND_BY = datetime(2026, 12, 4, 12, tzinfo=UTC)


def paid(database: Database, gateway: ScriptedGateway, key: str = "key-1") -> str:
    """A payment of 19.99 USD that the gateway has charged."""
    payment_id = accept_one(database, key).payment.id
    run_until_quiet(pipeline(database, gateway))
    return payment_id


def shown(
    status: DisputeStatus | None = DisputeStatus.NEEDS_RESPONSE, minor: int = 1999, **more: Any
) -> DisputeReport:
    """A dispute of the gateway's first charge, as the gateway shows it."""
    word = "a new word" if status is None else status.value
    report = DisputeReport(
        "dp_1", "ch_1", Money(minor, "USD"), status, word, "fraudulent", "10.4", respond_by=RESPOND_BY
    )
    return replace(report, **more)


def told(
    api: Api, *reports: DisputeReport, path: str = "/v1/gateways/a/webhooks", **fields: Any
) -> dict[str, int]:
    """The gateway posts an event about each of the disputes, which it shows as they are here, and a worker follows them."""
    gateway = api.gateways["a"]
    assert isinstance(gateway, ScriptedGateway)
    by_ref = {report.gateway_ref: report for report in reports}
    gateway.disputed = lambda query: by_ref[query.dispute_ref]
    for report in reports:
        post(api, report.gateway_ref, report.charge_ref, path=path, **fields)
    return followed(api)


def post(
    api: Api, dispute_ref: str, charge_ref: str, *, path: str = "/v1/gateways/a/webhooks", **fields: Any
) -> None:
    """The gateway posts an event about a dispute."""
    event = {
        "event_id": f"e_{uuid.uuid4().hex}",
        "kind": "dispute.opened",
        "reference": None,
        "gateway_ref": charge_ref,
        "dispute_ref": dispute_ref,
    }
    answer = api.app.test_client().post(path, data=json.dumps(event | fields))
    assert answer.status_code == 200, answer.text


def followed(api: Api) -> dict[str, int]:
    """A worker follows the events that are due."""
    return follow(FollowParts(api.database, api.gateways, api.told))


def let_events_pass(database: Database, seconds: float) -> None:
    """Let time pass for the events that wait, and the disputes that are asked about again."""

    def earlier(connection: Any) -> None:
        age = {"age": timedelta(seconds=seconds)}
        connection.exec_driver_sql(
            "UPDATE gateway_events SET due_at = due_at - %(age)s, waits_until = waits_until - %(age)s", age
        )
        connection.exec_driver_sql("UPDATE disputes SET check_at = check_at - %(age)s", age)

    database.run(earlier)


def disputes_of(database: Database, payment_id: str) -> list[dict[str, Any]]:
    """The payment's disputes, in the order in which we heard of them."""
    return rows(database, f"SELECT * FROM disputes WHERE payment_id = '{payment_id}' ORDER BY id")


def events_kept(database: Database) -> list[dict[str, Any]]:
    """What gateways told us, in the order in which it came."""
    return rows(database, "SELECT * FROM gateway_events ORDER BY received_at")


def insert_dispute(database: Database, payment_id: str, merchant_id: str = "mer_a") -> str:
    """A dispute's row without its events, for tests of reading; its id."""
    dispute = Dispute(new_id(DISPUTE), payment_id, "a", True, DisputeStatus.NEEDS_RESPONSE, shown())
    payment = Payment(payment_id, merchant_id, PaymentTerms(Money(1999, "USD"), {"type": "card"}))
    write = partial(
        write_dispute,
        dispute=dispute,
        payment=payment,
        account=None,
        asked_at=RESPOND_BY,
        check_at=RESPOND_BY,
        has_news=True,
    )
    database.run(write)
    return dispute.id
