"""Disputes: the gateway tells of one, is asked how it stands, and what it says is written down with the payment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.api_client import Api, start_api
from support.disputes import (
    RESPOND_BY,
    disputes_of,
    events_kept,
    followed,
    insert_dispute,
    let_events_pass,
    paid,
    shown,
    told,
)
from support.orders import REFUND, amounts, entity, ordering, payment_now, row_is_fold
from support.payments import events_of, let_pass, pipeline, rows, run_until_quiet, story_of
from support.scripted_gateway import ScriptedGateway

from aegis_worker.audit.batches import check_payments
from aegis_worker.audit.run import AuditParts, audit_all
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Pending, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.errors import AmountExceedsRefundable, DisputeOpen
from aegis_worker.gateway_events.disputes import ask_about_due
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

WARNING, NEEDS_RESPONSE, UNDER_REVIEW = (
    DisputeStatus.WARNING,
    DisputeStatus.NEEDS_RESPONSE,
    DisputeStatus.UNDER_REVIEW,
)
WON, LOST, CLOSED, ACCEPTED = (
    DisputeStatus.WON,
    DisputeStatus.LOST,
    DisputeStatus.CLOSED,
    DisputeStatus.ACCEPTED,
)


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a")


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


def disputed(database: Database, payment_id: str) -> dict[str, int]:
    payment = payment_now(database, payment_id)
    return {"disputed": payment.disputed_minor, "charged_back": payment.charged_back_minor}


def test_a_dispute_is_kept_with_what_the_merchant_has_to_know(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    assert told(api, shown()) == {"claimed": 1, "followed": 1}
    (dispute,) = disputes_of(database, payment_id)
    assert dispute["id"].startswith("dsp_")
    assert (dispute["status"], dispute["amount_minor"], dispute["currency"]) == (
        "needs_response",
        1999,
        "USD",
    )
    assert (dispute["reason"], dispute["gateway_reason"], dispute["respond_by"]) == (
        "fraudulent",
        "10.4",
        RESPOND_BY,
    )
    assert story_of(database, payment_id)[-1] == "DISPUTE_OPENED"
    assert events_of(database, payment_id)[-1].data["respond_by"] == "2026-12-04T12:00:00.000Z"
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert disputed(database, payment_id) == {"disputed": 1999, "charged_back": 0}
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize(
    ("ends", "event", "sums"),
    [
        (WON, "DISPUTE_WON", {"disputed": 0, "charged_back": 0}),
        (LOST, "DISPUTE_LOST", {"disputed": 0, "charged_back": 1999}),
        (ACCEPTED, "DISPUTE_UPDATED", {"disputed": 0, "charged_back": 1999}),
    ],
)
def test_its_end_is_told_and_moves_the_sums(
    database: Database,
    api: Api,
    gateway: ScriptedGateway,
    ends: DisputeStatus,
    event: str,
    sums: dict[str, int],
) -> None:
    payment_id = paid(database, gateway)
    for status in (NEEDS_RESPONSE, UNDER_REVIEW, ends):
        told(api, shown(status))
    assert story_of(database, payment_id)[-3:] == ["DISPUTE_OPENED", "DISPUTE_UPDATED", event]
    assert disputed(database, payment_id) == sums
    assert disputes_of(database, payment_id)[0]["check_at"] is None
    assert row_is_fold(database, payment_id)


def test_a_warning_takes_no_money_and_forbids_no_refund(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(WARNING))
    assert disputed(database, payment_id) == {"disputed": 0, "charged_back": 0}
    ordering(database, gateway, payment_id, REFUND, 500)
    told(api, shown(CLOSED))
    assert disputes_of(database, payment_id)[0]["status"] == "closed"
    assert story_of(database, payment_id)[-1] == "DISPUTE_UPDATED"


def test_a_dispute_that_is_over_when_we_hear_of_it_is_opened_and_ended(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(LOST))
    assert story_of(database, payment_id)[-2:] == ["DISPUTE_OPENED", "DISPUTE_LOST"]
    assert disputed(database, payment_id) == {"disputed": 0, "charged_back": 1999}
    assert row_is_fold(database, payment_id)


def test_several_disputes_of_parts_add_up(database: Database, api: Api, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(minor=500), shown(minor=700, gateway_ref="dp_2"))
    assert disputed(database, payment_id) == {"disputed": 1200, "charged_back": 0}
    told(api, shown(LOST, minor=500))
    assert disputed(database, payment_id) == {"disputed": 700, "charged_back": 500}
    assert amounts(database, payment_id)["refundable"] == 1499
    assert [row["status"] for row in disputes_of(database, payment_id)] == ["lost", "needs_response"]
    assert row_is_fold(database, payment_id)


def test_a_dispute_in_another_currency_counts_for_the_whole_payment(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(amount=Money(1700, "EUR")))
    told(api, shown(LOST, amount=Money(1810, "EUR")))
    assert disputed(database, payment_id) == {"disputed": 0, "charged_back": 1999}
    assert row_is_fold(database, payment_id)


def test_a_dispute_of_a_charge_too_many_leaves_the_sums_alone(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE attempts SET gateway_ref = 'ch_9', number = 2; INSERT INTO gateway_references"
            f" (gateway, gateway_ref, payment_id) VALUES ('a', 'ch_9', '{payment_id}')"
        )
    )
    told(api, shown(charge_ref="ch_9"))
    assert disputes_of(database, payment_id)[0]["own_charge"] is False
    assert disputed(database, payment_id) == {"disputed": 0, "charged_back": 0}


def test_refunds_are_refused_while_the_payer_disputes_the_payment_unless_they_are_forced(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(minor=500))
    with pytest.raises(DisputeOpen) as refused:
        ordering(database, gateway, payment_id, REFUND, 100)
    assert refused.value.more == {"disputed": 500}
    forced = ordering(database, gateway, payment_id, REFUND, 100, forced=True)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, forced.id)["status"] == "succeeded"
    assert entity(database, forced.id)["forced"] is True
    told(api, shown(LOST, minor=500))
    with pytest.raises(AmountExceedsRefundable):
        ordering(database, gateway, payment_id, REFUND, 1400, "refund-2")
    ordering(database, gateway, payment_id, REFUND, 1399, "refund-3")
    assert row_is_fold(database, payment_id)


def test_a_refund_that_waited_when_the_dispute_was_opened_fails_unsent_unless_it_was_forced(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    calls = len(gateway.calls)
    refund = ordering(database, gateway, payment_id, REFUND, 100)
    forced = ordering(database, gateway, payment_id, REFUND, 200, "forced", forced=True)
    told(api, shown(minor=500))
    run_until_quiet(pipeline(database, gateway))
    stored = entity(database, refund.id)
    assert (stored["status"], stored["error"]["code"]) == ("failed", "dispute_open")
    assert entity(database, forced.id)["status"] == "succeeded"
    assert [call.amount.minor for call in gateway.calls[calls:]] == [200]
    assert row_is_fold(database, payment_id)


def test_a_dispute_that_is_heard_of_during_a_call_costs_no_answer(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    refund = ordering(database, gateway, payment_id, REFUND, 100)

    def opened_meanwhile(request: object) -> Approved:
        told(api, shown())
        return Approved("re_1")

    gateway.reverse = opened_meanwhile
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "succeeded"
    assert story_of(database, payment_id)[-2:] == ["DISPUTE_OPENED", "REFUND_SUCCEEDED"]
    assert row_is_fold(database, payment_id)


def test_a_dispute_of_a_payment_that_we_do_not_know_is_an_unmatched_event(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    told(api, shown(charge_ref="ch_of_another_system"))
    let_events_pass(database, 86_400)
    followed(api)
    (event,) = events_kept(database)
    assert (event["status"], event["reason"]) == ("unmatched", "it names no payment of ours")
    assert rows(database, "SELECT * FROM disputes") == []


def test_a_dispute_whose_event_never_came_is_asked_about_again(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown())
    gateway.disputed = lambda query: shown(WON)
    assert ask_about_due(database, api.gateways) == {"asked": 0}
    let_events_pass(database, 6 * 3600)
    assert ask_about_due(database, api.gateways) == {"asked": 1}
    assert disputes_of(database, payment_id)[0]["status"] == "won"
    assert story_of(database, payment_id)[-1] == "DISPUTE_WON"
    let_events_pass(database, 6 * 3600)
    assert ask_about_due(database, api.gateways) == {"asked": 0}


def test_a_refund_that_waited_while_all_was_charged_back_fails_unsent(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    refund = ordering(database, gateway, payment_id, REFUND, 1600)
    told(api, shown(LOST, minor=500))
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["error"]["code"] == "dispute_open"
    ordering(database, gateway, payment_id, REFUND, 1499, "what-is-left")
    run_until_quiet(pipeline(database, gateway))
    assert amounts(database, payment_id)["refunded"] == 1499
    assert row_is_fold(database, payment_id)


def test_a_payment_that_waits_for_its_gateway_can_be_disputed(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    waiting = ScriptedGateway("a", lambda request: Pending("ch_1"))
    payment_id = paid(database, waiting)
    told(api, shown())
    assert payment_now(database, payment_id).state is State.PROCESSING
    assert disputed(database, payment_id) == {"disputed": 1999, "charged_back": 0}
    waiting.look_up = lambda query: Approved("ch_1")
    let_pass(database, 3600)
    run(pipeline(database, waiting), "verify")
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize(
    ("broken", "summary"),
    [
        ("UPDATE disputes SET status = 'won'", "disputes that events tell otherwise"),
        ("UPDATE disputes SET amount_minor = 5", "disputes that events tell otherwise"),
        ("DELETE FROM disputes", "disputes that events tell otherwise"),
        ("UPDATE disputes SET own_charge = false", "disputes do not add up to disputed_minor"),
    ],
)
def test_the_audit_finds_a_dispute_that_is_not_what_the_events_say(
    database: Database,
    api: Api,
    gateway: ScriptedGateway,
    break_in: Callable[..., None],
    broken: str,
    summary: str,
) -> None:
    paid(database, gateway)
    told(api, shown())
    break_in(broken)
    with database.read() as connection:
        page = check_payments(connection, bounds=Bounds())
    assert [violation.invariant for violation in page.violations] == ["I4"]
    assert summary in page.violations[0].summary


def test_the_audit_finds_a_dispute_that_no_event_tells_of(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    insert_dispute(database, payment_id, "m_1")
    with database.read() as connection:
        page = check_payments(connection, bounds=Bounds())
    assert "disputes that events tell otherwise" in page.violations[0].summary


def test_the_audit_compares_a_dispute_with_what_its_gateway_shows(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown())
    auditing = AuditParts(database, api.gateways, Bounds(), batch=10, budget_s=10)
    assert audit_all(auditing, ask_gateways=True).violations == []
    gateway.disputed = lambda query: shown(LOST)
    (violation,) = audit_all(auditing, ask_gateways=True).violations
    assert (violation.invariant, violation.payment_id) == ("I3", payment_id)
    assert "expected a dispute of 1999 USD that is needs_response" in violation.summary
    gateway.disputed = lambda query: Unknown("down")
    assert audit_all(auditing, ask_gateways=True).unanswered == 1


def test_the_audit_finds_a_dispute_whose_events_never_came(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    auditing = AuditParts(database, api.gateways, Bounds(), batch=10, budget_s=10)
    gateway.look_up = lambda query: Approved("ch_1", disputed=True)
    (violation,) = audit_all(auditing, ask_gateways=True).violations
    assert (violation.invariant, violation.payment_id) == ("I3", payment_id)
    assert "a dispute that no event told of" in violation.summary
    told(api, shown())
    assert audit_all(auditing, ask_gateways=True).violations == []
