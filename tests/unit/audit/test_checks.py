"""The audit's checks on subjects made by hand: what is a violation, what is not, and what is gathered into one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace
from support.attempts import an_attempt

from aegis_worker.audit.checks import folded, net_charges, shared_among, violations
from aegis_worker.audit.subjects import Subject
from aegis_worker.audit.violations import INVARIANTS, Bounds, Finding, gather
from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.replay import snapshot
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.transitions import State
from aegis_worker.ids import first_id_at, made_at, new_id
from aegis_worker.persistence.tables.oversight import INVARIANTS as INVARIANTS_OF_THE_TABLE

BOUNDS = Bounds(overdue_after_s=100, undelivered_after_s=1000, settles_after_s=60)
TOLD = [
    {"seq": 1, "type": "PAYMENT_INITIATED", "data": {}},
    {"seq": 2, "type": "PAYMENT_PROCESSING", "data": {"gateway": "a"}},
    {
        "seq": 3,
        "type": "PAYMENT_SUCCEEDED",
        "data": {"gateway_ref": "c", "authorized_minor": 5, "captured_minor": 5},
    },
]
PAID = Payment(
    id="pay_1",
    merchant_id="m_1",
    terms=PaymentTerms(Money(5, "USD"), {"type": "card"}),
    state=State.SUCCESS,
    version=3,
    authorized_minor=5,
    captured_minor=5,
    gateway="a",
    gateway_ref="c",
)
CHARGE = an_attempt(outcome={"captured": True}, gateway_ref="c")
VOID = replace(CHARGE, operation=Operation.VOID)
HELD = replace(CHARGE, outcome=StoredOutcome(captured=False))
JOB = {"id": "job_1", "operation": "process", "queue": "payments", "status": "succeeded", "overdue_s": None}
WAITING = {"seq": 3, "leased": False, "tries": 0, "last_error": None, "age_s": 5.0}
HEALTHY = Subject(
    payment=PAID,
    frozen=False,
    rested_s=5.0,
    told=3,
    last_seq=3,
    late_charge_told=False,
    events=TOLD,
    folds_from=0,
    snapshots=(),
    jobs=[JOB],
    attempts=[CHARGE],
    outbox=[WAITING],
    out_of_order=(),
    not_fanned_out=(),
    keys=[{"merchant_id": "m_1", "key": "k"}],
    key_is_kept=True,
)


def found(**changes: Any) -> dict[str, str]:
    """What is wrong with the healthy subject after these changes: invariant to summary."""
    return {one.invariant: one.summary for one in violations(dataclasses.replace(HEALTHY, **changes), BOUNDS)}


def the_payment(**changes: Any) -> Payment:
    return replace(PAID, **changes)


def test_a_healthy_payment_has_no_violations() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("over_s", "changes", "is_found"),
    [
        (-60.0, {}, False),
        (3600.0, {}, False),
        (4 * 86_400.0, {}, True),
        (4 * 86_400.0, {"jobs": [{**JOB, "status": "review"}]}, False),
        (4 * 86_400.0, {"attempts": [an_attempt(status="UNKNOWN")]}, False),
    ],
)
def test_neither_an_action_nor_a_hold_stands_for_ever_after_its_end(
    over_s: float, changes: dict[str, Any], is_found: bool
) -> None:
    for state, time in ((State.REQUIRES_ACTION, "action_over_s"), (State.AUTHORIZED, "hold_over_s")):
        stands = dataclasses.replace(HEALTHY, payment=the_payment(state=state), **{time: over_s} | changes)
        summaries = [one.summary for one in violations(stands, BOUNDS) if one.invariant == "I2"]
        over = [summary for summary in summaries if "is over" in summary]
        assert bool(over) == is_found


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([CHARGE], ["a/1"]),
        ([CHARGE, replace(CHARGE, gateway="b", number=2)], ["a/1", "b/2"]),
        (
            [replace(CHARGE, status=AttemptStatus.DECLINED), replace(CHARGE, gateway="b", number=2)],
            ["b/2"],
        ),
        ([CHARGE, replace(CHARGE, number=2), replace(VOID, number=2)], ["a/1"]),
        (
            [
                CHARGE,
                replace(CHARGE, number=2),
                replace(VOID, number=2, status=AttemptStatus.UNKNOWN),
            ],
            ["a/1", "a/2"],
        ),
        ([HELD], []),
        ([HELD, an_attempt("capture")], ["a/1"]),
        ([replace(CHARGE, operation=Operation.AUTHENTICATE)], []),
    ],
)
def test_net_charges_are_what_was_captured_and_not_reversed(calls: list[Any], expected: list[str]) -> None:
    assert net_charges(dataclasses.replace(HEALTHY, attempts=calls)) == expected


def test_held_funds_wait_without_a_job() -> None:
    told = [*TOLD[:2], {"seq": 3, "type": "PAYMENT_AUTHORIZED", "data": {"authorized_minor": 5}}]
    held = the_payment(state=State.AUTHORIZED, captured_minor=0, gateway_ref=None)
    changes = {"payment": held, "events": told, "attempts": [HELD]}
    assert found(**changes, rested_s=1e6) == {}


@pytest.mark.parametrize(("rested_s", "is_found"), [(59.0, False), (60.0, True)])
def test_a_payment_without_a_job_is_given_time_to_get_one(rested_s: float, is_found: bool) -> None:
    begun = the_payment(
        state=State.PROCESSING, version=2, authorized_minor=0, captured_minor=0, gateway_ref=None
    )
    wrong = found(
        payment=begun,
        told=2,
        last_seq=2,
        events=TOLD[:2],
        outbox=[],
        attempts=[],
        rested_s=rested_s,
    )
    assert wrong == ({"I2": "PROCESSING and nobody works on it"} if is_found else {})


@pytest.mark.parametrize(
    ("status", "overdue_s", "summary"),
    [
        ("waiting", 99.0, None),
        ("waiting", 101.0, "job due for 101 s"),
        ("running", 101.0, "job held past its lease for 101 s"),
        ("running", -60.0, None),
        ("review", None, None),
    ],
)
def test_jobs_may_be_late_up_to_the_bound(status: str, overdue_s: float | None, summary: str | None) -> None:
    wrong = found(jobs=[JOB | {"status": status, "overdue_s": overdue_s}])
    assert wrong == ({"I2": summary} if summary else {})


def test_an_outbox_row_in_flight_explains_what_left_after_it() -> None:
    early = WAITING | {"seq": 2, "age_s": 999.0}
    assert found(outbox=[early | {"leased": True}]) == {}
    assert found(outbox=[early]) == {"I4": "events left the outbox before event 2"}
    assert found(outbox=[early | {"age_s": 59.0}]) == {}


def test_a_payment_older_than_its_keys_needs_none() -> None:
    assert found(keys=[], key_is_kept=False) == {}
    assert set(found(keys=[])) == {"I7"}


def test_a_history_with_a_hole_is_not_folded_across_it() -> None:
    (violation,) = violations(dataclasses.replace(HEALTHY, told=2, events=[TOLD[0], TOLD[2]]), BOUNDS)
    assert (violation.invariant, violation.evidence, violation.breaks_history) == (
        "I4",
        {"events": 2, "last_seq": 3},
        True,
    )


def test_folding_goes_on_from_a_snapshot() -> None:
    state = snapshot(folded(dataclasses.replace(HEALTHY, events=TOLD[:2])))
    kept = {"snapshots": [{"seq": 2, "state": state}], "folds_from": 2, "events": TOLD[2:]}
    assert found(**kept) == {}
    meddled = {**kept, "snapshots": [{"seq": 2, "state": state | {"gateway": "b"}}]}
    assert found(**meddled) == {"I4": "row and events differ in gateway"}


def test_only_the_start_tells_that_a_snapshot_is_wrong() -> None:
    state = snapshot(folded(dataclasses.replace(HEALTHY, events=TOLD[:2])))
    wrong = [{"seq": 2, "state": state | {"version": 2, "gateway": "b"}}]
    (violation,) = violations(dataclasses.replace(HEALTHY, snapshots=wrong), BOUNDS)
    assert violation.evidence["snapshots"]["2"]["events"] == state
    assert not violation.breaks_history


def test_findings_of_one_invariant_are_one_violation() -> None:
    gathered = gather(
        "pay_1",
        [
            Finding("I4", "late", {"a": 1}),
            Finding("I1", "twice", {"b": 2}),
            Finding("I4", "differs", {"c": 3}, breaks_history=True),
        ],
    )
    assert [(one.invariant, one.summary, one.evidence, one.breaks_history) for one in gathered] == [
        ("I1", "twice", {"b": 2}, False),
        ("I4", "late; differs", {"a": 1, "c": 3}, True),
    ]


def test_every_invariant_that_is_checked_may_stand_in_the_table() -> None:
    assert tuple(INVARIANTS) == INVARIANTS_OF_THE_TABLE


def test_an_id_tells_when_it_was_made() -> None:
    id_ = new_id("pay")
    assert first_id_at("pay", made_at(id_))[:16] == id_[:16]


def test_a_reference_that_very_many_payments_share_is_told_with_a_few_of_them() -> None:
    many = [dataclasses.replace(HEALTHY, payment=the_payment(id=f"pay_{number}")) for number in range(1000)]
    for subject in shared_among(many):
        assert 2 <= len(subject.shared) <= 20
        assert subject.payment.id not in {each["payment_id"] for each in subject.shared}
