"""Why a payment is in its state: in words that people read, on the evidence that is recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from support.api_client import Api, start_api
from support.command_line import Aegis, aegis, install
from support.documented_answers import follows
from support.payments import accept_one, end_leases, let_pass, make_due, pipeline
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.claims import claim
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.explain import Explanation, explain
from aegis_worker.review.resolve import Resolution, ReviewParts, resolve
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.config import checked_routing

__all__ = ["aegis"]

HASTY = Policy(max_attempts=3, verify_ladder_s=(0.001,), poison_cap=5)
SOFT = Declined("issuer_unavailable", "91")


def explained(database: Database, payment_id: str) -> Explanation:
    with database.read() as connection:
        case = read_case_file(connection, None, payment_id)
    assert case is not None
    return explain(case)


def run_one(database: Database, *gateways: Any, **changes: Any) -> str:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, *gateways, **changes), "payments")
    return payment_id


def execute(database: Database, statement: str) -> None:
    database.run(lambda tx: tx.exec_driver_sql(statement))


def test_a_success_is_explained_by_the_charge_and_nothing_comes_next(database: Database) -> None:
    found = explained(database, run_one(database, ScriptedGateway("a")))
    assert found.why == "a charged 19.99 USD (1999), its reference ch_1"
    assert found.certainty_because == "a answered the call itself"
    assert (found.next.what, found.next.who, found.next.at) == ("nothing: it has ended", "nobody", None)
    assert [(seen.source, seen.what.split(" (")[0]) for seen in found.evidence] == [
        ("call", "process at a"),
        ("answer", "process at a"),
    ]
    assert "charged" in found.evidence[1].what
    (decision,) = found.decisions
    assert (decision.kind, decision.why) == ("route", "first in configured order")


def test_a_fresh_payment_waits_for_a_worker(database: Database) -> None:
    found = explained(database, accept_one(database).payment.id)
    assert found.why.startswith("accepted: 19.99 USD")
    assert found.certainty_because == "nothing was ever sent to a gateway"
    assert found.next.who == "worker"
    assert "a worker chooses a gateway" in found.next.what
    assert "it is due" in found.next.what
    assert (found.evidence, found.decisions) == ([], [])


def test_while_a_call_is_out_nothing_is_said_of_an_answer(database: Database) -> None:
    during = []

    def looked_at(request: GatewayRequest) -> Outcome:
        during.append(explained(database, payment_id))
        return gateway.charge(request)

    gateway = ScriptedGateway("a", looked_at)
    payment_id = accept_one(database).payment.id
    run(pipeline(database, gateway), "payments")
    (found,) = during
    assert found.certainty_because == "process went to a (attempt 1) and no answer has come yet"
    assert explained(database, payment_id).certainty_because == "a answered the call itself"


def test_doubt_says_what_is_known_and_when_the_gateway_is_asked_next(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: Unknown("read timeout"), key_lifetime_s=0)
    payment_id = run_one(database, gateway)
    first = explained(database, payment_id)
    assert "a may or may not have charged: read timeout" in first.why
    assert "no usable answer came; not asked about yet" in first.certainty_because
    assert first.next.what == "a is asked what became of process (attempt 1)"
    assert isinstance(first.next.at, datetime)
    assert first.next.at > first.case.now
    for _ in range(2):
        make_due(database)
        run(pipeline(database, gateway), "verify")
    second = explained(database, payment_id)
    assert "asked twice since, twice it knew nothing of it" in second.certainty_because
    assert second.evidence[-1].source == "look_up"
    assert "twice" in second.evidence[-1].what


def test_a_charge_found_by_asking_says_so(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: (gateway.charge(request), Unknown("reset"))[1])
    payment_id = run_one(database, gateway)
    make_due(database)
    run(pipeline(database, gateway), "verify")
    found = explained(database, payment_id)
    assert found.certainty_because == "a was asked once what became of it, and answered"
    assert "may or may not" not in found.why


def test_every_hop_and_every_retry_is_told_with_its_reason(database: Database) -> None:
    gateways = [
        ScriptedGateway("a", lambda request: SOFT),
        ScriptedGateway("b"),
        ScriptedGateway("c", currencies=frozenset({"EUR"})),
    ]
    found = explained(database, run_one(database, *gateways))
    assert [(decision.kind, decision.what) for decision in found.decisions] == [
        ("route", "sent to a (attempt 1)"),
        ("retry", "to try b"),
        ("route", "sent to b (attempt 2)"),
    ]
    assert "left out: c does not take USD" in found.decisions[0].why
    assert found.decisions[1].why == "a did not charge: issuer_unavailable"


def test_what_the_strategy_looked_at_is_told_for_every_candidate(database: Database) -> None:
    gateways = [
        ScriptedGateway("a", fee_fixed_minor=30, fee_basis_points=300),
        ScriptedGateway("b", fee_fixed_minor=10, fee_basis_points=100),
    ]
    cheapest = checked_routing({"strategy": "COST_OPTIMIZED"}, ["a", "b"])
    table = RoutingTable(cheapest, 1, "put", frozenset())
    payment_id = run_one(database, *gateways, routing=lambda: table)
    (hop,) = explained(database, payment_id).decisions
    assert hop.what == "sent to b (attempt 1)"
    assert hop.why.startswith("lowest fee, 0.30 USD (routing version 1)")
    assert "looked at: b (fee_minor 30), a (fee_minor 90)" in hop.why


def test_a_failure_is_explained_by_its_decline(database: Database) -> None:
    found = explained(database, run_one(database, ScriptedGateway("a", lambda request: SOFT)))
    assert found.why == "not charged: issuer_unavailable at a (91)"
    assert found.next.who == "worker", "a refused charge is asked about again"
    assert "came about after all" in found.next.what


WAITING: list[tuple[str, Callable[[Any], Any], str, str]] = [
    (
        "payer",
        lambda request: ActionRequired("pi_1", Redirect("https://bank.example")),
        "payer",
        "the payer has to act",
    ),
    ("pending", lambda request: Pending("ch_1"), "worker", "a is asked what became of process"),
    ("unreached", lambda request: NotSent("refused", retry_after_s=60), "worker", "tried at a gateway again"),
]


@pytest.mark.parametrize(
    ("script", "who", "what"), [case[1:] for case in WAITING], ids=[case[0] for case in WAITING]
)
def test_what_a_payment_waits_for_is_told(database: Database, script: Any, who: str, what: str) -> None:
    found = explained(database, run_one(database, ScriptedGateway("a", script)))
    assert found.next.who == who
    assert what in found.next.what
    assert found.next.at is not None


def test_a_payment_that_no_gateway_takes_now_says_so_and_for_how_long(database: Database) -> None:
    table = RoutingTable(checked_routing({}, ["a"]), 0, "file", frozenset({"a"}))
    found = explained(database, run_one(database, ScriptedGateway("a"), routing=lambda: table))
    assert "it waits: no gateway takes it now: a is paused by an operator (as of " in found.why
    assert found.certainty_because == "nothing was ever sent to a gateway"
    assert "if none takes it for too long, it fails, uncharged" in found.next.what


@pytest.mark.parametrize(
    ("kind", "because"),
    [
        (NotSentKind.NETWORK_ERROR, "was not reached before"),
        (NotSentKind.TIMEOUT, "was not reached in time before"),
        (NotSentKind.RATE_LIMIT, "took no more requests before"),
    ],
)
def test_a_gateway_that_took_nothing_is_not_said_to_have_answered_or_charged(
    database: Database, kind: NotSentKind, because: str
) -> None:
    gateway = ScriptedGateway("a", lambda request: NotSent("not now", retry_after_s=60, kind=kind))
    found = explained(database, run_one(database, gateway))
    assert found.why.startswith("process at a (attempt 1): not sent: not now; it waits: a, which " + because)
    assert "may be at a" not in found.why
    assert found.certainty_because == "a did not take the call (not now)"


def test_a_worker_that_is_at_it_or_gone_is_told(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    database.run(lambda tx: claim(tx, "payments", limit=1, lease_s=60, worker="host:7"))
    found = explained(database, payment_id)
    assert "a worker (host:7) is at it now" in found.next.what
    assert found.next.at == found.case.lease_until
    end_leases(database)
    assert "its worker (host:7) is gone" in explained(database, payment_id).next.what


def test_a_lost_job_and_held_funds_are_told(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    execute(database, "DELETE FROM jobs")
    assert "its job is missing" in explained(database, payment_id).next.what
    execute(database, "UPDATE payments SET state = 'AUTHORIZED'")
    assert explained(database, payment_id).next.who == "merchant"


def test_a_frozen_payment_moves_only_by_a_person(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    execute(database, "UPDATE payments SET frozen_at = now()")
    found = explained(database, payment_id)
    assert found.next.who == "person"
    assert "neither is to be believed" in found.certainty_because


def in_review(database: Database, gateway: ScriptedGateway, payment_id: str) -> None:
    parts = pipeline(database, gateway, policy=HASTY)
    run(parts, "payments")
    execute(database, "UPDATE jobs SET run_at = now() WHERE status = 'waiting'")
    run(parts, "verify")
    assert explained(database, payment_id).next.who == "person"


def test_a_review_and_what_a_person_decided_are_told(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: Unknown("read timeout"), key_lifetime_s=0)
    gateway.look_up = lambda query: Unknown("status is down")
    payment_id = accept_one(database).payment.id
    in_review(database, gateway, payment_id)
    before = explained(database, payment_id)
    assert "a person has to decide: " in before.next.what
    assert "a person has to look" in before.why
    gateway.look_up = lambda query: NotFound()
    let_pass(database, gateway.capabilities.absence_window_s)
    parts = ReviewParts(database, lambda: {"a": gateway}, lambda queue: None, 900.0)
    resolve(parts, payment_id, Resolution("not_charged", "not in the report"), actor="cli:asha")
    after = explained(database, payment_id)
    assert after.certainty_because == "a person decided it (what a said: not found)"
    assert any(
        seen.what == "a person decided: not charged (the gateway: not found)" for seen in after.evidence
    )
    assert "a person has to look" not in after.why


def test_a_step_that_was_approved_says_so(database: Database) -> None:
    gateway = ScriptedGateway("a", steps=(Operation.AUTHENTICATE, Operation.PROCESS))
    found = explained(database, run_one(database, gateway))
    assert [decision.what for decision in found.decisions] == ["sent to a (attempt 1)"], (
        "one hop, one decision"
    )
    assert [seen.what.split(" at ")[0] for seen in found.evidence if seen.source == "call"] == [
        "authenticate",
        "process",
    ]


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


def test_merchants_read_their_own_and_operators_any(api: Api) -> None:
    shop, other, operator = api.merchant("mer_a"), api.merchant("mer_b"), api.operator()
    payment_id = shop.accepted()["id"]
    gateway = ScriptedGateway("a", lambda request: Unknown("read timeout"))
    gateway.look_up = lambda query: Unknown("status is down")
    in_review(api.database, gateway, payment_id)
    parts = ReviewParts(api.database, lambda: {"a": gateway}, lambda queue: None, 900.0)
    resolve(
        parts,
        payment_id,
        Resolution("not_charged", "our secret reason", evidence="secret", force=True),
        actor="cli:asha",
    )
    document = shop.get("/openapi.json").json
    own = shop.get(f"/v1/payments/{payment_id}/explain")
    follows(document, "/v1/payments/{payment_id}/explain", "get", own)
    assert own.json["state"] == "FAILURE"
    assert own.json["history"][0]["what"].startswith("accepted")
    assert "secret" not in own.text
    assert "asha" not in own.text
    whole = operator.get(f"/v1/ops/payments/{payment_id}/explain")
    follows(document, "/v1/ops/payments/{payment_id}/explain", "get", whole)
    assert whole.json["decided_by_people"][0]["details"]["reason"] == "our secret reason"
    assert other.get(f"/v1/payments/{payment_id}/explain").status_code == 404
    assert operator.get(f"/v1/payments/{payment_id}/explain").status_code == 403
    assert shop.get(f"/v1/ops/payments/{payment_id}/explain").status_code == 403


def test_the_command_prints_the_same_for_people(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database: Database, database_url: str
) -> None:
    install(monkeypatch, database_url)
    gateway = ScriptedGateway("a", lambda request: Unknown("read timeout"))
    gateway.look_up = lambda query: Unknown("status is down")
    payment_id = accept_one(database).payment.id
    in_review(database, gateway, payment_id)
    ran = aegis("explain", payment_id)
    assert ran.exit_code == 0
    for part in (
        "PROCESSING",
        "may or may not have charged",
        "Evidence",
        "Decisions",
        "a person has to decide",
    ):
        assert part in ran.out
    assert "--charged, --not-charged, --ask-again" in ran.err
    body = aegis("explain", payment_id, "--json").json
    assert body["next"]["resolutions"] == ["charged", "not_charged", "ask_again"]
    assert aegis("explain", "pay_0").exit_code == 3
