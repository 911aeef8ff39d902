"""Hooks and rules inside the worker's run: who is asked when, what holds, what is kept, and who waits for whom."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from support.orders import CAPTURE, ordering
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
from support.screening import OurHooks, ScriptedRules
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Declined, NotSent, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.screening import Action, Finding, screening_of
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.hooks import BeforeAnswer, Enrichment, ErrorAnswer, FraudAnswer, Point
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.stage import Stage
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.explain import explain
from aegis_worker.queries.history import list_attempts
from aegis_worker.review.resolve import Resolution, ReviewParts, resolve
from aegis_worker.rules.screen import NO_RULES

SOFT = Declined("issuer_unavailable", "91", "no answer from the bank")


def shop(
    database: Database, hooks: Any = None, rules: Any = None, *gateways: Any, **changes: Any
) -> PipelineParts:
    stage = Stage(hooks or OurHooks(), rules or NO_RULES)
    return pipeline(database, *(gateways or (ScriptedGateway("a"),)), stage=stage, **changes)


def said_of(database: Database, payment_id: str) -> list[Finding]:
    screening = screening_of(payment_of(database, payment_id))
    assert screening is not None
    return list(screening.findings)


def test_what_hooks_and_rules_say_is_written_once_with_the_attempt_that_it_allows(database: Database) -> None:
    flag = Finding("rule high-value", Action.FLAG, "1,000.00 or more")
    hooks = OurHooks(fraud_check=lambda context: FraudAnswer(score=20, reason="a new customer"))
    payment_id = accept_one(database).payment.id
    run(shop(database, hooks, ScriptedRules(flag)), "payments")
    assert story_of(database, payment_id) == ["INITIATED", "SCREENED", "PROCESSING", "SUCCEEDED"]
    assert said_of(database, payment_id) == [
        flag,
        Finding("hook our_shop:fraud_check", Action.ALLOW, "a new customer", 20),
    ]


def test_where_nobody_is_asked_nothing_is_written(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run(shop(database, rules=ScriptedRules(on=False)), "payments")
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "SUCCEEDED"]


def test_a_payment_that_was_screened_is_not_asked_about_again_by_whichever_worker(database: Database) -> None:
    hooks = OurHooks(fraud_check=lambda context: None)
    gateway = ScriptedGateway("a", answering(NotSent("refused", kind=NotSentKind.TIMEOUT)))
    payment_id = accept_one(database).payment.id
    parts = shop(database, hooks, None, gateway)
    for _ in range(3):
        run(parts, "payments")
        let_pass(database, 3600)
    assert len(attempts_of(database, payment_id)) == 3
    assert len(hooks.asked) == 1


def test_rules_are_asked_about_a_whole_batch_at_once(database: Database) -> None:
    rules = ScriptedRules()
    ids = {accept_one(database, f"key-{number}").payment.id for number in range(5)}
    run(shop(database, None, rules), "payments")
    assert [set(batch) for batch in rules.asked] == [ids]


def test_a_payment_that_is_for_later_or_was_cancelled_is_not_asked_about(database: Database) -> None:
    hooks = OurHooks(fraud_check=lambda context: None)
    payment_id = accept_one(database).payment.id
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE payments SET scheduled_at = now() + interval '1 day' WHERE id = %(id)s",
            {"id": payment_id},
        )
    )
    run(shop(database, hooks), "payments")
    assert job_of(database, payment_id)["reason"] == "its time has not come"
    assert hooks.asked == []


def test_enrichment_adds_what_metadata_may_hold_and_replaces_nothing_of_the_merchants(
    database: Database,
) -> None:
    hooks = OurHooks(
        enrich=lambda context: Enrichment(
            {
                "tier": "gold",
                "cart": "another",
                "no key": 1,
                "card": "4111 1111 1111 1111",
                "long": "x" * 1001,
            },
            {"segment": "vip"},
        ),
        fraud_check=lambda context: None,
        route=lambda context: None,
    )
    payment_id = accept_one(database, metadata={"cart": "c-81"}).payment.id
    run(shop(database, hooks), "payments")
    kept = screening_of(payment_of(database, payment_id))
    assert kept is not None
    assert (kept.metadata, kept.facts) == ({"tier": "gold"}, {"segment": "vip"})
    assert kept.findings[0].reason == "adds tier; tells routing segment; may not add card, cart, long, no key"
    assert payment_of(database, payment_id).terms.metadata == {"cart": "c-81"}
    (shown,) = hooks.shown_at(Point.FRAUD_CHECK)
    assert shown.payment.metadata == {"tier": "gold", "cart": "c-81"}
    (routing,) = hooks.shown_at(Point.ROUTE)
    assert routing.facts == {"segment": "vip"}


def test_a_routing_hook_is_shown_the_gateways_that_may_take_it_and_names_the_first(
    database: Database,
) -> None:
    hooks = OurHooks(route=lambda context: ("elsewhere", "b"))
    a, b, off = ScriptedGateway("a"), ScriptedGateway("b"), ScriptedGateway("off", enabled=False)
    payment_id = accept_one(database).payment.id
    run(shop(database, hooks, None, a, b, off), "payments")
    (shown,) = hooks.shown_at(Point.ROUTE)
    assert [gateway.name for gateway in shown.gateways] == ["a", "b"]
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["gateway"], attempt["decision"]["because"]) == ("b", "named by hook our_shop:route")


def test_what_a_hook_says_of_the_payer_is_not_kept(database: Database) -> None:
    hooks = OurHooks(
        fraud_check=lambda context: FraudAnswer(
            reason=f"{context.payer['email']} at {context.payer['ip']} with 4111111111111111"
        )
    )
    payment_id = accept_one(database, payer={"email": "ann@shop.example", "ip": "10.1.2.3"}).payment.id
    run(shop(database, hooks), "payments")
    assert [finding.reason for finding in said_of(database, payment_id)] == ["… at … with …"]


def test_a_slow_hook_holds_up_its_own_payment_and_no_other(database: Database) -> None:
    hooks = OurHooks(fraud_check=lambda context: None)
    slow = accept_one(database, "slow", metadata={"slow": True}).payment.id
    others = [accept_one(database, f"key-{number}").payment.id for number in range(20)]
    hooks.holds = lambda context: context.payment.metadata.get("slow") is True
    parts = shop(database, hooks, run_limit_s=2)
    thread = threading.Thread(target=run, args=(parts, "payments"))
    thread.start()
    thread.join()
    assert {payment_of(database, payment_id).state for payment_id in others} == {State.SUCCESS}
    assert payment_of(database, slow).state is State.INITIATED
    hooks.held.pop()()
    parts.tail.finish()
    assert payment_of(database, slow).state is State.SUCCESS


def test_what_is_said_after_the_lease_is_dropped_and_asked_for_again(database: Database) -> None:
    hooks = OurHooks(fraud_check=lambda context: None)
    hooks.holds = lambda context: not hooks.asked
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    late = shop(database, hooks, None, gateway, lease_s=0.5, run_limit_s=0.2)
    run(late, "payments")
    end_leases(database)
    run(shop(database, hooks, None, gateway), "payments")
    hooks.held.pop()()
    late.tail.finish()
    assert len(hooks.asked) == 2
    assert story_of(database, payment_id) == ["INITIATED", "SCREENED", "PROCESSING", "SUCCEEDED"]
    assert gateway.charges_of(payment_id) == 1


def test_a_payment_that_kills_its_workers_while_it_is_screened_goes_to_a_person(database: Database) -> None:
    class Death(BaseException):
        """The end of a worker."""

    class Deadly(ScriptedRules):
        def screen(self, asked: Any) -> Any:
            if any(one.payment.id == doomed for one in asked):
                raise Death
            return super().screen(asked)

    doomed = accept_one(database, "doomed").payment.id
    others = [accept_one(database, f"key-{number}").payment.id for number in range(3)]
    for _ in range(12):
        try:
            run(shop(database, None, Deadly()), "payments")
        except Death:
            end_leases(database)
        make_due(database)
    assert {payment_of(database, payment_id).state for payment_id in others} == {State.SUCCESS}
    assert job_of(database, doomed)["status"] == "review"
    assert "5 workers began it" in job_of(database, doomed)["reason"]


def test_rules_that_fail_have_a_person_look(database: Database) -> None:
    class Broken(ScriptedRules):
        def screen(self, asked: Any) -> Any:
            raise KeyError("4111111111111111")

    payment_id = accept_one(database).payment.id
    run(shop(database, None, Broken()), "payments")
    assert said_of(database, payment_id) == [Finding("rules", Action.REVIEW, failed="raised KeyError")]


def test_a_call_is_put_off_for_as_long_as_a_payment_may_wait_and_then_made(database: Database) -> None:
    hooks = OurHooks(before_operation=lambda context: BeforeAnswer("delay", 60, "night"))
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    parts = shop(database, hooks, None, gateway)
    run(parts, "payments")
    job = job_of(database, payment_id)
    assert job["reason"] == "hook our_shop:before_operation asks for it: night"
    assert 50 < job["put_off_s"] <= 60
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE jobs SET created_at = created_at - interval '301 s', run_at = now()"
        )
    )
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert [shown.gateway for shown in hooks.shown_at(Point.BEFORE_OPERATION)] == ["a", "a"]


def test_what_a_merchant_ordered_is_asked_about_before_its_call_as_well(database: Database) -> None:
    says = {"capture": BeforeAnswer("review", reason="not before the audit"), "charge": None}
    hooks = OurHooks(before_operation=lambda context: says[context.operation])
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database, capture_method="manual").payment.id
    parts = shop(database, hooks, None, gateway)
    run(parts, "payments")
    ordering(database, gateway, payment_id, CAPTURE, 700)
    run(parts, "payments")
    shown = [(one.operation, one.number, one.amount_minor) for one in hooks.shown_at(Point.BEFORE_OPERATION)]
    assert shown == [("charge", 1, 1999), ("capture", 1, 700)]
    job = job_of(database, payment_id)
    assert (job["status"], job["operation"]) == ("review", "capture")
    assert job["reason"] == "hook our_shop:before_operation asks for it: not before the audit"
    assert gateway.captures == {}


def test_a_payment_that_a_hook_wants_looked_at_before_its_call_is_held_back_like_a_fraud(
    database: Database,
) -> None:
    hooks = OurHooks(before_operation=lambda context: BeforeAnswer("review", reason="a new merchant"))
    payment_id = accept_one(database).payment.id
    run(shop(database, hooks), "payments")
    job = job_of(database, payment_id)
    assert (job["status"], job["review_kind"]) == ("review", "fraud")
    assert said_of(database, payment_id) == [
        Finding("hook our_shop:before_operation", Action.REVIEW, "a new merchant")
    ]
    assert attempts_of(database, payment_id) == []


@pytest.mark.parametrize(
    ("asks", "attempts", "refused"),
    [
        (ErrorAnswer("retry", 5), ["a"], None),
        (ErrorAnswer("delay", 5), ["a"], None),
        (ErrorAnswer("other_gateway", gateway="c"), ["a", "c"], None),
        (ErrorAnswer("other_gateway", gateway="a"), ["a", "b"], "a was tried"),
        (ErrorAnswer("other_gateway", gateway="z"), ["a", "b"], "z is no gateway that takes it"),
        (ErrorAnswer("delay", 7200), ["a", "b"], "it may be put off for 3600 s at most"),
        (ErrorAnswer("refund"), ["a", "b"], "nothing stands charged that could be given back"),
        (ErrorAnswer("cancel"), ["a"], None),
        (ErrorAnswer("review"), ["a"], None),
    ],
)
def test_after_a_soft_decline_a_hook_gets_what_would_be_safe_without_it(
    database: Database, asks: ErrorAnswer, attempts: list[str], refused: str | None
) -> None:
    hooks = OurHooks(on_error=lambda context: asks if context.gateway == "a" else None)
    a, b, c = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b"), ScriptedGateway("c")
    payment_id = accept_one(database).payment.id
    run(shop(database, hooks, None, a, b, c), "payments")
    made = attempts_of(database, payment_id)
    assert [attempt["gateway"] for attempt in made] == attempts
    (wish,) = made[0]["outcome"]["wishes"]
    assert (wish["source"], wish["ask"], wish.get("refused")) == ("hook our_shop:on_error", asks.ask, refused)


def test_a_review_that_a_hook_was_granted_stays_with_a_person_whoever_has_the_gateway_asked(
    database: Database,
) -> None:
    hooks = OurHooks(on_error=lambda context: ErrorAnswer("review", reason="call the bank"))
    a, b = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    parts = shop(database, hooks, None, a, b)
    run(parts, "payments")
    database.run(lambda connection: ask_now(connection, payment_id))
    run_until_quiet(parts)
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == (
        "review",
        "hook our_shop:on_error asks for it: call the bank",
    )
    assert [attempt["gateway"] for attempt in attempts_of(database, payment_id)] == ["a"]


def test_a_review_that_a_hook_was_granted_after_a_refusal_is_over_when_a_person_lets_the_payment_go_on(
    database: Database,
) -> None:
    asks = OurHooks(
        on_error=lambda context: (
            ErrorAnswer("review", reason="call the bank") if context.gateway == "a" else None
        )
    )
    a, b = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    parts = shop(database, asks, None, a, b)
    run(parts, "payments")
    people = ReviewParts(database, dict, lambda queue: None, 900.0)
    decided = resolve(
        people, payment_id, Resolution("ask_again", "the bank says try elsewhere"), actor="cli:ann"
    )
    assert decided.note == "the hook's review is over: the payment goes on as if it had not asked"
    run_until_quiet(parts)
    assert payment_of(database, payment_id).state is State.SUCCESS
    first, second = attempts_of(database, payment_id)
    assert (first["status"], second["gateway"]) == ("DECLINED", "b")
    assert first["outcome"]["wishes"][0]["refused"] == "a person let the payment go on"


def test_a_review_that_was_asked_for_in_doubt_is_over_with_the_doubt(database: Database) -> None:
    hooks = OurHooks(on_error=lambda context: ErrorAnswer("review") if context.outcome == "unknown" else None)
    a = ScriptedGateway("a", answering(Unknown("read timeout")))
    a.look_up = lambda query: SOFT
    b = ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    parts = shop(database, hooks, None, a, b)
    run(parts, "payments")
    assert job_of(database, payment_id)["status"] == "review"
    database.run(lambda connection: ask_now(connection, payment_id))
    run_until_quiet(parts)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert [attempt["gateway"] for attempt in attempts_of(database, payment_id)] == ["a", "b"]


def test_a_retry_that_was_granted_is_made_at_the_same_gateway_once_its_time_has_come(
    database: Database,
) -> None:
    hooks = OurHooks(on_error=lambda context: ErrorAnswer("retry", 600, reason="payday"))
    a, b = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    parts = shop(database, hooks, None, a, b)
    run(parts, "payments")
    assert job_of(database, payment_id)["put_off_s"] > 590
    for _ in range(3):
        make_due(database)
        run(parts, "payments")
    made = attempts_of(database, payment_id)
    assert [attempt["gateway"] for attempt in made] == ["a", "a", "a"]
    assert "refused" not in made[1]["outcome"]["wishes"][0]
    assert made[2]["outcome"]["wishes"][0]["refused"] == "it had 3 attempts, the most that a payment has"


def test_in_doubt_a_hook_gets_nothing_but_a_person(database: Database) -> None:
    answers: Any = iter(["retry", "other_gateway", "cancel", "refund", "delay"])
    hooks = OurHooks(on_error=lambda context: ErrorAnswer(next(answers)))
    a, b = ScriptedGateway("a", answering(Unknown("read timeout"))), ScriptedGateway("b")
    ids = [accept_one(database, f"key-{number}").payment.id for number in range(5)]
    run(shop(database, hooks, None, a, b), "payments")
    for payment_id in ids:
        (attempt,) = attempts_of(database, payment_id)
        assert attempt["status"] == "UNKNOWN"
        assert "the call may have charged" in attempt["outcome"]["wishes"][0]["refused"]
        assert job_of(database, payment_id)["queue"] == "verify"


def test_the_events_of_a_screened_payment_name_no_one(database: Database) -> None:
    hooks = OurHooks(fraud_check=lambda context: None)
    payment_id = accept_one(database, payer={"email": "ann@shop.example"}).payment.id
    run(shop(database, hooks), "payments")
    (event,) = [event for event in events_of(database, payment_id) if event.type is EventType.SCREENED]
    assert event.data["screening"]["findings"] == [{"source": "hook our_shop:fraud_check", "action": "allow"}]
    assert rows(database, "SELECT FROM outbox") != []


def test_explain_names_what_each_hook_and_rule_decided_and_what_the_error_hook_asked_for(
    database: Database,
) -> None:
    def blocks_large_ones(context: Any) -> FraudAnswer:
        if context.payment.amount_minor > 5000:
            raise KeyError(context.payment.id)
        return FraudAnswer(score=3)

    hooks = OurHooks(fraud_check=blocks_large_ones, on_error=lambda context: ErrorAnswer("refund"))
    rules = ScriptedRules(Finding("rule new-card", Action.FLAG, "first seen today"))
    a, b = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")
    fine = accept_one(database, "fine").payment.id
    blocked = accept_one(database, "large", amount=Money(5001, "USD")).payment.id
    run(shop(database, hooks, rules, a, b), "payments")
    assert decided(database, blocked) == [
        ("screening", "rule new-card says flag: first seen today"),
        ("screening", "hook our_shop:fraud_check gave no answer (raised KeyError), so block"),
    ]
    assert payment_of(database, blocked).state is State.FAILURE
    assert attempts_of(database, blocked) == []
    assert decided(database, fine) == [
        ("screening", "rule new-card says flag: first seen today"),
        ("screening", "hook our_shop:fraud_check says allow, score 3"),
        ("route", "sent to a (attempt 1)"),
        ("hook", "hook our_shop:on_error asks for refund"),
        ("retry", "to try b"),
        ("route", "sent to b (attempt 2)"),
    ]


def test_explain_says_why_a_hook_before_a_call_gave_no_answer_and_which_of_its_delays_was_too_much(
    database: Database,
) -> None:
    def fails_once_and_delays(context: Any) -> BeforeAnswer:
        if context.gateway == "a":
            raise KeyError(context.payment.id)
        return BeforeAnswer("delay", reason="later")

    hooks = OurHooks(before_operation=fails_once_and_delays)
    a, b = ScriptedGateway("a", answering(SOFT)), ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    run_until_quiet(shop(database, hooks, None, a, b, policy=replace(POLICY, route_wait_s=0)))
    assert decided(database, payment_id) == [
        ("route", "sent to a (attempt 1)"),
        ("hook", "hook our_shop:before_operation gave no answer"),
        ("retry", "to try b"),
        ("route", "sent to b (attempt 2)"),
        ("hook", "hook our_shop:before_operation asks for delay"),
    ]
    assert "hooks" not in str(attempts_as_its_merchant_sees(database, payment_id))


def test_explain_names_each_hook_once_where_one_holds_back_what_others_have_let_pass(
    database: Database,
) -> None:
    hooks = OurHooks(
        fraud_check=lambda context: FraudAnswer(score=3),
        before_operation=lambda context: BeforeAnswer("review"),
    )
    payment_id = accept_one(database).payment.id
    run(shop(database, hooks), "payments")
    assert decided(database, payment_id) == [
        ("screening", "hook our_shop:fraud_check says allow, score 3"),
        ("screening", "hook our_shop:before_operation says review"),
    ]


def attempts_as_its_merchant_sees(database: Database, payment_id: str) -> list[Any]:
    payment = payment_of(database, payment_id)
    with database.read() as connection:
        stored = list_attempts(connection, Owner(payment.merchant_id, payment.mode), payment_id, limit=10)
    assert len(stored) == 2
    return [one.decision for one in stored]


def decided(database: Database, payment_id: str) -> list[tuple[str, str]]:
    with database.read() as connection:
        case = read_case_file(connection, None, payment_id)
    assert case is not None
    return [(decision.kind, decision.what) for decision in explain(case).decisions]
