"""The way of a payment through its gateways: five outcomes, failover only where nothing can have happened, no guesses."""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import replace

import pytest
from support.payments import (
    POLICY,
    accept_one,
    action_kept,
    attempts_of,
    events_of,
    job_of,
    last_error_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.null.adapter import NullAdapter
from aegis_worker.intake import request_sync
from aegis_worker.pipeline.run import run

SOFT, HARD = Declined("issuer_unavailable", "91"), Declined("stolen_card", "43")


def test_a_plain_payment_is_charged_and_recorded(database):
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.captured_minor, payment.gateway) == (State.SUCCESS, 1999, "a")
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "SUCCEEDED"]
    assert job_of(database, payment_id)["status"] == "succeeded"
    assert gateway.charges_of(payment_id) == 1


def test_the_attempt_is_on_disk_before_the_gateway_is_called(database):
    seen = []

    def look(request):
        seen.extend(rows(database, "SELECT status, gateway_key, request_hash FROM attempts"))
        return Approved("ch_1")

    accept_one(database)
    gateway = ScriptedGateway("a", look)
    run_until_quiet(pipeline(database, gateway))
    assert seen == [
        {
            "status": "SENT",
            "gateway_key": gateway.calls[0].idempotency_key,
            "request_hash": gateway.calls[0].fingerprint(),
        }
    ]


def test_no_transaction_is_open_while_the_gateway_is_called(database):
    seen = []

    def look(request):
        seen.extend(
            rows(
                database,
                "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
                " AND datname = current_database()",
            )
        )
        return Approved("ch_1")

    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a", look)))
    assert seen == [{"count": 0}]


def test_a_gateway_that_needs_three_calls_gets_them_in_order(database):
    steps = (Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS)
    gateway = ScriptedGateway("a", steps=steps)
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    assert [call.operation for call in gateway.calls] == list(steps)
    assert story_of(database, payment_id) == ["INITIATED", "AUTHENTICATED", "PROCESSING", "SUCCEEDED"]
    assert gateway.calls[2].gateway_ref == f"int_{gateway.calls[0].idempotency_key}"


def test_a_hard_decline_fails_the_payment_and_goes_nowhere_else(database):
    second = ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("a", answering(HARD)), second))
    payment = payment_of(database, payment_id)
    assert payment.state is State.FAILURE
    assert last_error_of(payment)["code"] == "stolen_card"
    assert last_error_of(payment)["advised_action"] == "do_not_retry"
    assert job_of(database, payment_id)["status"] == "failed"
    assert second.calls == []


@pytest.mark.parametrize("refusal", [SOFT, NotSent("connection refused"), NotSent("429", retry_after_s=60)])
def test_a_soft_decline_or_nothing_sent_moves_to_the_next_gateway_at_once(database, refusal):
    first, second = ScriptedGateway("a", answering(refusal)), ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    run(pipeline(database, first, second), "payments")
    assert payment_of(database, payment_id).gateway == "b"
    assert story_of(database, payment_id) == [
        "INITIATED",
        "PROCESSING",
        "RETRY_ATTEMPTED",
        "PROCESSING",
        "SUCCEEDED",
    ]
    assert [attempt["status"] for attempt in attempts_of(database, payment_id)][1] == "APPROVED"


def test_the_last_soft_decline_fails_the_payment_with_its_code(database):
    payment_id = accept_one(database).payment.id
    run(
        pipeline(database, ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b", answering(SOFT))),
        "payments",
    )
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "issuer_unavailable")


def test_an_unreachable_gateway_is_tried_again_later_and_at_most_max_attempts_times(database):
    gateway = ScriptedGateway("a", answering(NotSent("connection refused")))
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway, rng=random.Random(2))  # draws 0.956 of a second
    run(parts, "payments")
    waiting = job_of(database, payment_id)
    assert (waiting["status"], waiting["queue"]) == ("waiting", "payments")
    assert 0 < waiting["put_off_s"] <= 1
    for _ in range(5):
        make_due(database)
        run(parts, "payments")
    assert last_error_of(payment_of(database, payment_id))["code"] == "gateway_unavailable"
    assert [attempt["number"] for attempt in attempts_of(database, payment_id)] == [1, 2, 3]


