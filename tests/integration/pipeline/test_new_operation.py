"""A new operation is a room and a row of the registry: it is taken through everything without a change to anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.payments import (
    OpenGates,
    accept_one,
    attempts_of,
    job_of,
    let_pass,
    make_due,
    pipeline,
    rows,
    run_until_quiet,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import JobChange, OpenAttempt
from aegis_worker.domain.gateway_keys import gateway_key
from aegis_worker.domain.outcomes import Approved, NotFound, NotSent, Operation, Outcome, Unknown
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.operations import ROOMS
from aegis_worker.pipeline.operations.absence import Missing, after_not_found
from aegis_worker.pipeline.operations.answers import ask_later, doubt, end_attempt, send_again
from aegis_worker.pipeline.operations.requests import request_for
from aegis_worker.pipeline.operations.room import Room
from aegis_worker.pipeline.operations.steps import ask, review
from aegis_worker.pipeline.work import Answer, Policy, Rest, Send, Settled, Step, Work
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.explain import Explanation, explain
from aegis_worker.resilience.permits import Verdict, Wanted


class Stamp(Room):
    """The toy: the gateway puts a stamp on what it holds."""

    def step(self, work: Work, policy: Policy) -> Step:
        for position, attempt in enumerate(work.attempts):
            if attempt.operation is Operation.CAPTURE:
                return Rest(JobChange("succeeded")) if attempt.status == "APPROVED" else ask(work, position)
        charge = work.attempts[-1]
        request = request_for(work, Operation.CAPTURE, charge.number, charge.gateway)
        key = gateway_key(work.payment.id, Operation.CAPTURE, charge.number)
        return Send(
            OpenAttempt(
                Operation.CAPTURE,
                charge.number,
                charge.gateway,
                key,
                request.fingerprint(),
                {"because": "toy"},
            ),
            request,
            [],
        )

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        outcome = answer.outcome
        if isinstance(outcome, Approved):
            work, ended = end_attempt(
                work, answer, AttemptStatus.APPROVED, StoredOutcome(captured=True), outcome.gateway_ref
            )
            return Settled(work, ended, [], Rest(JobChange("succeeded", result={"stamped": True})))
        if isinstance(outcome, NotFound):
            follows = after_not_found(work, work.subject, answer.asked_at_s)
            if follows is Missing.SEND_AGAIN:
                return send_again(work, answer, policy, [])
            work, ended = end_attempt(work, answer, AttemptStatus.UNKNOWN, doubt(work, "not found yet"))
            rest = review(work, "nobody knows whether it was stamped")
            return Settled(work, ended, rest.facts, rest)
        assert isinstance(outcome, Unknown | NotSent)
        status = AttemptStatus.UNKNOWN if isinstance(outcome, Unknown) else AttemptStatus.NOT_SENT
        work, ended = end_attempt(work, answer, status, doubt(work, outcome.reason))
        return ask_later(work, ended, [], outcome.reason, policy)

    def waits_for(self, operation: str) -> str | None:
        return "a stamp is put on it"


class Stamping(ScriptedGateway):
    """A gateway that stamps as the test says; the stamps that it really put are in its ledger."""

    def __init__(self, *, key_lifetime_s: float = 86_400) -> None:
        super().__init__("a", key_lifetime_s=key_lifetime_s)
        self.stamps: list[str] = []
        self.answers: list[Callable[[GatewayRequest], Outcome]] = []
        self.look_up = lambda query: Approved("st_1") if query.reference in self.stamps else NotFound()

    def capture(self, request: GatewayRequest) -> Outcome:
        return self.answers.pop(0)(request) if self.answers else self.stamp(request)

    def stamp(self, request: GatewayRequest) -> Outcome:
        if request.idempotency_key not in self.stamps:
            self.stamps.append(request.idempotency_key)
        return Approved("st_1")

    def stamp_and_say_nothing(self, request: GatewayRequest) -> Outcome:
        self.stamp(request)
        return Unknown("read timeout")


class Asked(OpenGates):
    """Gates that let everything through but the first stamp, and know what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Wanted] = []

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        self.asked += wanted
        stamps = [one for one in self.asked if one.operations == (Operation.CAPTURE,)]
        if wanted[0].operations == (Operation.CAPTURE,) and len(stamps) == 1:
            return [Verdict(False, refused_by="breaker", reason="has an open breaker", retry_in_s=5.0)]
        return super().admit(wanted)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    ROOMS["stamp"] = Stamp()
    yield
    del ROOMS["stamp"]


