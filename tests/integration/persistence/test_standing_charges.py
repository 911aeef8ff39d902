"""One rule says which charges of a payment stand, and by which reference: whoever reads them from PostgreSQL agrees."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection
from support.attempts import an_attempt
from support.payments import accept_one, rows
from support.scripted_gateway import ScriptedGateway

from aegis_worker.audit.checks import net_charges
from aegis_worker.audit.subjects import read_subjects
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.attempts import Attempt, AttemptStatus
from aegis_worker.domain.charges import hop_reference, standing_charges, told_charges
from aegis_worker.domain.outcomes import Operation
from aegis_worker.hints import NoHints
from aegis_worker.ids import PAYMENT, new_id
from aegis_worker.persistence.asking import recheck_now
from aegis_worker.persistence.claims import claim
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.ended_payments import ended_payments
from aegis_worker.pipeline.recheck import RecheckParts, recheck
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.history import list_attempts
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.review.loading import load

OUTCOMES: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"reason": "reset"},
    {"captured": True},
    {"captured": False},
    {"captured": True, "duplicate": True, "before": "DECLINED"},
    {"captured": False, "duplicate": True, "given_back": True},
    {"captured": True, "given_back": None},
    {"captured": True, "of_a_later_version": [1]},
    {"code": "insufficient_funds", "gateway_code": None, "message": ""},
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["initiate", "authenticate", "process", "process", "capture", "void", "refund"]),
        st.integers(1, 3),
        st.sampled_from(list(AttemptStatus)),
        st.sampled_from(OUTCOMES),
        st.integers(0, 2),
        st.sampled_from([None, "ref_1", "ref_2", "ref_3"]),
    ),
    max_size=8,
    unique_by=lambda call: call[:2],
)

_INSERT = """
INSERT INTO attempts (payment_id, operation, number, gateway, gateway_key, request_hash, status, gateway_ref, outcome,
    lease_epoch, not_found_count, sent_at, recheck_at)
SELECT %(payment_id)s, c.operation, c.number, 'g' || c.number, c.operation || c.number, 'h', c.status, c.gateway_ref,
    c.outcome, 1, c.not_found_count, now() + make_interval(secs => c.place),
    CASE WHEN c.operation = 'process' THEN now() END
FROM json_to_recordset(%(calls)s::json) AS c(
    operation text, number int, status text, outcome jsonb, not_found_count int, gateway_ref text, place int)
"""
_DUE_NOW = "SELECT gateway_key FROM attempts WHERE payment_id = %(id)s AND recheck_at <= now()"
_FROZEN = "UPDATE payments SET frozen_at = now() WHERE id = %(id)s"
# Any history at all: the payment's references are of no concern here.
GENERATED = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)


def a_payment_with(database: Database, calls: list[tuple[Any, ...]]) -> str:
    """A payment that has failed after these calls."""
    payment_id = accept_one(database, new_id(PAYMENT)).payment.id
    names = ("operation", "number", "status", "outcome", "not_found_count", "gateway_ref")
    rows = [dict(zip(names, call, strict=True)) | {"place": place} for place, call in enumerate(calls)]

    def insert(tx: Connection) -> None:
        tx.exec_driver_sql(_INSERT, {"payment_id": payment_id, "calls": json.dumps(rows)})
        tx.exec_driver_sql("UPDATE payments SET state = 'FAILURE' WHERE id = %(id)s", {"id": payment_id})

    database.run(insert)
    return payment_id


def before(payment_id: str) -> str:
    """What comes before this id and after every earlier one."""
    return payment_id[:-1]


def timeless(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Without what each reader's own clock makes of it."""
    return [replace(attempt, sent_at_s=0.0) for attempt in attempts]


def made(calls: list[tuple[Any, ...]]) -> list[Attempt]:
    """What was written, by hand."""
    return [
        an_attempt(
            operation,
            number=number,
            status=status,
            outcome=outcome,
            not_found_count=not_found_count,
            gateway=f"g{number}",
            gateway_key=f"{operation}{number}",
            request_hash="h",
            gateway_ref=gateway_ref,
        )
        for operation, number, status, outcome, not_found_count, gateway_ref in calls
    ]