def test_a_connection_that_is_refused_is_tried_twice_more_within_the_same_attempt(database):
    refused = NotSent("connection refused")
    gateway = ScriptedGateway("a", answering(refused, refused, Approved("ch_1")))
    payment_id = accept_one(database).payment.id
    run(pipeline(database, gateway), "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert [attempt["sends"] for attempt in attempts_of(database, payment_id)] == [1]
    assert len({call.idempotency_key for call in gateway.calls}) == 1


def test_retry_after_of_the_only_gateway_is_honoured(database):
    gateway = ScriptedGateway(
        "a", answering(NotSent("429", retry_after_s=20, kind=NotSentKind.RATE_LIMIT), Approved("ch_1"))
    )
    payment_id = accept_one(database).payment.id
    run(pipeline(database, gateway), "payments")
    assert 15 < job_of(database, payment_id)["put_off_s"] <= 20


def test_a_payment_that_no_gateway_takes_fails_and_says_why(database):
    gateway = ScriptedGateway("a", currencies=frozenset({"EUR"}))
    payment_id = accept_one(database).payment.id
    run(pipeline(database, gateway), "payments")
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "no_eligible_gateway")
    assert "a does not take USD" in last_error_of(payment)["message"]


def charge_and_answer(outcome):
    """A gateway that charges, and whose answer says something else the first time."""
    gateway = ScriptedGateway("a", lambda request: (gateway.charge(request), outcome)[1])
    return gateway


def test_timeout_after_send_leaves_the_payment_in_doubt(database):
    first, second = charge_and_answer(Unknown("read timeout")), ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    run(pipeline(database, first, second), "payments")
    payment, job = payment_of(database, payment_id), job_of(database, payment_id)
    assert (payment.state, payment.certainty) == (State.PROCESSING, "unknown")
    assert (job["status"], job["queue"]) == ("waiting", "verify")
    assert 5 < job["put_off_s"] <= 10
    assert second.calls == []


def test_a_charge_in_doubt_is_adopted_by_asking(database):
    gateway = charge_and_answer(Unknown("read timeout"))
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    make_due(database)
    run(parts, "verify")
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "IN_DOUBT", "RESOLVED", "SUCCEEDED"]
    assert payment_of(database, payment_id).certainty == "known"
    assert len(gateway.calls) == 1


def test_a_charge_that_never_arrived_is_sent_again_with_the_same_key_and_body(database):
    gateway = ScriptedGateway("a", answering(Unknown("reset"), Approved("ch_2")))
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    make_due(database)
    run(parts, "verify")
    assert gateway.calls[0] == gateway.calls[1]
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert attempts_of(database, payment_id)[0]["sends"] == 2


def test_absence_is_believed_after_three_answers_over_the_absence_window(database):
    gateway = ScriptedGateway("a", answering(Unknown("reset")), key_lifetime_s=100, absence_window_s=50)
    second = ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway, second, policy=replace(POLICY, verify_ladder_s=(10.0,) * 9))
    run(parts, "payments")
    for _ in range(3):
        let_pass(database, 60)
        run(parts, "verify")
    assert payment_of(database, payment_id).gateway == "b"
    assert (len(gateway.look_ups), len(gateway.calls)) == (3, 1)
    assert story_of(database, payment_id)[-4:] == ["RESOLVED", "RETRY_ATTEMPTED", "PROCESSING", "SUCCEEDED"]


def test_a_status_endpoint_that_is_down_leaves_the_doubt_and_climbs_the_ladder(database):
    gateway = charge_and_answer(Unknown("read timeout"))
    gateway.look_up = lambda query: Unknown("status is down")
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    make_due(database)
    run(parts, "verify")
    assert 20 < job_of(database, payment_id)["put_off_s"] <= 30
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "IN_DOUBT"]
    gateway.look_up = gateway.by_ledger
    make_due(database)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_pending_is_asked_about_until_it_is_decided(database):
    gateway = ScriptedGateway("a", answering(Pending("ch_9")))
    gateway.look_up = answering(Pending("ch_9"), Approved("ch_9"))
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    for _ in range(2):
        make_due(database)
        run(parts, "verify")
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "SUCCEEDED"]


