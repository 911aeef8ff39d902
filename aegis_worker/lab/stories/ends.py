"""How a life stands, as plain values: what is held against each other of the explored life and the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.disputes import Dispute
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.replay import differences as fold_differences
from aegis_worker.lab.explore.ledger import Ledger
from aegis_worker.lab.explore.rows import Rows
from aegis_worker.persistence.attempt_rows import ATTEMPTS_AS_JSON, attempt_from_row
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.dispute_rows import dispute_from_row
from aegis_worker.persistence.entity_rows import ENTITIES_AS_JSON, entities_from_json
from aegis_worker.persistence.mapping import payment_from_row

from .reading import events_of

End = Mapping[str, Any]

# A job that waits is due at the same moment, as far as microseconds on the way don't matter.
_SAME_MOMENT_S = 0.5

_JOB = """
SELECT operation, queue, status, claim_count, extract(epoch FROM run_at - clock_timestamp())::float8 AS due_in_s
FROM jobs WHERE payment_id = %(id)s AND finished_at IS NULL
"""
_DISPUTES = "SELECT * FROM disputes WHERE payment_id = %(id)s"
_OUTBOX = "SELECT count(*) AS told FROM outbox WHERE payment_id = %(id)s"


def explored_end(rows: Rows, ledgers: Sequence[Ledger]) -> End:
    """Of the model. Versions are left out, because explorers count them anew when nobody holds one."""
    job = rows.job
    return {
        "payment": _payment(rows.payment),
        "attempts": [_attempt(row.attempt) for row in rows.attempts],
        "job": None if job is None else [job.operation, job.queue, job.status, job.claim_count],
        "due": None if job is None or job.status != "waiting" else job.run_at,
        "not handed on": rows.payment.version - rows.outbox,
        "orders": [_order(row.entity) for row in rows.entities],
        "disputes": [_dispute(row.dispute) for row in rows.disputes],
        "ledgers": [_ledger(ledger) for ledger in ledgers],
    }


def real_end(database: Database, payment_id: str, ledgers: Sequence[Ledger]) -> End:
    """Of PostgreSQL. Raises AssertionError where the payment's row is not what its events fold to."""
    names = {"id": payment_id}
    with database.read() as connection:

        def rows(sql: str) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.exec_driver_sql(sql, names).mappings()]

        payment = payment_from_row(rows("SELECT * FROM payments WHERE id = %(id)s")[0])
        events = events_of(connection, payment_id)
        attempts = rows(f"SELECT ({ATTEMPTS_AS_JSON.format(payment_id='%(id)s')}) AS attempts")[0]["attempts"]
        entities = rows(f"SELECT ({ENTITIES_AS_JSON.format(payment_id='%(id)s')}) AS entities")[0]["entities"]
        jobs, (outbox,) = rows(_JOB), rows(_OUTBOX)
        disputes = [dispute_from_row(row) for row in rows(_DISPUTES)]
    if (differing := fold_differences(payment, events)) != {}:
        raise AssertionError(f"I4: row and events differ: {differing}")
    job = jobs[0] if jobs else None
    return {
        "payment": _payment(payment),
        "attempts": [_attempt(attempt_from_row(row, 0.0, 0.0)) for row in attempts or ()],
        "job": None if job is None else [job["operation"], job["queue"], job["status"], job["claim_count"]],
        "due": None if job is None or job["status"] != "waiting" else max(0.0, job["due_in_s"]),
        "not handed on": payment.version - outbox["told"],
        "orders": [_order(entity) for entity in entities_from_json(entities)],
        "disputes": [_dispute(dispute) for dispute in disputes],
        "ledgers": [_ledger(ledger) for ledger in ledgers],
    }


def differing(explored: End, real: End) -> list[str]:
    """What is otherwise in the real life, in words."""
    found = []
    for name, told in explored.items():
        here = real[name]
        if name == "due" and told is not None and here is not None and abs(told - here) <= _SAME_MOMENT_S:
            continue
        if here != told:
            found += _parts(name, told, here)
    return found


def _parts(name: str, told: Any, here: Any) -> list[str]:
    if isinstance(told, Mapping) and isinstance(here, Mapping):
        keys = [key for key in told if told[key] != here.get(key)]
        return [f"{name}: {key} is {here.get(key)!r}, explored was {told[key]!r}" for key in keys]
    return [f"{name}: {here!r}, explored was {told!r}"]


def _payment(payment: Payment) -> dict[str, Any]:
    names = (
        "authorized_minor",
        "captured_minor",
        "refunded_minor",
        "capturing_minor",
        "refunding_minor",
        "closing",
        "cancelling",
        "disputed_minor",
        "charged_back_minor",
        "gateway",
        "gateway_ref",
        "certainty",
    )
    error = payment.last_error or {}
    return {
        "state": payment.state.value,
        **{name: getattr(payment, name) for name in names},
        "error": error.get("code"),
    }


def _attempt(attempt: Attempt) -> list[Any]:
    return [
        attempt.operation.value,
        attempt.number,
        attempt.gateway,
        attempt.status.value,
        attempt.gateway_ref,
        attempt.sends,
        attempt.checks,
        attempt.not_found_count,
        attempt.outcome.code,
    ]


def _order(entity: Any) -> list[Any]:
    order = entity.order
    return [
        order.kind.value,
        order.number,
        order.amount_minor,
        order.final,
        order.origin,
        entity.status.value,
    ]


def _dispute(dispute: Dispute) -> list[Any]:
    return [dispute.status.value, dispute.shown.amount.minor, dispute.own_charge]


def _ledger(ledger: Ledger) -> list[Any]:
    return [
        ledger.name,
        [
            [
                one.operation.value,
                one.key,
                one.ref,
                one.minor,
                one.status,
                one.captured,
                one.refunded,
                one.voided,
            ]
            for one in ledger.entries
        ],
        sorted(ledger.closed),
    ]
