"""What was held back before it was sent: a person approves or rejects it, and no gateway is asked."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace
from support.erasing import erase
from support.orders import VOID, ordering, row_is_fold
from support.payments import (
    accept_one,
    attempts_of,
    events_of,
    job_of,
    last_error_of,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.reviews import WHY, doubtful, held_back, in_review, screened_as
from support.screening import OurHooks
from support.scripted_gateway import ScriptedGateway, answering
from support.vaulted_cards import vaulted

from aegis_worker.audit.freeze import freeze_if_broken
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import ActionRequired, Declined
from aegis_worker.domain.screening import Action
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.errors import AegisError, InvalidState, VersionConflict
from aegis_worker.hooks import ErrorAnswer, FraudAnswer
from aegis_worker.intake import request_sync
from aegis_worker.persistence.audit_log import list_entries
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.stage import Stage
from aegis_worker.queries.history import list_events
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.review.case import KINDS
from aegis_worker.review.resolve import Resolution, Resolved, ReviewParts, resolve
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.views.reviews import review_body

OF_DOUBTS = tuple(kind for kind in KINDS if kind not in ("approve", "reject"))


def no_gateways() -> Any:
    raise AssertionError("no gateway is asked")


def decide(database: Database, payment_id: str, kind: Any, *, version: int | None = None) -> Resolved:
    parts = ReviewParts(database, no_gateways, lambda queue: None, 900.0)
    return resolve(parts, payment_id, Resolution(kind, WHY), actor="cli:asha", expected_version=version)


def charged_by(database: Database, gateway: ScriptedGateway | None = None) -> ScriptedGateway:
    """Let the workers go on, at a gateway that charges."""
    gateway = gateway or ScriptedGateway("a")
    run_until_quiet(pipeline(database, gateway))
    return gateway


def reviews_of(database: Database, **only: Any) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [review_body(waiting) for waiting in list_reviews(connection, limit=10, **only).rows]


def test_what_is_to_be_reviewed_waits_unsent_and_says_why_to_operators_alone(database: Database) -> None:
    payment_id = held_back(database)
    assert (payment_of(database, payment_id).state, attempts_of(database, payment_id)) == (
        State.INITIATED,
        [],
    )
    assert story_of(database, payment_id) == ["INITIATED", "SCREENED", "REVIEW_REQUIRED"]
    (review,) = reviews_of(database)
    assert (review["kind"], review["resolutions"]) == ("fraud", ["approve", "reject"])
    (finding,) = review["screening"]["findings"]
    assert (finding["source"], finding["reason"], finding["score"]) == ("hook shop:fraud", "on our list", 90)
    with database.read() as connection:
        told = list_events(connection, Owner("m_1", "test"), payment_id, limit=10)
    assert [event.data for event in told[1:]] == [
        {"screening": {"action": "review"}},
        {"reason": "held back before it was sent: a person has to approve or reject it", "kind": "fraud"},
    ]


def test_what_is_approved_goes_on_and_is_not_held_back_again(database: Database) -> None:
    payment_id = held_back(database)
    resolved = decide(database, payment_id, "approve")
    assert (resolved.state_changed, resolved.payment.state) == (False, State.INITIATED)
    gateway = charged_by(database)
    assert len(gateway.charges) == 1
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert story_of(database, payment_id)[-3:] == ["REVIEWED", "PROCESSING", "SUCCEEDED"]
    assert row_is_fold(database, payment_id)
    assert reviews_of(database) == []


def test_a_hook_that_wants_a_person_to_look_is_asked_once_and_an_approval_is_not_asked_about(
    database: Database,
) -> None:
    hooks = OurHooks(fraud_check=lambda context: FraudAnswer(Action.REVIEW, "a new card", 70))
    gateway = ScriptedGateway("a")
    parts = pipeline(database, gateway, stage=Stage(hooks))
    payment_id = accept_one(database).payment.id
    run_until_quiet(parts)
    assert (gateway.calls, job_of(database, payment_id)["review_kind"]) == ([], "fraud")
    decide(database, payment_id, "approve")
    run_until_quiet(parts)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert len(hooks.asked) == 1
    assert story_of(database, payment_id) == [
        "INITIATED",
        "SCREENED",
        "REVIEW_REQUIRED",
        "REVIEWED",
        "PROCESSING",
        "SUCCEEDED",
    ]


def test_what_is_rejected_fails_and_is_never_sent(database: Database) -> None:
    payment_id = held_back(database)
    assert decide(database, payment_id, "reject").state_changed
    gateway = charged_by(database)
    assert gateway.calls == []
    payment = payment_of(database, payment_id)
    assert payment.state is State.FAILURE
    error = last_error_of(payment)
    assert (error["code"], error["category"], error["advised_action"], error["gateway"]) == (
        "rejected_in_review",
        "fraud",
        "do_not_retry",
        None,
    )
    assert WHY not in str(events_of(database, payment_id)), "the operator's reason is for the audit log"
    assert story_of(database, payment_id)[-2:] == ["REVIEWED", "FAILED"]
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"], job["review_kind"]) == ("failed", "rejected_in_review", None)


@pytest.mark.parametrize("kind", ["approve", "reject"])
def test_the_audit_log_says_who_decided_and_why(database: Database, kind: str) -> None:
    payment_id = held_back(database)
    decide(database, payment_id, kind)
    with database.read() as connection:
        (entry,) = list_entries(connection, limit=10, payment_id=payment_id)
    assert (entry.actor, entry.action) == ("cli:asha", "payment.resolved")
    assert (entry.details["resolution"], entry.details["reason"]) == (kind, WHY)
    assert entry.details["gateways_say"] == []


@pytest.mark.parametrize("kind", OF_DOUBTS)
def test_of_what_was_never_sent_nobody_says_what_a_gateway_did(database: Database, kind: str) -> None:
    payment_id = held_back(database)
    with pytest.raises(InvalidState, match="`approve` or `reject`") as refused:
        decide(database, payment_id, kind)
    assert refused.value.more["allowed"] == ["approve", "reject"]
    assert job_of(database, payment_id)["status"] == "review"


@pytest.mark.parametrize("kind", ["approve", "reject"])
def test_of_a_doubt_nothing_is_approved_or_rejected(database: Database, kind: str) -> None:
    payment_id = in_review(database, doubtful())
    with pytest.raises(InvalidState, match="at a gateway is in question"):
        decide(database, payment_id, kind)


@pytest.mark.parametrize("kind", ["approve", "reject"])
def test_a_payment_that_does_not_wait_is_neither_approved_nor_rejected(database: Database, kind: str) -> None:
    payment_id = accept_one(database).payment.id
    with pytest.raises(InvalidState, match="does not wait for a person"):
        decide(database, payment_id, kind)


def test_a_decision_about_another_version_is_refused(database: Database) -> None:
    payment_id = held_back(database)
    with pytest.raises(VersionConflict):
        decide(database, payment_id, "approve", version=1)
    assert job_of(database, payment_id)["status"] == "review"


def test_of_several_people_and_a_merchant_who_decide_at_once_one_is_heard(database: Database) -> None:
    payment_id = held_back(database)
    ready = threading.Barrier(5)

    def at_once(what: str) -> str:
        ready.wait(10)
        try:
            if what == "cancel":
                ordering(database, ScriptedGateway("a"), payment_id, VOID)
            else:
                decide(database, payment_id, what)
        except AegisError:
            return "refused"
        return what

    with ThreadPoolExecutor(5) as pool:
        said = list(pool.map(at_once, ["approve", "reject", "approve", "reject", "cancel"]))
    charged_by(database)
    heard = [what for what in said if what != "refused"]
    decided = [what for what in heard if what != "cancel"]
    assert len(decided) <= 1, "the second person is told of the first"
    # What was just approved was not sent yet: its merchant may still cancel it.
    assert len(heard) == 1 or heard in (["approve", "cancel"], ["cancel", "approve"])
    ends = {"approve": State.SUCCESS, "reject": State.FAILURE, "cancel": State.CANCELLED}
    assert payment_of(database, payment_id).state is ends["cancel" if "cancel" in heard else heard[0]]
    assert row_is_fold(database, payment_id)


def test_a_merchant_may_cancel_what_is_held_back(database: Database) -> None:
    payment_id = held_back(database)
    ordering(database, ScriptedGateway("a"), payment_id, VOID)
    assert payment_of(database, payment_id).state is State.CANCELLED
    assert row_is_fold(database, payment_id)
    with pytest.raises(InvalidState):
        decide(database, payment_id, "approve")
    assert charged_by(database).calls == []
    assert reviews_of(database) == []


def test_a_sync_of_what_is_held_back_wakes_nobody(database: Database) -> None:
    payment_id = held_back(database)
    (before,) = rows(database, "SELECT * FROM jobs")
    assert request_sync(database, Owner("m_1", "test"), payment_id) == before["id"]
    assert rows(database, "SELECT * FROM jobs") == [before]


def test_a_customer_who_is_erased_while_their_payment_is_held_back_is_charged_nothing(
    database: Database,
) -> None:
    payment_id = held_back(database, customer={"id": "cus_117"})
    assert erase(database).counts["reviews"] == 1
    assert charged_by(database).calls == []
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "payer_erased")
    assert reviews_of(database) == []


def test_a_job_that_comes_back_unapproved_is_held_back_again(database: Database) -> None:
    payment_id = held_back(database)
    wake = "UPDATE jobs SET status = 'waiting', queue = 'verify', run_at = now()"
    database.run(lambda connection: connection.exec_driver_sql(wake))
    assert charged_by(database).calls == []
    job = job_of(database, payment_id)
    assert (job["status"], job["review_kind"]) == ("review", "fraud")


def test_what_is_blocked_fails_without_a_word_of_the_rule(database: Database) -> None:
    payment_id = screened_as(database, Action.REVIEW, Action.BLOCK)
    assert charged_by(database).calls == []
    payment = payment_of(database, payment_id)
    error = last_error_of(payment)
    assert (payment.state, error["code"], error["category"]) == (State.FAILURE, "blocked", "fraud")
    assert "list" not in str(error)
    assert "hook" not in str(error)


def test_a_demand_for_three_d_secure_outlasts_the_approval(database: Database) -> None:
    payment_id = held_back(database, Action.REVIEW, Action.REQUIRE_3DS)
    decide(database, payment_id, "approve")
    gateway = ScriptedGateway("a", lambda request: ActionRequired("ch_1", Redirect("https://bank.example")))
    gateway.able(three_ds=frozenset({"card"}))
    charged_by(database, gateway)
    assert [call.three_ds for call in gateway.calls] == [True]
    assert payment_of(database, payment_id).state is State.REQUIRES_ACTION


def test_a_demand_goes_to_a_gateway_that_can_make_it_and_the_decision_says_why(database: Database) -> None:
    payment_id = screened_as(database, Action.REQUIRE_3DS)
    able, unable = ScriptedGateway("b"), ScriptedGateway("a")
    able.able(three_ds=frozenset({"card"}))
    run_until_quiet(pipeline(database, unable, able))
    assert (unable.calls, len(able.charges)) == ([], 1)
    (attempt,) = attempts_of(database, payment_id)
    assert attempt["decision"]["candidates"] == ["b"]
    assert "3-D Secure" in attempt["decision"]["left_out"]["a"]
    assert attempt["request_hash"] == able.calls[0].fingerprint()
    assert replace(able.calls[0], three_ds=False).fingerprint() != attempt["request_hash"]


def test_an_error_hook_gets_no_gateway_that_can_not_make_the_demand(database: Database) -> None:
    payment_id = screened_as(database, Action.REQUIRE_3DS)
    able = ScriptedGateway("a", answering(Declined("issuer_unavailable", "91")))
    able.able(three_ds=frozenset({"card"}))
    unable = ScriptedGateway("b")
    hooks = OurHooks(on_error=lambda context: ErrorAnswer("other_gateway", gateway="b"))
    run_until_quiet(pipeline(database, able, unable, stage=Stage(hooks)))
    assert (len(able.calls), unable.calls) == (1, [])
    (attempt,) = attempts_of(database, payment_id)
    assert "3-D Secure" in attempt["outcome"]["wishes"][0]["refused"]
    assert last_error_of(payment_of(database, payment_id))["code"] == "issuer_unavailable"


def test_a_demand_that_no_gateway_can_make_is_a_failure_that_says_so(database: Database) -> None:
    payment_id = screened_as(database, Action.REQUIRE_3DS)
    gateway = charged_by(database)
    assert gateway.calls == []
    assert last_error_of(payment_of(database, payment_id))["code"] == "three_ds_unavailable"


def test_a_demand_of_a_payer_who_is_not_there_is_a_failure_that_says_so(database: Database) -> None:
    payment_id = screened_as(database, Action.REQUIRE_3DS, off_session=True)
    gateway = ScriptedGateway("a")
    gateway.able(three_ds=frozenset({"card"}))
    assert charged_by(database, gateway).calls == []
    error = last_error_of(payment_of(database, payment_id))
    assert (error["code"], error["gateway"]) == ("authentication_required", None)


@pytest.mark.parametrize("action", [Action.ALLOW, Action.FLAG])
def test_what_is_allowed_or_flagged_goes_out_as_if_nobody_had_looked(
    database: Database, action: Action
) -> None:
    payment_id = screened_as(database, action)
    (call,) = charged_by(database).calls
    assert call.three_ds is False
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_what_is_approved_after_its_security_code_is_gone_fails(database: Database) -> None:
    gone = Declined("security_code_gone", "", "its security code is not held any more")
    payment_id = held_back(database, payment_method=vaulted(with_code=True))
    (review,) = reviews_of(database)
    assert review["security_code_until"] > review["payment"]["created_at"]
    decide(database, payment_id, "approve")
    gateway = ScriptedGateway("a", answering(gone), cards=True, raw_cards=True, bare_tokens="")
    charged_by(database, gateway)
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "security_code_gone")


def test_what_is_approved_waits_for_a_gateway_from_then_on(database: Database) -> None:
    payment_id = held_back(database)
    age = "UPDATE jobs SET created_at = created_at - interval '1 day'"
    database.run(lambda connection: connection.exec_driver_sql(age))
    decide(database, payment_id, "approve")
    paused = RoutingTable(RoutingConfig(), 0, "file", frozenset({"a"}))
    run_until_quiet(pipeline(database, ScriptedGateway("a"), routing=lambda: paused))
    job = job_of(database, payment_id)
    assert (job["status"], "paused" in job["reason"]) == ("waiting", True)


def test_an_audit_finds_nothing_wrong_with_what_was_held_back_approved_or_rejected(
    database: Database,
) -> None:
    held = [held_back(database, key=f"key-{number}") for number in range(3)]
    for payment_id, kind in zip(held, ["approve", "reject"], strict=False):
        decide(database, payment_id, kind)
    charged_by(database)
    assert [row_is_fold(database, payment_id) for payment_id in held] == [True] * 3


def test_a_frozen_payment_that_was_held_back_is_rebuilt_first_and_then_held_back_again(
    database: Database,
) -> None:
    payment_id = held_back(database)
    spoil = "UPDATE payments SET certainty = 'unknown'"
    database.run(lambda connection: connection.exec_driver_sql(spoil))
    database.run(lambda connection: freeze_if_broken(connection, payment_id, Bounds()))
    for kind in ("approve", "reject"):
        with pytest.raises(InvalidState, match="frozen"):
            decide(database, payment_id, kind)
    assert [review["kind"] for review in reviews_of(database, kind="fraud")] == ["fraud"]
    assert reviews_of(database, kind="doubt") == []
    decide(database, payment_id, "rebuild")
    assert charged_by(database).calls == []
    job = job_of(database, payment_id)
    assert (job["status"], job["review_kind"]) == ("review", "fraud")
    decide(database, payment_id, "approve")
    charged_by(database)
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_reviews_are_listed_by_kind(database: Database) -> None:
    fraud = held_back(database, key="key-1")
    doubt = in_review(database, doubtful(), key="key-2")
    assert [review["payment_id"] for review in reviews_of(database)] == [fraud, doubt]
    assert [review["payment_id"] for review in reviews_of(database, kind="fraud")] == [fraud]
    (of_doubt,) = reviews_of(database, kind="doubt")
    assert (of_doubt["payment_id"], of_doubt["kind"], of_doubt["screening"]) == (doubt, "doubt", None)


def test_what_is_in_review_from_before_there_were_kinds_is_a_doubt(database: Database) -> None:
    in_review(database, doubtful())
    older = "UPDATE jobs SET review_kind = NULL"
    database.run(lambda connection: connection.exec_driver_sql(older))
    (review,) = reviews_of(database, kind="doubt")
    assert (review["kind"], "not_charged" in review["resolutions"]) == ("doubt", True)
    assert reviews_of(database, kind="fraud") == []


def test_a_payment_that_was_approved_may_yet_end_in_doubt_and_is_reviewed_as_that(database: Database) -> None:
    payment_id = held_back(database)
    decide(database, payment_id, "approve")
    gateway = doubtful()
    for _ in range(4):
        run_until_quiet(pipeline(database, gateway))
        make_due(database)
    job = job_of(database, payment_id)
    assert (job["status"], job["review_kind"]) == ("review", "doubt")
    assert EventType.REVIEWED in [event.type for event in events_of(database, payment_id)]