def test_the_payer_is_sent_away_and_the_charge_goes_on_when_they_come_back(database):
    steps = (Operation.AUTHENTICATE, Operation.PROCESS)
    gateway = ScriptedGateway("a", steps=steps)
    gateway.authenticating = lambda request: ActionRequired("pi_1", Redirect("https://bank.example/3ds"))
    gateway.look_up = answering(
        ActionRequired("pi_1", Redirect("https://bank.example/3ds")), Approved("pi_1")
    )
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    waiting = payment_of(database, payment_id)
    assert waiting.next_action is not None
    assert waiting.state is State.REQUIRES_ACTION
    assert waiting.next_action["type"] == "redirect"
    assert waiting.next_action["expires_at"] is not None
    assert action_kept(database, payment_id) == {"type": "redirect", "url": "https://bank.example/3ds"}
    for _ in range(2):
        make_due(database)
        run(parts, "verify")
    assert story_of(database, payment_id) == [
        "INITIATED",
        "ACTION_REQUIRED",
        "AUTHENTICATED",
        "PROCESSING",
        "SUCCEEDED",
    ]
    assert payment_of(database, payment_id).next_action is None
    assert action_kept(database, payment_id) is None


def test_an_adapter_that_raises_leaves_the_payment_in_doubt(database):
    class Broken(NullAdapter):
        def process(self, request):
            raise RuntimeError("a bug in the adapter")

    payment_id = accept_one(database).payment.id
    gateway = LoadedGateway(Broken(GatewayConfig("a", "null", base_url="", api_key="k")))
    run(pipeline(database, gateway), "payments")
    assert payment_of(database, payment_id).certainty == "unknown"


def test_an_answer_that_does_not_fit_the_state_goes_to_a_person(database):
    steps = (Operation.AUTHENTICATE, Operation.INITIATE, Operation.PROCESS)
    gateway = ScriptedGateway("a", steps=steps)
    gateway.initiating = lambda request: ActionRequired(
        f"pi_{request.payment_id}", Redirect("https://bank.example")
    )
    payment_id, other_id = (accept_one(database, key).payment.id for key in ("k1", "k2"))
    run(pipeline(database, gateway), "payments")
    for id_ in (payment_id, other_id):
        assert job_of(database, id_)["status"] == "review"
        assert story_of(database, id_) == ["INITIATED", "AUTHENTICATED", "REVIEW_REQUIRED"]


def test_a_slow_call_does_not_hold_up_the_commit_of_a_fast_one(database):
    release = threading.Event()

    def slow_for_large_amounts(request):
        if request.amount.minor == 5000:
            release.wait(20)
        return Approved(f"ch_{request.idempotency_key}")

    slow_id = accept_one(database, "slow", amount=Money(5000, "USD")).payment.id
    parts = pipeline(database, ScriptedGateway("a", slow_for_large_amounts))
    running = threading.Thread(target=run, args=(parts, "payments"))
    running.start()
    fast_id = accept_one(database, "late").payment.id
    for _ in range(400):
        if payment_of(database, fast_id).is_terminal:
            break
        threading.Event().wait(0.05)
    still = payment_of(database, slow_id).state
    fast = payment_of(database, fast_id).state
    release.set()
    running.join()
    assert (fast, still) == (State.SUCCESS, State.PROCESSING)
    assert payment_of(database, slow_id).state is State.SUCCESS


def test_a_sync_of_an_ended_payment_says_whether_the_gateway_agrees(database):
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert job_of(database, payment_id)["result"] == {"agrees": True, "gateway_says": "Approved"}
    gateway.look_up = lambda query: NotFound()
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "waiting", "the gateway may not show it yet"
    let_pass(database, 150)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "review"
    assert story_of(database, payment_id)[-1] == "REVIEW_REQUIRED"
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_a_sync_asks_ever_less_often_and_then_a_person_where_a_charge_is_never_shown(database):
    gateway = ScriptedGateway("a", absence_window_s=math.inf)
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    gateway.look_up = lambda query: NotFound()
    request_sync(database, Owner("m_1", "test"), payment_id)
    waits_s = []
    for asked_for_s in (0, 20, 50):
        _sync_has_asked_for(database, asked_for_s)
        run(parts, "verify")
        (job,) = rows(
            database, "SELECT extract(epoch FROM run_at - now()) AS s FROM jobs WHERE status = 'waiting'"
        )
        waits_s.append(round(float(job["s"]), -1))
    assert waits_s == list(POLICY.verify_ladder_s)
    _sync_has_asked_for(database, 101)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "review"
    assert payment_of(database, payment_id).state is State.SUCCESS


def _sync_has_asked_for(database, seconds):
    since = "created_at = now() - make_interval(secs => %(s)s)"
    statement = f"UPDATE jobs SET {since} WHERE operation = 'sync'"
    database.run(lambda connection: connection.exec_driver_sql(statement, {"s": seconds}))
    make_due(database)