@pytest.mark.slow
@GENERATED
@given(calls=CALLS)
def test_whoever_reads_attempts_reads_the_same_ones(database: Database, calls: list[tuple[Any, ...]]) -> None:
    payment_id = a_payment_with(database, calls)
    claimed = database.run(partial(claim, queue="payments", limit=10, lease_s=600, worker="w"))
    with database.read() as connection:
        case = load(connection, payment_id)
        (subject,) = read_subjects(connection, bounds=Bounds(), limit=1, only=[payment_id])
        listed = list_attempts(connection, None, payment_id, limit=100)
    assert case is not None
    (job,) = [job for job in claimed if job.payment.id == payment_id]
    expected = made(calls)
    assert timeless(job.attempts) == expected
    assert timeless(case.calls) == expected
    assert timeless(subject.attempts) == expected
    assert timeless(stored.attempt for stored in listed) == expected


@GENERATED
@given(calls=CALLS)
def test_comparison_review_explanation_and_audit_agree_on_which_charges_stand(
    database: Database, calls: list[tuple[Any, ...]]
) -> None:
    payment_id = a_payment_with(database, calls)
    attempts = made(calls)
    standing = [attempts[position] for position in standing_charges(attempts)]
    told = [attempts[position] for position in told_charges(attempts)]
    assert {call.gateway_key for call in told} <= {call.gateway_key for call in standing}
    with database.read() as connection:
        case = load(connection, payment_id)
        (subject,) = read_subjects(connection, bounds=Bounds(), limit=1, only=[payment_id])
    with database.read() as connection:
        file = read_case_file(connection, None, payment_id)
    assert case is not None
    assert file is not None
    assert timeless(case.charges) == standing
    assert net_charges(subject) == [f"{call.gateway}/{call.number}" for call in told]
    assert len(standing_charges(file.calls)) == len(standing)
    pages = ended_payments(database, after=before(payment_id), page=10)
    compared = [charge for page in pages for ended in page for charge in ended.charges]
    assert [(charge.key, charge.gateway_ref) for charge in compared] == [
        (call.gateway_key, hop_reference(attempts, call)) for call in standing
    ]
    database.run(lambda tx: tx.exec_driver_sql(_FROZEN, {"id": payment_id}))
    with database.read() as connection:
        (waiting,) = list_reviews(connection, limit=1, after=before(payment_id)).rows
    assert waiting.was_charged is bool(standing)


@GENERATED
@given(calls=CALLS)
def test_a_charge_is_asked_about_again_by_the_reference_that_its_hop_was_given(
    database: Database, calls: list[tuple[Any, ...]]
) -> None:
    database.run(lambda tx: tx.exec_driver_sql("UPDATE attempts SET recheck_at = NULL"))
    payment_id = a_payment_with(database, calls)
    attempts = made(calls)
    gateways = {name: ScriptedGateway(name) for name in ("g1", "g2", "g3")}
    recheck(RecheckParts(database, gateways, NoHints(), ladder_s=(900.0,)))
    asked = {
        (query.reference, query.gateway_ref) for gateway in gateways.values() for query in gateway.look_ups
    }
    assert asked == {
        (call.gateway_key, hop_reference(attempts, call))
        for call in attempts
        if call.operation == Operation.PROCESS
    }
    # A webhook about a hop, or an answer that came too late, has the charge asked about that was given up, and no other.
    database.run(lambda tx: recheck_now(tx, [(payment_id, number, None) for number in (1, 2, 3)]))
    due = rows(database, _DUE_NOW, id=payment_id)
    assert {row["gateway_key"] for row in due} == {
        call.gateway_key
        for call in attempts
        if call.operation == Operation.PROCESS
        and call.status in (AttemptStatus.DECLINED, AttemptStatus.NOT_SENT)
    }
