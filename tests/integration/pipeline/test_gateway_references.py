"""One (gateway, gateway_ref) is one payment's at most: the one that violates it is in doubt, alone; the audit tells."""

from __future__ import annotations

from dataclasses import replace
from operator import methodcaller

import pytest
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    job_of,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.audit.batches import pages
from aegis_worker.audit.violations import Bounds, Violation
from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, Operation, Outcome, Pending
from aegis_worker.domain.transitions import State
from aegis_worker.errors import ReferenceTaken, ResolutionRefused
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence import migrate
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.review.resolve import Resolution, ReviewParts, resolve


def audit(database: Database) -> list[Violation]:
    bounds = Bounds(overdue_after_s=3600)
    return [violation for page in pages(database, bounds) for violation in page.violations]


def references(database: Database) -> list[tuple[str, str, str]]:
    found = rows(database, "SELECT gateway, gateway_ref, payment_id FROM gateway_references ORDER BY 1, 2")
    return [(row["gateway"], row["gateway_ref"], row["payment_id"]) for row in found]


def one_answer_for_all(answer: Outcome) -> ScriptedGateway:
    """A gateway that gives every payment the same answer, asked or not."""
    gateway = ScriptedGateway("a", lambda request: answer)
    gateway.look_up = lambda query: answer  # type: ignore[assignment, return-value]
    return gateway


def test_every_reference_that_a_gateway_gave_is_entered_once(database: Database) -> None:
    gateway = ScriptedGateway("a", steps=(Operation.INITIATE, Operation.PROCESS))
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    assert references(database) == [("a", "ch_1", payment_id), ("a", f"int_{payment_id}-i1", payment_id)]


