"""A charge that turns up after its payment ended without it is told, and given back as the policy says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    end_leases,
    events_of,
    job_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.rechecks import LADDER_S, make_rechecks_due, recheck_now, rechecked
from support.sandbox_process import API_KEY, eventually, running_sandbox
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Declined, NotFound, NotSent, Unknown, UnknownKind
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.intake import request_sync
from aegis_worker.pipeline.run import run

HARD, SOFT = Declined("stolen_card", "43"), Declined("issuer_unavailable", "91")


def failed_payment(database, gateway, *others, policy="refund"):
    """A payment that its gateways refused, and the pipeline that refused it."""
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway, *others, policy=replace(POLICY, late_charge=policy))
    run(parts, "payments")
    return payment_id, parts


def told_of(database, payment_id, kind):
    return [event.data for event in events_of(database, payment_id) if event.type == f"PAYMENT_{kind}"]


def test_a_gateway_that_does_not_answer_holds_up_a_recheck_by_a_few_look_ups_and_not_by_all(database):
    silent = ScriptedGateway("a", lambda request: HARD)
    silent.look_up = lambda query: Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)
    for number in range(40):
        accept_one(database, f"k{number}")
    parts = pipeline(database, silent)
    run(parts, "payments")
    assert rechecked(database, parts) == {"asked": 40, "found": 0}
    assert 1 <= len(silent.look_ups) <= 8
    silent.look_up = lambda query: HARD
    assert rechecked(database, parts) == {"asked": 40, "found": 0}
    assert len(silent.look_ups) >= 41
    put_off = "SELECT DISTINCT rechecks FROM attempts"
    assert rows(database, put_off) == [{"rechecks": 1}]


@pytest.mark.row(44)
def test_a_charge_that_a_gateway_makes_after_we_gave_it_up_is_found_and_refunded(database, tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        config = GatewayConfig(
            "sandbox_a",
            "sandbox",
            sandbox.url,
            API_KEY,
            timeout_s=0.3,
            options={"key_lifetime_s": 60, "absence_window_s": 60},
        )
        late = {"type": "card", "token": "tok_late_commit_3"}
        payment_id = accept_one(database, payment_method=late).payment.id
        once = replace(POLICY, max_attempts=1, verify_ladder_s=(10.0,) * 9)
        parts = pipeline(database, LoadedGateway(SandboxAdapter(config)), policy=once)
        run(parts, "payments")
        for _ in range(3):
            let_pass(database, 60)
            run(parts, "verify")
        assert payment_of(database, payment_id).state is State.FAILURE
        assert eventually(lambda: bool(sandbox.booked(f"{payment_id}-p1")))
        assert rechecked(database, parts) == {"asked": 1, "found": 1}
        for queue in ("verify", "payments", "verify"):  # asked about, refunded, asked whether all is well
            run(parts, queue)
        (charge,) = sandbox.booked(f"{payment_id}-p1")
    assert (charge["captured"], charge["refunded"]) == (1999, 1999)
    assert story_of(database, payment_id)[-3:] == ["FAILED", "DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.captured_minor, payment.refunded_minor) == (State.FAILURE, 0, 0)
    (detected,) = told_of(database, payment_id, "DUPLICATE_DETECTED")
    assert detected == {
        "gateway": "sandbox_a",
        "gateway_ref": charge["payment_id"],
        "attempt": 1,
        "amount_minor": 1999,
        "policy": "refund",
    }
    (given_back,) = told_of(database, payment_id, "DUPLICATE_REVERSED")
    assert (given_back["gateway_ref"], given_back["how"]) == (charge["payment_id"], "refunded")
    assert [job["status"] for job in rows(database, "SELECT status FROM jobs ORDER BY id")] == [
        "failed",
        "succeeded",
        "succeeded",
        "succeeded",
    ]


@pytest.mark.row(44)
def test_a_charge_that_is_found_while_another_job_is_open_is_asked_about_again(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gateway.look_up = lambda query: Approved("ch_9")
    other = (
        "INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status)"
        " SELECT 'job_other', id, merchant_id, mode, 'void', 'payments', 'queued' FROM payments"
    )
    database.run(lambda tx: tx.exec_driver_sql(other))
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    database.run(lambda tx: tx.exec_driver_sql("DELETE FROM jobs WHERE id = 'job_other'"))
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    run(parts, "verify")
    assert len(told_of(database, payment_id, "DUPLICATE_DETECTED")) == 1


@pytest.mark.row(44)
@pytest.mark.parametrize(
    ("policy", "captured", "how", "ends"),
    [
        ("refund", True, "refunded", "succeeded"),
        ("refund", False, "released", "succeeded"),
        ("void", False, "released", "succeeded"),
        ("void", True, None, "review"),
        ("hold", True, None, "review"),
        ("hold", False, None, "review"),
    ],
)
def test_the_policy_decides_about_a_late_charge(database, policy, captured, how, ends):
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway, policy=policy)
    gateway.look_up = lambda query: Approved("ch_late", captured)
    rechecked(database, parts)
    for queue in ("verify", "payments", "verify"):
        run(parts, queue)
    assert job_of(database, payment_id)["status"] == ends
    assert [fact["how"] for fact in told_of(database, payment_id, "DUPLICATE_REVERSED")] == (
        [how] if how else []
    )
    assert len(gateway.reversals) == (1 if how else 0)
    assert len(told_of(database, payment_id, "DUPLICATE_DETECTED")) == 1
    assert story_of(database, payment_id)[-1] == ("DUPLICATE_REVERSED" if how else "REVIEW_REQUIRED")


@pytest.mark.row(44)
@pytest.mark.parametrize(
    "now_says",
    [
        Approved("ch_late", captured_minor=1999, refunded_minor=1999),
        Declined("generic_decline", "voided", "", "ch_late"),
    ],
)
def test_a_held_late_charge_that_a_person_gives_back_at_the_gateway_is_over(database, now_says):
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway, policy="hold")
    gateway.look_up = lambda query: Approved("ch_late")
    rechecked(database, parts)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "review"
    gateway.look_up = lambda query: now_says
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "succeeded"
    (gone,) = told_of(database, payment_id, "DUPLICATE_REVERSED")
    assert (gone["gateway_ref"], gone["how"]) == ("ch_late", "given back at the gateway")
    look_ups = len(gateway.look_ups)
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert (job_of(database, payment_id)["status"], len(gateway.look_ups)) == ("succeeded", look_ups)


def test_a_paid_charge_that_was_given_back_behind_our_back_goes_to_a_person(database):
    gateway = ScriptedGateway("a")
    payment_id, parts = failed_payment(database, gateway)
    gateway.look_up = lambda query: Approved("ch_1", captured_minor=1999, refunded_minor=1999)
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    job = job_of(database, payment_id)
    assert (job["status"], job["result"]["gateway_says"]) == ("review", "GivenBack")


@pytest.mark.row(44)
def test_a_charge_of_a_superseded_attempt_is_refunded_and_the_payments_own_stays(database):
    first, second = ScriptedGateway("a", lambda request: SOFT), ScriptedGateway("b")
    payment_id, parts = failed_payment(database, first, second)
    first.look_up = lambda query: Approved("ch_late")
    rechecked(database, parts)
    for queue in ("verify", "payments", "verify"):
        run(parts, queue)
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.gateway, payment.captured_minor) == (State.SUCCESS, "b", 1999)
    assert story_of(database, payment_id)[-3:] == ["SUCCEEDED", "DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]
    assert list(first.reversals) == [f"{payment_id}-r1"]
    assert second.reversals == {}
    assert job_of(database, payment_id)["result"] == {"agrees": True, "gateway_says": "Approved"}


@pytest.mark.parametrize("silent", [0, 1])
def test_a_gateway_that_cannot_be_asked_hides_no_charge_at_another(database, silent):
    gateways = [ScriptedGateway(name, lambda request: SOFT) for name in "ab"]
    gateways[silent].able(look_ups=frozenset())
    gateways[1 - silent].look_up = lambda query: Approved("ch_late")
    payment_id, parts = failed_payment(database, *gateways)
    rechecked(database, parts)
    for queue in ("verify", "payments", "verify"):
        run(parts, queue)
    assert story_of(database, payment_id)[-2:] == ["DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == ("failed", "a can't be asked about it")


def test_a_sync_by_the_merchant_finds_a_late_charge_too(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gateway.charges[f"{payment_id}-p1"] = "ch_late"
    request_sync(database, Owner("m_1", "test"), payment_id)
    for queue in ("verify", "payments", "verify"):
        run(parts, queue)
    assert story_of(database, payment_id)[-2:] == ["DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]


def test_a_payment_whose_own_charge_is_missing_goes_to_a_person_and_nothing_is_given_back(database):
    first, second = ScriptedGateway("a", lambda request: SOFT), ScriptedGateway("b")
    payment_id, parts = failed_payment(database, first, second)
    let_pass(database, 150)
    first.look_up, second.look_up = (lambda query: Approved("ch_late")), (lambda query: NotFound())
    rechecked(database, parts)
    run_until_quiet(parts)
    run_until_quiet(parts)
    assert job_of(database, payment_id)["status"] == "review"
    assert (first.reversals, second.reversals) == ({}, {})


def on_the_way_to_a_refund(database, reverse):
    """A FAILURE payment with a late charge, told of, and its refund tried once by `reverse`."""
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gateway.charges[f"{payment_id}-p1"] = "ch_late"
    gateway.reverse = reverse
    rechecked(database, parts)
    run(parts, "verify")
    run(parts, "payments")
    gateway.reverse = gateway.reversed_once
    return payment_id, parts, gateway


def test_the_attempt_of_a_reversal_is_on_disk_before_its_call(database):
    seen = []

    def look(request):
        seen.extend(rows(database, "SELECT status, gateway_key FROM attempts WHERE operation = 'refund'"))
        return Approved("ch_late")

    payment_id, _, _ = on_the_way_to_a_refund(database, look)
    assert seen == [{"status": "SENT", "gateway_key": f"{payment_id}-r1"}]


@pytest.mark.parametrize("answer", [Unknown("read timeout"), NotSent("connection refused")])
def test_a_reversal_without_an_answer_is_asked_about_and_repeated_under_its_key(database, answer):
    payment_id, parts, gateway = on_the_way_to_a_refund(database, lambda request: answer)
    assert payment_of(database, payment_id).certainty == "known"
    for _ in range(2):
        make_due(database)
        run(parts, "verify")
    assert story_of(database, payment_id)[-1] == "DUPLICATE_REVERSED"
    assert list(gateway.reversals) == [f"{payment_id}-r1"]
    assert {call.idempotency_key for call in gateway.calls[1:]} == {f"{payment_id}-r1"}


def test_a_reversal_whose_worker_died_is_asked_about_first(database):
    class Died(BaseException):
        pass

    def die(request):
        gateway.reversals[request.idempotency_key] = "ch_late"
        raise Died

    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gateway.charges[f"{payment_id}-p1"] = "ch_late"
    gateway.reverse = die
    rechecked(database, parts)
    run(parts, "verify")
    with pytest.raises(Died):
        run(parts, "payments")
    end_leases(database)
    calls = len(gateway.calls)
    run(parts, "payments")
    assert story_of(database, payment_id)[-1] == "DUPLICATE_REVERSED"
    assert len(gateway.calls) == calls


def test_a_refused_refund_goes_to_a_person(database):
    payment_id, _, gateway = on_the_way_to_a_refund(
        database, lambda request: Declined("invalid_request", "too_old")
    )
    assert job_of(database, payment_id)["status"] == "review"
    assert "too_old" in job_of(database, payment_id)["reason"]
    assert gateway.reversals == {}


def test_a_hold_that_was_captured_before_its_void_is_refunded(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gateway.look_up = lambda query: Approved("ch_late", captured=False)
    gateway.reverse = lambda request: Declined("invalid_request", "invalid_state")
    rechecked(database, parts)
    run(parts, "verify")
    run(parts, "payments")
    gateway.reverse = gateway.reversed_once
    gateway.look_up = lambda query: Approved("ch_late", captured=True)
    for queue in ("verify", "payments", "verify"):
        run(parts, queue)
    assert story_of(database, payment_id)[-2:] == ["DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]
    assert list(gateway.reversals) == [f"{payment_id}-r1"]


def test_what_never_reached_a_gateway_is_not_rechecked(database):
    failed_payment(database, ScriptedGateway("a", lambda request: NotSent("refused")), ScriptedGateway("b"))
    assert rows(database, "SELECT recheck_at FROM attempts") == [{"recheck_at": None}] * 2


def test_a_refused_charge_is_rechecked_along_the_ladder_and_then_no_more(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gaps = []
    while (attempt := attempts_of(database, payment_id)[0])["recheck_at"] is not None:
        since = attempt["last_checked_at"] or attempt["answered_at"]
        gaps.append((attempt["recheck_at"] - since).total_seconds())
        rechecked(database, parts)
    assert gaps == pytest.approx([900, 2700, 255_600], abs=5)
    assert len(gateway.look_ups) == 3
    assert story_of(database, payment_id)[-1] == "FAILED"


def test_a_gateway_that_does_not_answer_keeps_the_place_on_the_ladder(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gateway.look_up = lambda query: Unknown("status is down")
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["rechecks"], attempt["recheck_at"] is not None) == (0, True)
    long_ago = {"age": timedelta(days=7)}
    database.run(
        lambda tx: tx.exec_driver_sql("UPDATE attempts SET answered_at = answered_at - %(age)s", long_ago)
    )
    rechecked(database, parts)
    assert attempts_of(database, payment_id)[0]["recheck_at"] is None


def test_a_charge_of_a_payment_that_is_still_open_waits_for_its_end(database):
    gateways = (
        ScriptedGateway("a", lambda request: SOFT),
        ScriptedGateway("b", lambda request: Unknown("reset")),
    )
    payment_id, parts = failed_payment(database, *gateways)
    gateways[0].look_up = lambda query: Approved("ch_late")
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    assert attempts_of(database, payment_id)[0]["rechecks"] == 0
    gateways[1].charges[f"{payment_id}-p2"] = "ch_2"
    make_due(database)
    run(parts, "verify")
    assert payment_of(database, payment_id).gateway == "b"
    assert rechecked(database, parts) == {"asked": 1, "found": 1}


def test_what_a_zombie_hears_too_late_is_asked_about_at_once(database):
    other = ScriptedGateway("a", key_lifetime_s=0)

    def charge_while_another_gives_up(request):
        end_leases(database)
        other_parts = pipeline(database, other)
        other.look_up = lambda query: Declined("stolen_card", "43")
        run(other_parts, "payments")
        return Approved("ch_late")

    payment_id = accept_one(database).payment.id
    # With one thread it has no room for a second claim, and can't take over from itself.
    zombie = pipeline(database, ScriptedGateway("a", charge_while_another_gives_up), calls_in_flight=1)
    assert run(zombie, "payments").lost == 1
    assert payment_of(database, payment_id).state is State.FAILURE
    (late,) = rows(database, "SELECT recheck_at <= now() AS due FROM attempts")
    assert late["due"]


def test_a_charge_that_is_told_of_after_the_last_look_is_looked_for_until_it_shows(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    gateway.look_up = lambda query: HARD
    payment_id, parts = failed_payment(database, gateway)
    for _ in LADDER_S:
        rechecked(database, parts)
    assert rechecked(database, parts)["asked"] == 0
    parts.jobs.recheck_now([(payment_id, 1, None)])
    assert recheck_now(database, parts) == {"asked": 1, "found": 0}
    gateway.look_up = lambda query: Approved("ch_late")
    assert rechecked(database, parts) == {"asked": 1, "found": 1}


def test_a_charge_that_is_told_of_again_and_again_is_looked_for_anew_a_number_of_times(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    gateway.look_up = lambda query: HARD
    payment_id, parts = failed_payment(database, gateway)
    looks = []
    for _ in range(14):
        before = len(gateway.look_ups)
        parts.jobs.recheck_now([(payment_id, 1, None)])
        while rechecked(database, parts)["asked"]:
            pass
        looks.append(len(gateway.look_ups) - before)
    assert looks == [len(LADDER_S)] * 10 + [1] * 4
    gateway.look_up = lambda query: Approved("ch_late")
    parts.jobs.recheck_now([(payment_id, 1, None)])
    assert rechecked(database, parts) == {"asked": 1, "found": 1}


def test_two_rechecks_at_once_ask_about_each_charge_once(database):
    gateway = ScriptedGateway("a", lambda request: HARD)
    for number in range(20):
        accept_one(database, f"key-{number}")
    parts = pipeline(database, gateway)
    run(parts, "payments")
    make_rechecks_due(database)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: recheck_now(database, parts), range(4)))
    assert sum(count["asked"] for count in counts) == 20
    assert sorted(query.reference for query in gateway.look_ups) == sorted(
        call.idempotency_key for call in gateway.calls
    )


def test_the_work_of_a_recheck_that_died_is_taken_up_later(database):
    def die(query):
        raise KeyboardInterrupt

    gateway = ScriptedGateway("a", lambda request: HARD)
    payment_id, parts = failed_payment(database, gateway)
    gateway.look_up = die
    with pytest.raises(KeyboardInterrupt):
        rechecked(database, parts)
    (attempt,) = rows(database, "SELECT rechecks, recheck_at > now() AS later FROM attempts")
    assert attempt == {"rechecks": 0, "later": True}
    gateway.look_up = lambda query: Approved("ch_late")
    assert rechecked(database, parts)["found"] == 1
    assert payment_of(database, payment_id).state is State.FAILURE
