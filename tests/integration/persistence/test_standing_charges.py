"""One rule says which charges of a payment stand; whoever reads them from PostgreSQL comes to the same ones."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.payments import accept_one

from aegis_worker.audit.checks import net_charges
from aegis_worker.audit.subjects import read_subjects
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.charges import standing_charges, told_charges
from aegis_worker.ids import PAYMENT, new_id
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.ended_payments import ended_payments
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.review.case import load

STATUSES = ("SENT", "APPROVED", "DECLINED", "ACTION_REQUIRED", "PENDING", "NOT_SENT", "UNKNOWN")
OUTCOMES: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"reason": "reset"},
    {"captured": True},
    {"captured": False},
    {"captured": True, "duplicate": True, "before": "DECLINED"},
    {"captured": False, "duplicate": True, "given_back": True},
    {"captured": True, "given_back": None},
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["initiate", "authenticate", "process", "process", "capture", "void", "refund"]),
        st.integers(1, 3),
        st.sampled_from(STATUSES),
        st.sampled_from(OUTCOMES),
        st.integers(0, 2),
    ),
    max_size=8,
    unique_by=lambda call: call[:2],
)

_INSERT = """
INSERT INTO attempts (payment_id, operation, number, gateway, gateway_key, request_hash, status, gateway_ref, outcome,
    lease_epoch, not_found_count, sent_at)
SELECT %(payment_id)s, c.operation, c.number, 'g' || c.number, c.operation || c.number, 'h', c.status, 'ref_' || c.number,
    c.outcome, 1, c.not_found_count, now() + make_interval(secs => c.place)
FROM json_to_recordset(%(calls)s::json) AS c(
    operation text, number int, status text, outcome jsonb, not_found_count int, place int)
"""


def write(database: Database, payment_id: str, calls: list[tuple[Any, ...]]) -> None:
    names = ("operation", "number", "status", "outcome", "not_found_count")
    rows = [dict(zip(names, call, strict=True)) | {"place": place} for place, call in enumerate(calls)]

    def insert(tx: Any) -> None:
        tx.exec_driver_sql(_INSERT, {"payment_id": payment_id, "calls": json.dumps(rows)})
        tx.exec_driver_sql("UPDATE payments SET state = 'FAILURE' WHERE id = %(id)s", {"id": payment_id})

    database.run(insert)


def before(payment_id: str) -> str:
    """What comes before this id and after every earlier one."""
    return payment_id[:-1]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)
@given(calls=CALLS)
def test_comparison_review_explanation_and_audit_agree_on_which_charges_stand(
    database: Database, calls: list[tuple[Any, ...]]
) -> None:
    payment_id = accept_one(database, new_id(PAYMENT)).payment.id
    write(database, payment_id, calls)
    with database.read() as connection:
        case = load(connection, payment_id)
        (subject,) = read_subjects(connection, bounds=Bounds(), limit=1, only=[payment_id])
    with database.read() as connection:
        file = read_case_file(connection, None, payment_id)
    assert case is not None
    assert file is not None
    standing = [case.calls[position].gateway_key for position in standing_charges(case.calls)]
    assert [charge.gateway_key for charge in case.charges] == standing
    assert len(standing_charges(file.attempts)) == len(standing)
    pages = ended_payments(database, after=before(payment_id), page=10)
    compared = [charge.key for page in pages for ended in page for charge in ended.charges]
    assert compared == standing
    told = [case.calls[position] for position in told_charges(case.calls)]
    assert net_charges(subject) == [f"{call.gateway}/{call.number}" for call in told]
    assert {call.gateway_key for call in told} <= set(standing)
