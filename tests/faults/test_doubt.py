"""Doubt: what may have happened is asked about, never guessed, and never tried elsewhere before it is settled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    end_leases,
    job_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    rows,
    story_of,
)
from support.processes import FROZEN_WORKER
from support.sandbox_process import API_KEY, eventually, running_sandbox
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Approved, Declined, NotFound, NotSent, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.pipeline.run import run

OFTEN = replace(POLICY, verify_ladder_s=(10.0,) * 12)


def adapter(sandbox, name="sandbox_a", **config):
    return LoadedGateway(
        SandboxAdapter(GatewayConfig(name, "sandbox", sandbox.url, API_KEY, **{"timeout_s": 1.0, **config}))
    )


def pay_with(database, token):
    return accept_one(database, payment_method={"type": "card", "token": token}).payment.id


def ask_until(database, parts, settled, *, pass_s=60, times=12):
    """Let time pass and ask, until `settled()`; fails after so many times."""
    for _ in range(times):
        let_pass(database, pass_s)
        run(parts, "verify")
        if settled():
            return
    raise AssertionError(f"not settled by asking {times} times")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.mark.slow
@pytest.mark.row(26)
def test_a_worker_that_was_frozen_past_its_lease_sends_nothing_when_it_goes_on(
    database, database_url, sandbox
):
    lease_s = 1.2
    payment_id = accept_one(database).payment.id
    before = charges_posted(sandbox)
    frozen = subprocess.Popen(
        [sys.executable, FROZEN_WORKER, database_url, sandbox.url, str(lease_s)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    try:
        assert eventually(lambda: psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED)
        (attempt,) = attempts_of(database, payment_id)
        assert (attempt["status"], charges_posted(sandbox)) == ("SENT", before)
        time.sleep(lease_s)
        run(pipeline(database, adapter(sandbox)), "payments")
        assert payment_of(database, payment_id).state is State.SUCCESS
    finally:
        frozen.send_signal(signal.SIGCONT)
        told, _ = frozen.communicate(timeout=20)
    assert json.loads(told.splitlines()[-1])["lost"] == 1
    assert charges_posted(sandbox) == before + 1
    assert len(sandbox.booked(f"{payment_id}-p1")) == 1


def charges_posted(sandbox):
    return sandbox.call("GET", "/_sandbox/calls").json["calls"].get("POST /v1/charges", 0)


@pytest.mark.row(26)
def test_a_worker_that_committed_too_late_to_send_leaves_the_job_to_the_next(database):
    gateway = ScriptedGateway("a", connect_timeout_s=1, timeout_s=4)
    payment_id = accept_one(database).payment.id
    report = run(pipeline(database, gateway, lease_s=1), "payments")
    assert (report.lost, gateway.calls) == (1, [])
    assert job_of(database, payment_id)["status"] == "running"
    end_leases(database)
    run(pipeline(database, gateway), "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert len(gateway.calls) == 1


@pytest.mark.row(33)
def test_a_charge_that_is_committed_after_our_timeout_is_found_and_nothing_else_is_charged(database, sandbox):
    payment_id = pay_with(database, "tok_late_commit_2")
    elsewhere = ScriptedGateway("b")
    parts = pipeline(database, adapter(sandbox, timeout_s=0.3), elsewhere, policy=OFTEN)
    run(parts, "payments")
    make_due(database)
    run(parts, "verify")  # nothing can be seen yet: the same key again, which the gateway still works on
    assert payment_of(database, payment_id).certainty == "unknown"
    assert eventually(lambda: bool(sandbox.booked(f"{payment_id}-p1")))
    make_due(database)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert (len(sandbox.booked(f"{payment_id}-p1")), elsewhere.calls) == (1, [])


@pytest.mark.row(36)
def test_a_charge_in_doubt_at_a_gateway_without_keys_goes_to_review_and_is_sent_once(database, tmp_path):
    with running_sandbox(tmp_path, "--no-idempotency") as sandbox:
        no_keys = {"key_lifetime_s": 0, "absence_window_s": 120}
        payment_id = pay_with(database, "tok_drop_nocharge")
        elsewhere = ScriptedGateway("b")
        parts = pipeline(database, adapter(sandbox, options=no_keys), elsewhere, policy=OFTEN)
        run(parts, "payments")
        ask_until(database, parts, lambda: job_of(database, payment_id)["status"] == "review")
        calls = sandbox.call("GET", "/_sandbox/calls").json["calls"]
    job, (attempt,) = job_of(database, payment_id), attempts_of(database, payment_id)
    assert "no idempotency keys" in job["reason"]
    assert attempt["gateway_key"] in job["reason"]
    assert (attempt["sends"], attempt["not_found_count"], calls["POST /v1/charges"]) == (1, 3, 1)
    assert payment_of(database, payment_id).certainty == "unknown"
    assert elsewhere.calls == []


@pytest.mark.row(36)
def test_a_charge_that_turns_up_at_a_gateway_without_keys_is_adopted(database, tmp_path):
    with running_sandbox(tmp_path, "--no-idempotency") as sandbox:
        payment_id = pay_with(database, "tok_drop")
        parts = pipeline(database, adapter(sandbox, options={"key_lifetime_s": 0}))
        run(parts, "payments")
        make_due(database)
        run(parts, "verify")
        assert payment_of(database, payment_id).state is State.SUCCESS
        assert len(sandbox.booked(f"{payment_id}-p1")) == 1


@pytest.mark.row(37)
@pytest.mark.parametrize(("token", "charged_by"), [("tok_500", "sandbox_a"), ("tok_500_nocharge", "b")])
def test_a_500_is_asked_about_and_its_key_is_not_sent_again(database, tmp_path, token, charged_by):
    with running_sandbox(tmp_path, "--replays-errors") as sandbox:
        payment_id = pay_with(database, token)
        parts = pipeline(database, adapter(sandbox), ScriptedGateway("b"), policy=OFTEN)
        run(parts, "payments")
        ask_until(database, parts, lambda: payment_of(database, payment_id).is_terminal)
        assert payment_of(database, payment_id).gateway == charged_by
        assert attempts_of(database, payment_id)[0]["sends"] == 1
        assert len(sandbox.booked(f"{payment_id}-p1")) == (charged_by == "sandbox_a")


@pytest.mark.row(38)
def test_after_the_key_window_a_charge_in_doubt_is_asked_about_and_not_sent_again(database):
    gateway = ScriptedGateway("a", lambda request: Unknown("read timeout"), key_lifetime_s=3600)
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway, policy=OFTEN)
    run(parts, "payments")
    for _ in range(2):
        let_pass(database, 3600)
        run(parts, "verify")
    assert len(gateway.calls) == 1
    gateway.look_up = lambda query: Approved("ch_late")
    make_due(database)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS


@pytest.mark.row(38)
def test_absences_from_before_the_last_send_prove_nothing(database):
    gateway = ScriptedGateway(
        "a", lambda request: Unknown("read timeout"), key_lifetime_s=3600, absence_window_s=60
    )
    elsewhere = ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway, elsewhere, policy=OFTEN)
    run(parts, "payments")
    for _ in range(2):
        let_pass(database, 100)
        run(parts, "verify")
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["sends"], attempt["not_found_count"], attempt["first_not_found_at"]) == (3, 0, None)
    for absences in (1, 2):
        let_pass(database, 3600)
        run(parts, "verify")
        assert attempts_of(database, payment_id)[0]["not_found_count"] == absences
    assert elsewhere.calls == []
    let_pass(database, 100)
    run(parts, "verify")
    assert payment_of(database, payment_id).gateway == "b"
    assert story_of(database, payment_id)[-4:] == ["RESOLVED", "RETRY_ATTEMPTED", "PROCESSING", "SUCCEEDED"]
    assert rows(database, "SELECT status FROM attempts WHERE gateway = 'a'") == [{"status": "NOT_SENT"}]


@pytest.mark.parametrize(
    "second_answer",
    [NotSent("connection refused"), NotSent("429"), Declined("gateway_misconfigured", "401")],
    ids=["refused connection", "429", "401"],
)
def test_a_repeat_that_gets_nowhere_leaves_the_doubt_about_the_first_send(database, second_answer):
    def charge_then_refuse(request):
        return second_answer if len(gateway.calls) > 1 else (gateway.charge(request), Unknown("reset"))[1]

    gateway, elsewhere = ScriptedGateway("a", charge_then_refuse), ScriptedGateway("b")
    gateway.look_up = lambda query: NotFound()  # the look-up lags behind the charge
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway, elsewhere, policy=OFTEN)
    run(parts, "payments")
    make_due(database)
    run(parts, "verify")
    assert (payment_of(database, payment_id).certainty, elsewhere.calls) == ("unknown", [])
    gateway.look_up = gateway.by_ledger
    make_due(database)
    run(parts, "verify")
    assert (payment_of(database, payment_id).gateway, len(gateway.charges)) == ("a", 1)