@pytest.mark.parametrize(
    "answer",
    [
        Approved("ch_same"),
        Approved("ch_same", captured=False),
        Pending("ch_same"),
        ActionRequired("ch_same", Redirect("https://bank.example")),
        Declined("stolen_card", "43", "", "ch_same"),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_of_two_payments_with_one_reference_one_stands_on_it_and_the_other_is_in_doubt(
    database: Database, answer: Outcome
) -> None:
    ids = [accept_one(database, f"key-{number}").payment.id for number in range(2)]
    run(pipeline(database, one_answer_for_all(answer)), "payments")
    ((_, reference, holder),) = references(database)
    assert reference == "ch_same"
    (other,) = set(ids) - {holder}
    assert payment_of(database, holder).certainty == "known"
    doubtful = payment_of(database, other)
    assert (doubtful.state, doubtful.certainty, doubtful.gateway_ref) == (State.PROCESSING, "unknown", None)
    (attempt,) = attempts_of(database, other)
    assert (attempt["status"], attempt["gateway_ref"]) == ("UNKNOWN", None)
    assert "ch_same" in attempt["outcome"]["reason"]
    assert job_of(database, other)["status"] == "waiting", "the gateway is asked"
    assert story_of(database, other)[-1] == "IN_DOUBT"
    assert audit(database) == []


def test_the_one_that_violates_it_undoes_nothing_of_its_commit_group(database: Database) -> None:
    def answer(request: GatewayRequest) -> Outcome:
        is_strange = request.payment_id in (ids[3], ids[7])
        return Approved("ch_same" if is_strange else f"ch_{request.payment_id}")

    gateway = ScriptedGateway("a", answer)
    ids = [accept_one(database, f"key-{number}").payment.id for number in range(12)]
    report = run(pipeline(database, gateway), "payments")
    states = [payment_of(database, payment_id).state for payment_id in ids]
    assert states.count(State.SUCCESS) == 11
    assert {states[3], states[7]} == {State.SUCCESS, State.PROCESSING}
    assert (report.finished, report.waiting, report.lost) == (11, 1, 0)
    assert len(gateway.calls) == 12, "nothing was sent a second time"


def test_a_gateway_that_insists_is_asked_along_the_ladder_and_then_a_person(database: Database) -> None:
    gateway = one_answer_for_all(Approved("ch_same"))
    for number in range(2):
        accept_one(database, f"key-{number}")
    parts = pipeline(database, gateway)
    run(parts, "payments")
    for _ in range(len(POLICY.verify_ladder_s) + 1):
        make_due(database)
        run(parts, "verify")
    states = rows(
        database, "SELECT j.status, j.reason, p.state FROM jobs j JOIN payments p ON p.id = payment_id"
    )
    assert sorted((row["state"], row["status"]) for row in states) == [
        ("PROCESSING", "review"),
        ("SUCCESS", "succeeded"),
    ]
    (reason,) = (row["reason"] for row in states if row["status"] == "review")
    assert "ch_same, which is another payment's" in reason


def test_what_the_gateway_says_of_it_later_is_followed(database: Database) -> None:
    gateway = one_answer_for_all(Approved("ch_same"))
    ids = [accept_one(database, f"key-{number}").payment.id for number in range(2)]
    parts = pipeline(database, gateway)
    run(parts, "payments")
    gateway.look_up = lambda query: Approved(f"ch_{query.reference}")
    make_due(database)
    run(parts, "verify")
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}
    assert audit(database) == []


def test_a_step_before_the_charge_that_names_anothers_is_not_gone_on_with(database: Database) -> None:
    gateway = ScriptedGateway("a", steps=(Operation.AUTHENTICATE, Operation.PROCESS))
    gateway.authenticating = lambda request: Approved("auth_same", captured=False)
    gateway.look_up = lambda query: Approved("auth_same", captured=False)
    for number in range(2):
        accept_one(database, f"key-{number}")
    run(pipeline(database, gateway), "payments")
    charged = [call.payment_id for call in gateway.calls if call.operation is Operation.PROCESS]
    assert len(charged) == 1
    (holder,) = {payment_id for _, reference, payment_id in references(database) if reference == "auth_same"}
    assert charged == [holder]


def test_a_late_charge_that_is_anothers_is_for_a_person_to_look_at(database: Database) -> None:
    paid = accept_one(database, "paid").payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    refused = accept_one(database, "refused").payment.id
    gateway = ScriptedGateway("a", lambda request: Declined("stolen_card", "43"))
    parts = pipeline(database, gateway, policy=replace(POLICY, late_charge="refund"))
    run(parts, "payments")
    gateway.look_up = lambda query: Approved("ch_1")
    database.run(
        lambda tx: tx.exec_driver_sql(
            "INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status)"
            " SELECT 'job_9', id, merchant_id, 'sync', 'verify', 'queued' FROM payments WHERE id = %(id)s",
            {"id": refused},
        )
    )
    run_until_quiet(parts)
    assert (job_of(database, refused)["status"], gateway.reversals) == ("review", {})
    assert "another payment's" in job_of(database, refused)["reason"]
    assert payment_of(database, refused).state is State.FAILURE
    assert payment_of(database, paid).state is State.SUCCESS


def test_a_person_can_not_give_a_payment_the_charge_of_another(database: Database) -> None:
    accept_one(database, "paid")
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    doubtful = accept_one(database, "doubtful").payment.id
    gateway = one_answer_for_all(Approved("ch_1"))
    parts = pipeline(database, gateway, policy=replace(POLICY, verify_ladder_s=(10.0,)))
    run(parts, "payments")
    make_due(database)
    run(parts, "verify")
    assert job_of(database, doubtful)["status"] == "review"
    review = ReviewParts(database, lambda: parts.gateways, lambda queue: None, 900.0)
    with pytest.raises(ResolutionRefused, match="another payment"):
        resolve(
            review,
            doubtful,
            Resolution("charged", "the dashboard shows it", gateway="a", gateway_ref="ch_1"),
            actor="operator:ops",
        )
    assert payment_of(database, doubtful).state is State.PROCESSING


def test_the_database_refuses_whoever_writes_it(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    statement = "INSERT INTO gateway_references VALUES ('a', 'ch_1', 'pay_other')"
    with pytest.raises(Exception, match="gateway_references_pkey"):
        database.run(lambda tx: tx.exec_driver_sql(statement))
    assert references(database) == [("a", "ch_1", payment_id)]
    assert ReferenceTaken([payment_id]).payment_ids == [payment_id]


class TestFromBeforeTheConstraint:
    def shared(self, database: Database, database_url: str) -> list[str]:
        """Two payments that stand on one reference, and a refused one whose attempt has it, from before the migration."""
        ids = [accept_one(database, f"key-{number}").payment.id for number in range(3)]
        run_until_quiet(pipeline(database, ScriptedGateway("a")))
        migrate.downgrade(database_url, "0005")
        for statement in (
            "UPDATE attempts SET gateway_ref = 'ch_same'",
            f"UPDATE payments SET gateway_ref = 'ch_same' WHERE id <> '{ids[2]}'",
        ):
            database.run(methodcaller("exec_driver_sql", statement))
        migrate.upgrade(database_url)
        return ids

    @pytest.mark.slow
    def test_the_migration_gives_it_to_one_and_the_audit_reports_the_others(
        self, database: Database, database_url: str
    ) -> None:
        ids = self.shared(database, database_url)
        ((_, _, holder),) = references(database)
        assert holder in ids[:2], "one that stands on it, not one whose attempt has it only"
        violations = {each.payment_id: each for each in audit(database) if "shared" in each.evidence}
        assert set(ids) - {holder} <= set(violations)
        for payment_id in set(ids) - {holder}:
            assert violations[payment_id].invariant == "I3"
            assert "ch_same at a is also that of" in violations[payment_id].summary


def test_the_audit_finds_what_was_entered_nowhere(database: Database) -> None:
    """Code from before the table writes none of it, and may go on for a while beside code that does."""
    ids = [accept_one(database, f"key-{number}").payment.id for number in range(2)]
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    database.run(lambda tx: tx.exec_driver_sql("UPDATE attempts SET gateway_ref = 'ch_same'"))
    found = {each.payment_id: each.evidence["shared"] for each in audit(database)}
    assert {payment_id: [each["payment_id"] for each in shared] for payment_id, shared in found.items()} == {
        ids[0]: [ids[1]],
        ids[1]: [ids[0]],
    }