@pytest.fixture
def gateway() -> Stamping:
    return Stamping()


def to_stamp(database: Database, gateway: Stamping) -> str:
    """A charged payment, with a job for its stamp."""
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    database.run(
        lambda connection: connection.exec_driver_sql(
            "INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status)"
            " SELECT 'job_stamp', id, merchant_id, 'stamp', 'payments', 'queued' FROM payments"
        )
    )
    return payment_id


def stamp_of(database: Database, payment_id: str) -> dict[str, Any]:
    (attempt,) = [row for row in attempts_of(database, payment_id) if row["operation"] == "capture"]
    return attempt


def explained(database: Database, payment_id: str) -> Explanation:
    with database.read() as connection:
        case = read_case_file(connection, None, payment_id)
    assert case is not None
    return explain(case)


def test_it_is_claimed_called_and_ended(database: Database, gateway: Stamping) -> None:
    payment_id = to_stamp(database, gateway)
    run_until_quiet(pipeline(database, gateway))
    job = job_of(database, payment_id)
    assert (job["status"], job["result"]) == ("succeeded", {"stamped": True})
    assert stamp_of(database, payment_id)["status"] == "APPROVED"
    assert len(gateway.stamps) == 1


def test_its_own_question_is_put_to_the_gates_and_a_refusal_has_it_wait(
    database: Database, gateway: Stamping
) -> None:
    payment_id = to_stamp(database, gateway)
    gates = Asked()
    parts = replace(pipeline(database, gateway), gates=gates)
    run_until_quiet(parts)
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == ("waiting", "a has an open breaker")
    assert gates.asked == [Wanted("a", ("capture",), f"{payment_id}-1-capture")]
    make_due(database)
    run_until_quiet(parts)
    assert job_of(database, payment_id)["status"] == "succeeded"


def test_its_lost_answer_leaves_it_in_doubt_until_a_look_up_finds_it(
    database: Database, gateway: Stamping
) -> None:
    payment_id = to_stamp(database, gateway)
    gateway.answers = [gateway.stamp_and_say_nothing]
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    assert stamp_of(database, payment_id)["status"] == "UNKNOWN"
    make_due(database)
    run_until_quiet(parts)
    assert job_of(database, payment_id)["status"] == "succeeded"
    assert len(gateway.stamps) == 1


def test_what_was_not_found_is_sent_again_under_its_key(database: Database, gateway: Stamping) -> None:
    payment_id = to_stamp(database, gateway)
    gateway.answers = [lambda request: Unknown("reset")]
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    make_due(database)
    run_until_quiet(parts)
    attempt = stamp_of(database, payment_id)
    assert (attempt["status"], attempt["sends"]) == ("APPROVED", 2)
    assert gateway.stamps == [attempt["gateway_key"]]


def test_what_nobody_knows_goes_to_a_person_and_is_explained(database: Database) -> None:
    gateway = Stamping(key_lifetime_s=0)
    payment_id = to_stamp(database, gateway)
    gateway.answers = [lambda request: Unknown("reset")]
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    waiting = explained(database, payment_id)
    assert waiting.next.what.startswith("a stamp is put on it")
    let_pass(database, 600)
    run_until_quiet(parts)
    in_review = explained(database, payment_id)
    assert in_review.next.what == "a person has to decide: nobody knows whether it was stamped"


def test_a_job_of_an_operation_that_this_code_does_not_know_goes_to_a_person(
    database: Database, gateway: Stamping
) -> None:
    payment_id = to_stamp(database, gateway)
    del ROOMS["stamp"]
    run_until_quiet(pipeline(database, gateway))
    ROOMS["stamp"] = Stamp()
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == (
        "review",
        "this version of AegisPay knows no operation 'stamp'",
    )
    assert rows(database, "SELECT 1 FROM attempts WHERE operation = 'capture'") == []