@pytest.mark.parametrize(
    "answer",
    [
        Unknown("reset by \x00peer \ud800"),
        Declined("stolen_card", "4\x003", "no\x00t \udfff here"),
        NotSent("refused\x00"),
        Pending("ch_1", "soon\x00"),
        Unknown("x" * 100_000),
    ],
    ids=["unknown", "declined", "not sent", "pending", "endless"],
)
def test_an_answer_in_characters_that_can_not_be_kept_is_kept_without_them(database, answer):
    payment_id = accept_one(database).payment.id
    report = run(pipeline(database, ScriptedGateway("a", lambda request: answer)), "payments")
    assert report.lost == 0
    attempt, *_ = attempts_of(database, payment_id)
    assert attempt["status"] != "SENT"
    assert len(str(attempt["outcome"])) < 2000


def test_every_hop_says_why_its_gateway_was_chosen(database):
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")), "payments")
    reasons = [attempt["decision"]["because"] for attempt in attempts_of(database, payment_id)]
    assert reasons == ["first in configured order", "next of the same decision"]
    retry = next(
        event for event in events_of(database, payment_id) if event.type == "PAYMENT_RETRY_ATTEMPTED"
    )
    assert retry.data == {"from": "a", "to": "b", "reason": "issuer_unavailable"}


def test_one_slow_call_of_a_batch_holds_up_neither_the_commits_of_the_others_nor_the_next_claims(database):
    """All of a backlog is charged and committed, claim after claim, before the slow call of the first claim answers."""
    release = threading.Event()

    def slow_for_large_amounts(request):
        if request.amount.minor == 5000:
            release.wait(20)
        return Approved(f"ch_{request.idempotency_key}")

    slow_id = accept_one(database, "slow", amount=Money(5000, "USD")).payment.id
    fast_ids = {accept_one(database, f"fast-{number}").payment.id for number in range(20)}
    gateway = ScriptedGateway("a", slow_for_large_amounts)
    running = threading.Thread(target=run, args=(pipeline(database, gateway, calls_in_flight=4), "payments"))
    running.start()
    ended = "SELECT payment_id FROM jobs WHERE finished_at IS NOT NULL"
    for _ in range(400):
        if len(rows(database, ended)) == len(fast_ids):
            break
        threading.Event().wait(0.05)
    committed = {row["payment_id"] for row in rows(database, ended)}
    slow = job_of(database, slow_id)
    release.set()
    running.join()
    assert committed == fast_ids
    # It was in the first claim, with three of the others; the rest came in later claims.
    assert gateway.calls.index(next(call for call in gateway.calls if call.payment_id == slow_id)) < 4
    assert (slow["status"], slow["lease_epoch"], len(gateway.calls)) == ("running", 1, 21)
    assert payment_of(database, slow_id).state is State.SUCCESS


def test_a_run_that_looks_by_itself_holds_hints_back_and_looks_again_once_they_go_out(database):
    """A payment whose hint was held back in the last moment is still found by the run that held it."""
    accept_one(database, "first")
    late: list[str] = []
    told: list[str] = []

    def cleared(queue):
        told.append("clear")
        if not late:
            late.append(accept_one(database, "late").payment.id)

    parts = pipeline(
        database,
        ScriptedGateway("a"),
        hint=lambda queue: told.append(f"hint {queue}"),
        hold_hints=lambda queue: told.append("hold"),
        clear_hint=cleared,
    )
    run(parts, "payments")
    assert payment_of(database, late[0]).is_terminal
    assert [what for what in told if what != "hint outbox"] == ["hold", "clear", "hold", "clear"]


def test_a_run_that_may_claim_no_more_tells_others_to_look(database):
    told = []

    def until_claims_are_over(request):
        time.sleep(0.3)
        return Approved("ch_1")

    accept_one(database)
    parts = pipeline(
        database,
        ScriptedGateway("a", until_claims_are_over),
        run_limit_s=0.1,
        hint=lambda queue: told.append(f"hint {queue}"),
        hold_hints=lambda queue: told.append("hold"),
        clear_hint=lambda queue: told.append("clear"),
    )
    run(parts, "payments")
    parts.tail.finish()
    assert [what for what in told if what != "hint outbox"] == ["hold", "clear", "hint payments"]
