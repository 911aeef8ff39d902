"""What only a person can decide: checked against the gateway, written through the one path, told in the audit log."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from support.payments import (
    accept_one,
    attempts_of,
    job_of,
    last_error_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.reviews import HASTY, SEEN, WHY, doubtful, in_review
from support.scripted_gateway import ScriptedGateway

from aegis_worker.audit.checks import violations
from aegis_worker.audit.subjects import read_subjects
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.transitions import State
from aegis_worker.errors import (
    InvalidState,
    ResolutionContradicted,
    ResolutionRefused,
    VersionConflict,
)
from aegis_worker.errors import NotFound as NoSuchPayment
from aegis_worker.gateways.requests import StatusQuery
from aegis_worker.intake import request_sync
from aegis_worker.persistence.audit_log import list_entries, verify
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.review.resolve import Resolution, Resolved, ReviewParts, resolve

# What no gateway confirms, and a person wants at once.
INSISTS: dict[str, Any] = {"evidence": SEEN, "force": True}


def decide(
    database: Database, payment_id: str, kind: Any, *gateways: Any, version: int | None = None, **named: Any
) -> Resolved:
    told: list[str] = []
    parts = ReviewParts(
        database, lambda: {gateway.config.name: gateway for gateway in gateways}, told.append, 900.0
    )
    return resolve(
        parts, payment_id, Resolution(kind, WHY, **named), actor="cli:asha", expected_version=version
    )


def entries(database: Database, payment_id: str) -> list[Any]:
    with database.read() as connection:
        return list(list_entries(connection, limit=10, payment_id=payment_id))


def left_alone(database: Database, payment_id: str, before: dict[str, Any]) -> None:
    assert job_of(database, payment_id)["lease_epoch"] == before["lease_epoch"]
    assert job_of(database, payment_id)["status"] == before["status"]
    assert story_of(database, payment_id)[-1] == "REVIEW_REQUIRED"
    assert entries(database, payment_id) == []


def test_charged_is_recorded_with_what_the_gateway_says(database: Database) -> None:
    gateway = doubtful(charges=True)
    payment_id = in_review(database, gateway)
    gateway.look_up = gateway.by_ledger
    resolved = decide(database, payment_id, "charged", gateway)
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.certainty) == (State.SUCCESS, "known")
    assert (payment.gateway_ref, payment.captured_minor) == ("ch_1", 1999)
    assert (resolved.checked, resolved.state_changed, resolved.payment) == ("confirmed", True, payment)
    assert story_of(database, payment_id)[-3:] == ["REVIEW_REQUIRED", "RESOLVED", "SUCCEEDED"]
    assert attempts_of(database, payment_id)[0]["status"] == "APPROVED"
    job = job_of(database, payment_id)
    assert (job["status"], job["result"]["resolution"]) == ("succeeded", "charged")
    events = rows(database, "SELECT seq FROM payment_events WHERE payment_id = %(id)s", id=payment_id)
    waiting = rows(database, "SELECT seq FROM outbox WHERE payment_id = %(id)s", id=payment_id)
    assert len(waiting) == len(events), "every event is to be delivered"


def test_charged_needs_the_gateways_id_where_the_gateway_can_not_tell_it(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    before = job_of(database, payment_id)
    with pytest.raises(ResolutionRefused, match="gateway_ref"):
        decide(database, payment_id, "charged", gateway, **INSISTS)
    left_alone(database, payment_id, before)
    resolved = decide(database, payment_id, "charged", gateway, gateway_ref="ch_77", **INSISTS)
    assert resolved.checked == "unanswered"
    assert payment_of(database, payment_id).gateway_ref == "ch_77"
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_charged_is_accepted_where_the_gateway_does_not_know_only_by_force(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    gateway.look_up = lambda query: NotFound()
    with pytest.raises(ResolutionContradicted, match="NotFound"):
        decide(database, payment_id, "charged", gateway, gateway_ref="ch_77", evidence=SEEN)
    resolved = decide(database, payment_id, "charged", gateway, gateway_ref="ch_77", **INSISTS)
    assert (resolved.checked, resolved.took_effect) == ("not_found", "forced")


def test_charged_holds_the_funds_only_where_capture_was_to_be_manual(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway, capture_method="manual")
    decide(database, payment_id, "charged", gateway, gateway_ref="ch_77", **INSISTS)
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.authorized_minor, payment.captured_minor) == (State.AUTHORIZED, 1999, 0)


def test_not_charged_fails_the_payment(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    resolved = decide(database, payment_id, "not_charged", gateway, **INSISTS)
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.certainty) == (State.FAILURE, "known")
    assert last_error_of(payment)["code"] == "resolved_not_charged"
    assert resolved.checked == "unanswered"
    assert story_of(database, payment_id)[-2:] == ["RESOLVED", "FAILED"]
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["status"], attempt["recheck_at"] is not None) == ("DECLINED", True)
    assert job_of(database, payment_id)["status"] == "failed"


def test_not_charged_carries_the_gateways_own_decline_where_it_has_one(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    gateway.look_up = lambda query: Declined("stolen_card", "43")
    assert decide(database, payment_id, "not_charged", gateway).checked == "confirmed"
    assert last_error_of(payment_of(database, payment_id))["code"] == "stolen_card"


def test_not_charged_is_noted_as_unknown_to_the_gateway(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    gateway.look_up = lambda query: NotFound()
    let_pass(database, gateway.capabilities.absence_window_s)
    assert decide(database, payment_id, "not_charged", gateway).checked == "not_found"


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("not_charged", Approved("ch_1")),
        ("not_charged", Pending("ch_1")),
        ("not_charged", ActionRequired("ch_1", Redirect("https://bank.example"))),
        ("charged", Declined("stolen_card", "43")),
        ("charged", Pending("ch_1")),
        ("charged", Approved("ch_other")),
        ("charged", Approved("ch_77", captured_minor=1999, refunded_minor=1999)),
    ],
)
def test_what_the_gateway_contradicts_is_refused_with_what_it_says(
    database: Database, kind: str, says: Any
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    before = job_of(database, payment_id)
    gateway.look_up = lambda query: says
    with pytest.raises(ResolutionContradicted, match=type(says).__name__) as refused:
        decide(database, payment_id, kind, gateway, gateway_ref="ch_77")
    assert refused.value.more["gateways_say"][0]["gateway"] == "a"
    left_alone(database, payment_id, before)


def test_a_charge_that_was_given_back_at_the_gateway_is_none(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    gateway.look_up = lambda query: Approved("ch_1", captured_minor=1999, refunded_minor=1999)
    resolved = decide(database, payment_id, "not_charged", gateway)
    assert (resolved.checked, payment_of(database, payment_id).state) == ("confirmed", State.FAILURE)


def test_not_charged_asks_every_gateway_that_was_sent_a_charge(database: Database) -> None:
    first = ScriptedGateway("a", lambda request: Declined("issuer_unavailable", "91"))
    second = doubtful()
    second.config = ScriptedGateway("b").config
    payment_id = in_review(database, first, second)
    first.look_up = lambda query: Approved("ch_late")
    with pytest.raises(ResolutionContradicted, match="a says Approved"):
        decide(database, payment_id, "not_charged", first, second)
    resolved = decide(database, payment_id, "charged", first, second, gateway="a")
    assert resolved.checked == "confirmed"
    assert (payment_of(database, payment_id).gateway, payment_of(database, payment_id).state) == (
        "a",
        State.SUCCESS,
    )
    assert [attempt["status"] for attempt in attempts_of(database, payment_id)] == ["APPROVED", "UNKNOWN"]
    assert job_of(database, payment_id)["operation"] == "sync", (
        "the other gateway is asked whether it charged, too"
    )


def test_a_charge_that_was_never_sent_can_not_have_happened(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    for named in ({"gateway": "b"}, {"attempt": 2}):
        with pytest.raises(ResolutionRefused, match=r"a \(attempt 1\)"):
            decide(database, payment_id, "charged", gateway, gateway_ref="ch_1", **named)


def test_a_payment_whose_charge_never_began_can_not_be_resolved_as_charged(database: Database) -> None:
    gateway = ScriptedGateway("a", steps=(Operation.AUTHENTICATE, Operation.PROCESS))
    gateway.able(moves_money=frozenset(Operation))
    gateway.authenticating = lambda request: Unknown("reset")
    gateway.look_up = lambda query: Unknown("status is down")
    payment_id = in_review(database, gateway)
    with pytest.raises(InvalidState) as refused:
        decide(database, payment_id, "charged", gateway)
    assert refused.value.more["allowed"] == ["not_charged", "ask_again"]
    assert decide(database, payment_id, "not_charged", gateway).checked == "nothing_sent"
    assert payment_of(database, payment_id).state is State.FAILURE


def test_the_payer_who_was_sent_away_is_followed_to_the_charge(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: ActionRequired("pi_1", Redirect("https://bank.example")))
    gateway.look_up = lambda query: Unknown("status is down")
    payment_id = in_review(database, gateway)
    assert payment_of(database, payment_id).state is State.REQUIRES_ACTION
    decide(database, payment_id, "charged", gateway, gateway_ref="pi_1", **INSISTS)
    assert story_of(database, payment_id)[-4:] == ["RESOLVED", "AUTHENTICATED", "PROCESSING", "SUCCEEDED"]


def test_a_gateway_that_is_no_longer_configured_is_noted_as_unanswered(database: Database) -> None:
    payment_id = in_review(database, doubtful())
    assert decide(database, payment_id, "not_charged", **INSISTS).checked == "unanswered"


def test_ask_again_has_the_gateway_asked_once_more(database: Database) -> None:
    gateway = doubtful(charges=True)
    payment_id = in_review(database, gateway)
    asked = len(gateway.look_ups)
    resolved = decide(database, payment_id, "ask_again", gateway)
    assert (resolved.checked, resolved.state_changed) == (None, False)
    assert len(gateway.look_ups) == asked, "asking is the worker's work"
    gateway.look_up = gateway.by_ledger
    run(pipeline(database, gateway, policy=HASTY), "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_ask_again_without_an_answer_comes_back_to_the_person(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "ask_again", gateway)
    run(pipeline(database, gateway, policy=HASTY), "verify")
    assert job_of(database, payment_id)["status"] == "review"


@pytest.mark.parametrize("kind", ["charged", "not_charged"])
def test_a_payment_that_has_ended_keeps_its_end_and_only_its_review_is_closed(
    database: Database, kind: str
) -> None:
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    let_pass(database, 150)
    gateway.look_up = lambda query: NotFound()
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "review"
    before = payment_of(database, payment_id)
    gateway.look_up = lambda query: Unknown("status is down")
    resolved = decide(database, payment_id, kind, gateway, **INSISTS)
    assert payment_of(database, payment_id) == before
    assert (resolved.state_changed, job_of(database, payment_id)["status"]) == (False, "succeeded")
    assert "only the review was closed" in resolved.note
    assert entries(database, payment_id)[0].details["after"]["state"] == "SUCCESS"


@pytest.mark.parametrize("kind", ["charged", "not_charged", "ask_again", "rebuild"])
def test_the_audit_finds_nothing_wrong_with_what_a_person_decided(database: Database, kind: str) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    if kind == "rebuild":
        meddle(database, "UPDATE payments SET state = 'SUCCESS'")
        freeze(database, payment_id)
    decide(database, payment_id, kind, gateway, gateway_ref="ch_77", **INSISTS)
    with database.read() as connection:
        (subject,) = read_subjects(connection, bounds=Bounds(), limit=1, only=[payment_id], whole=True)
    assert violations(subject, Bounds()) == []


def test_snapshots_of_a_history_in_dispute_are_made_anew(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    execute = "INSERT INTO payment_snapshots VALUES (%(id)s, 1, '{}', now())"
    database.run(lambda tx: tx.exec_driver_sql(execute, {"id": payment_id}))
    freeze(database, payment_id)
    decide(database, payment_id, "rebuild")
    assert rows(database, "SELECT * FROM payment_snapshots") == []


def test_every_decision_stands_in_the_audit_log_with_its_reason(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway, **INSISTS)
    (entry,) = entries(database, payment_id)
    assert (entry.actor, entry.action, entry.details["reason"]) == ("cli:asha", "payment.resolved", WHY)
    assert (entry.details["evidence"], entry.details["took_effect"]) == (SEEN, "forced")
    assert entry.details["before"] == {"state": "PROCESSING", "version": 4, "certainty": "unknown"}
    assert entry.details["after"] == {"state": "FAILURE", "version": 6, "certainty": "known"}
    assert entry.details["gateways_say"] == [
        {"gateway": "a", "attempt": 1, "says": "Unknown: status is down"}
    ]
    assert verify(database).why is None
    assert WHY not in str(rows(database, "SELECT data FROM payment_events"))


def test_a_card_number_in_a_reason_is_not_kept(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    parts = ReviewParts(database, lambda: {"a": gateway}, lambda queue: None, 900.0)
    resolution = Resolution("not_charged", WHY, evidence="card 4111 1111 1111 1111", force=True)
    resolution = replace(resolution, reason="card 4111 1111 1111 1111 is not in the report")
    resolve(parts, payment_id, resolution, actor="cli:asha")
    assert "4111" not in str(entries(database, payment_id)[0].details)


@pytest.mark.parametrize("reason", ["", "  x  ", "x" * 501, "a\x1b[2Jb"])
def test_a_decision_without_a_readable_reason_is_refused(database: Database, reason: str) -> None:
    payment_id = in_review(database, doubtful())
    parts = ReviewParts(database, dict, lambda queue: None, 900.0)
    with pytest.raises(ResolutionRefused, match="say why"):
        resolve(parts, payment_id, Resolution("not_charged", reason), actor="cli:asha")


@pytest.mark.parametrize("kind", ["charged", "not_charged", "ask_again", "rebuild"])
def test_a_payment_that_does_not_wait_for_a_person_is_left_alone(database: Database, kind: str) -> None:
    payment_id = accept_one(database).payment.id
    with pytest.raises(InvalidState) as refused:
        decide(database, payment_id, kind)
    assert refused.value.more["allowed"] == []
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    with pytest.raises(InvalidState):
        decide(database, payment_id, kind)
    assert entries(database, payment_id) == []


def test_only_a_frozen_payment_is_rebuilt(database: Database) -> None:
    payment_id = in_review(database, doubtful())
    with pytest.raises(InvalidState, match="froze"):
        decide(database, payment_id, "rebuild")


def test_a_payment_that_does_not_exist_is_not_found(database: Database) -> None:
    with pytest.raises(NoSuchPayment):
        decide(database, "pay_" + "0" * 32, "not_charged")


def test_a_decision_on_another_version_than_was_looked_at_is_refused(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    version = payment_of(database, payment_id).version
    with pytest.raises(VersionConflict):
        decide(database, payment_id, "not_charged", gateway, version=version - 1)
    assert decide(database, payment_id, "not_charged", gateway, version=version, **INSISTS).state_changed


def test_of_two_operators_at_once_one_decides(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    both_have_looked = threading.Barrier(3)  # of a charge that is named, two questions are asked

    def slow_answer(query: Any) -> Any:
        both_have_looked.wait(20)
        return Unknown("status is down")

    gateway.look_up = slow_answer

    def one(kind: str) -> str:
        try:
            decide(database, payment_id, kind, gateway, gateway_ref="ch_77", **INSISTS)
        except InvalidState:
            return "refused"
        return kind

    with ThreadPoolExecutor(2) as pool:
        outcomes = set(pool.map(one, ["charged", "not_charged"]))
    (winner,) = outcomes - {"refused"}
    assert len(outcomes) == 2
    state = payment_of(database, payment_id).state
    assert state is (State.SUCCESS if winner == "charged" else State.FAILURE)
    assert [entry.details["resolution"] for entry in entries(database, payment_id)] == [winner]
    story_of(database, payment_id)


def test_a_worker_that_just_claimed_the_job_wins_over_an_operator(database: Database) -> None:
    gateway = doubtful(charges=True)
    payment_id = in_review(database, gateway)

    def meanwhile(query: Any) -> Any:
        gateway.look_up = gateway.by_ledger
        request_sync(database, Owner("m_1", "test"), payment_id)
        run(pipeline(database, gateway, policy=HASTY), "verify")
        return Unknown("status is down", kind=UnknownKind.ANSWER_TIMEOUT)

    gateway.look_up = meanwhile
    with pytest.raises(InvalidState, match="left review"):
        decide(database, payment_id, "not_charged", gateway, **INSISTS)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert entries(database, payment_id) == []
    assert story_of(database, payment_id)[-1] == "SUCCEEDED"


def test_a_payment_that_is_frozen_while_the_gateway_is_asked_is_left_alone(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    before = job_of(database, payment_id)

    def frozen_meanwhile(query: StatusQuery) -> Lookup:
        freeze(database, payment_id)
        return NotFound()

    gateway.look_up = frozen_meanwhile
    with pytest.raises(InvalidState, match="frozen"):
        decide(database, payment_id, "not_charged", gateway, **INSISTS)
    left_alone(database, payment_id, before)


def test_a_worker_that_lost_the_job_to_an_operator_writes_nothing(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    held = job_of(database, payment_id)["lease_epoch"]
    decide(database, payment_id, "not_charged", gateway, **INSISTS)
    assert job_of(database, payment_id)["lease_epoch"] > held


def test_no_transaction_is_open_while_the_gateway_is_asked(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    seen = []

    def look(query: Any) -> Any:
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
            " AND datname = current_database()"
        )
        seen.extend(rows(database, statement))
        return NotFound()

    gateway.look_up = look
    let_pass(database, gateway.capabilities.absence_window_s)
    decide(database, payment_id, "not_charged", gateway)
    assert seen == [{"count": 0}]


def freeze(database: Database, payment_id: str) -> None:
    database.run(
        lambda tx: tx.exec_driver_sql(
            "UPDATE payments SET frozen_at = now() WHERE id = %(id)s", {"id": payment_id}
        )
    )


def meddle(database: Database, statement: str, table: str = "payments") -> None:
    """Change what only somebody with a shell on the database can."""

    def work(tx: Any) -> None:
        tx.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        tx.exec_driver_sql(statement)
        tx.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    database.run(work)


@pytest.mark.parametrize(
    "damage",
    [
        "state = 'FAILURE', last_error = '{}'",
        "captured_minor = 5",
        "version = version + 7",
        "gateway = 'b', certainty = 'unknown'",
    ],
)
def test_a_frozen_payment_is_rebuilt_from_its_events(database: Database, damage: str) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a")), "payments")
    truth = payment_of(database, payment_id)
    meddle(database, f"UPDATE payments SET {damage}")
    freeze(database, payment_id)
    for kind in ("charged", "not_charged", "ask_again"):
        with pytest.raises(InvalidState) as refused:
            decide(database, payment_id, kind)
        assert refused.value.more["allowed"] == ["rebuild"]
    resolved = decide(database, payment_id, "rebuild")
    assert payment_of(database, payment_id) == truth == resolved.payment
    assert rows(database, "SELECT frozen_at FROM payments") == [{"frozen_at": None}]
    story_of(database, payment_id)
    (entry,) = entries(database, payment_id)
    assert entry.action == "payment.rebuilt"
    assert entry.details["changed"] == resolved.rebuilt
    assert resolved.rebuilt
    assert verify(database).why is None
    with pytest.raises(InvalidState):
        decide(database, payment_id, "rebuild")


def test_a_rebuilt_payment_goes_on_where_it_stood(database: Database) -> None:
    gateway = doubtful(charges=True)
    payment_id = in_review(database, gateway)
    meddle(database, "UPDATE payments SET state = 'SUCCESS'")
    freeze(database, payment_id)
    decide(database, payment_id, "rebuild")
    assert payment_of(database, payment_id).state is State.PROCESSING
    gateway.look_up = gateway.by_ledger
    run(pipeline(database, gateway, policy=HASTY), "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    story_of(database, payment_id)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM payment_events WHERE seq = 2",
        "DELETE FROM payment_events",
        "UPDATE payment_events SET data = jsonb_set(data, '{captured_minor}', '999999') WHERE data ? 'captured_minor'",
    ],
    ids=["with a gap", "without events", "of more captured than was authorized"],
)
def test_a_history_that_is_impossible_is_not_built_upon(database: Database, damage: str) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a")), "payments")
    meddle(database, damage, "payment_events")
    freeze(database, payment_id)
    with pytest.raises(ResolutionRefused, match="impossible"):
        decide(database, payment_id, "rebuild")
    assert rows(database, "SELECT frozen_at IS NULL AS moved FROM payments") == [{"moved": False}]
    assert entries(database, payment_id) == []


def test_the_end_of_a_frozen_payment_is_final_until_it_is_unfrozen(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a")), "payments")
    freeze(database, payment_id)
    with pytest.raises(Exception, match="final"):
        database.run(lambda tx: tx.exec_driver_sql("UPDATE payments SET state = 'FAILURE'"))


def test_reviews_are_listed_oldest_first_with_the_evidence(database: Database) -> None:
    gateway = doubtful()
    first = in_review(database, gateway, key="k1")
    second = in_review(database, gateway, key="k2")
    third = accept_one(database, "k3").payment.id
    run(pipeline(database, ScriptedGateway("a")), "payments")
    freeze(database, third)
    accept_one(database, "k4")
    with database.read() as connection:
        page = list_reviews(connection, limit=2)
        rest = list_reviews(connection, limit=2, after=page.next_cursor)
    assert [waiting.stored.payment.id for waiting in (*page.rows, *rest.rows)] == [first, second, third]
    assert rest.next_cursor is None
    assert "status is down" in page.rows[0].reason
    assert [stored.attempt.status for stored in page.rows[0].attempts] == ["UNKNOWN"]
    assert page.rows[0].in_review
    assert "frozen" in rest.rows[0].reason
    assert not rest.rows[0].in_review


def test_a_payment_never_sent_anywhere_can_be_failed_or_tried_again(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: NotSent("connection refused"))
    payment_id = accept_one(database).payment.id
    meddle(database, "UPDATE jobs SET status = 'review', reason = 'its worker dies on it'", "jobs")
    gateway = ScriptedGateway("a")
    decide(database, payment_id, "ask_again", gateway)
    run(pipeline(database, gateway), "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
