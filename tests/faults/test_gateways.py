"""Gateways that fail in every way but one: the payment ends as their ledgers say, charged once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.payments import (
    accept_one,
    attempts_of,
    events_of,
    job_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    story_of,
)
from support.sandbox_pair import SandboxPair, adapter, running_pair

from aegis_worker.domain.transitions import EventType, State
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run

# Nobody listens on port 1.
CLOSED = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def shared_sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPair]:
    with running_pair(tmp_path_factory.mktemp("gateways")) as pair:
        yield pair


@pytest.fixture
def sandboxes(shared_sandboxes: SandboxPair) -> Iterator[SandboxPair]:
    yield shared_sandboxes
    shared_sandboxes.heal()


def pay(database: Database, token: str) -> str:
    return accept_one(database, payment_method={"type": "card", "token": token}).payment.id


def ask_again(database: Database, parts: PipelineParts, *, after_s: float = 100.0) -> None:
    let_pass(database, after_s)
    run(parts, "verify")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("tok_drop_at_sandbox_a", marks=pytest.mark.row(31)),
        pytest.param("tok_500_at_sandbox_a", marks=pytest.mark.row(32)),
        "tok_garbage_at_sandbox_a",
    ],
)
def test_a_charge_whose_answer_was_lost_is_adopted_by_asking(
    database: Database, sandboxes: SandboxPair, token: str
) -> None:
    payment_id = pay(database, token)
    parts = pipeline(database, *sandboxes.adapters())
    run(parts, "payments")
    assert payment_of(database, payment_id).certainty == "unknown"
    ask_again(database, parts)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "IN_DOUBT", "RESOLVED", "SUCCEEDED"]
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["sends"], attempt["checks"]) == (1, 1)
    assert sandboxes.charged(payment_id) == [("sandbox_a", 1999)]


@pytest.mark.row(35)
def test_a_doubt_that_nobody_can_settle_is_told_once_and_settled_when_look_ups_answer_again(
    database: Database, sandboxes: SandboxPair
) -> None:
    sandboxes.a.set_faults(status_down=True)
    payment_id = pay(database, "tok_drop_at_sandbox_a")
    parts = pipeline(database, *sandboxes.adapters())
    run(parts, "payments")
    for _ in range(2):
        ask_again(database, parts)
    assert payment_of(database, payment_id).certainty == "unknown"
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "IN_DOUBT"]
    assert told_of(database, payment_id, EventType.IN_DOUBT) == 1
    job = job_of(database, payment_id)
    assert (job["status"], job["queue"]) == ("waiting", "verify")
    sandboxes.heal()
    ask_again(database, parts)
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.certainty) == (State.SUCCESS, "known")
    assert sandboxes.charged(payment_id) == [("sandbox_a", 1999)]


def told_of(database: Database, payment_id: str, event: EventType) -> int:
    """How many events of this type are on their way to whoever watches."""
    seqs = [told.seq for told in events_of(database, payment_id) if told.type is event]
    sql = "SELECT count(*) AS told FROM outbox WHERE payment_id = %(id)s AND seq = ANY(%(seqs)s)"
    return int(rows(database, sql, id=payment_id, seqs=seqs)[0]["told"])


@pytest.mark.row(39)
def test_a_refused_connection_moves_the_payment_to_the_next_gateway(
    database: Database, sandboxes: SandboxPair
) -> None:
    payment_id = pay(database, "tok_ok")
    run(pipeline(database, adapter(sandboxes.a, base_url=CLOSED), adapter(sandboxes.b)), "payments")
    assert payment_of(database, payment_id).gateway == "sandbox_b"
    statuses = [(one["gateway"], one["status"]) for one in attempts_of(database, payment_id)]
    assert statuses == [("sandbox_a", "NOT_SENT"), ("sandbox_b", "APPROVED")]
    assert "IN_DOUBT" not in story_of(database, payment_id)
    assert sandboxes.charged(payment_id) == [("sandbox_b", 1999)]


@pytest.mark.row(41)
def test_retry_after_is_honoured_and_nothing_counts_as_failed(
    database: Database, sandboxes: SandboxPair
) -> None:
    payment_id = pay(database, "tok_429_40")
    parts = pipeline(database, adapter(sandboxes.a))
    run(parts, "payments")
    job = job_of(database, payment_id)
    assert (job["status"], job["queue"], job["claim_count"]) == ("waiting", "payments", 0)
    assert 30 < job["put_off_s"] <= 40
    payment = payment_of(database, payment_id)
    assert (payment.state, payment.certainty, payment.last_error) == (State.PROCESSING, "known", None)
    assert run(parts, "payments").claimed == 0
    assert sandboxes.charged(payment_id) == []
    let_pass(database, 40)
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert sandboxes.charged(payment_id) == [("sandbox_a", 1999)]


@pytest.mark.row(41)
def test_retry_after_binds_the_gateway_that_said_it_and_not_the_next(
    database: Database, sandboxes: SandboxPair
) -> None:
    payment_id = pay(database, "tok_429_40_at_sandbox_a")
    run(pipeline(database, *sandboxes.adapters()), "payments")
    assert payment_of(database, payment_id).gateway == "sandbox_b"
    assert sandboxes.charged(payment_id) == [("sandbox_b", 1999)]
