"""What gateways tell of disputes: late, early, repeated, out of order, in unknown words, or not at all when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import Connection
from support.api_client import Api, start_api
from support.disputes import (
    disputes_of,
    events_kept,
    followed,
    let_events_pass,
    paid,
    post,
    shown,
    told,
)
from support.orders import payment_now, row_is_fold
from support.payments import story_of
from support.scripted_gateway import ScriptedGateway
from support.told_gateway import ToldGateway

from aegis_worker.cli import checks_told
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import Unknown, UnknownKind
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateways.requests import DisputeQuery
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.database import Database
from aegis_worker.queries.stuck import Thresholds, list_stuck

pytestmark = pytest.mark.row(73)
T = TypeVar("T")
WARNING, NEEDS_RESPONSE, UNDER_REVIEW = (
    DisputeStatus.WARNING,
    DisputeStatus.NEEDS_RESPONSE,
    DisputeStatus.UNDER_REVIEW,
)
WON, LOST = DisputeStatus.WON, DisputeStatus.LOST


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a")


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


@pytest.mark.slow
def test_the_same_news_in_many_events_is_told_once(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, *[shown()] * 20)
    told(api, shown(LOST), event_id="e_1")
    told(api, shown(LOST), event_id="e_1")
    assert story_of(database, payment_id)[-2:] == ["DISPUTE_OPENED", "DISPUTE_LOST"]
    assert len(disputes_of(database, payment_id)) == 1
    assert row_is_fold(database, payment_id)


def test_an_event_that_comes_before_its_payment_is_followed_when_that_is_known(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    told(api, shown())
    assert [event["status"] for event in events_kept(database)] == ["waiting"]
    payment_id = paid(database, gateway)
    let_events_pass(database, 5)
    assert followed(api) == {"claimed": 1, "followed": 1}
    assert payment_now(database, payment_id).disputed_minor == 1999


def test_an_answer_that_was_asked_for_before_what_we_know_undoes_nothing(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown())
    asked, may_answer = threading.Event(), threading.Event()

    def slow(query: DisputeQuery) -> DisputeLookup:
        asked.set()
        may_answer.wait(10)
        return shown(UNDER_REVIEW)

    gateway.disputed = slow
    post(api, "dp_1", "ch_1")
    first = threading.Thread(target=followed, args=(api,))
    first.start()
    assert asked.wait(10)
    told(api, shown(WON))
    may_answer.set()
    first.join()
    assert disputes_of(database, payment_id)[0]["status"] == "won"
    assert "something newer is known of it" in {event["reason"] for event in events_kept(database)}
    gateway.disputed = lambda query: shown(WON)
    let_events_pass(database, 60)
    followed(api)
    assert {event["status"] for event in events_kept(database)} == {"followed"}
    assert story_of(database, payment_id)[-2:] == ["DISPUTE_OPENED", "DISPUTE_WON"]
    assert row_is_fold(database, payment_id)


def test_a_status_that_can_not_follow_is_not_believed_and_asked_about_again(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(UNDER_REVIEW))
    told(api, shown(WARNING))
    assert disputes_of(database, payment_id)[0]["status"] == "under_review"
    (waiting,) = [event for event in events_kept(database) if event["status"] == "waiting"]
    assert waiting["reason"] == "it shows warning, which can't follow under_review"
    gateway.disputed = lambda query: shown(LOST)
    let_events_pass(database, 5)
    followed(api)
    assert disputes_of(database, payment_id)[0]["status"] == "lost"


def test_an_unknown_word_counts_as_open_and_changes_nothing_that_is_known(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(None))
    assert payment_now(database, payment_id).disputed_minor == 1999
    told(api, shown(WON))
    told(api, shown(None))
    (dispute,) = disputes_of(database, payment_id)
    assert (dispute["status"], dispute["gateway_status"]) == ("won", "a new word")
    assert story_of(database, payment_id)[-2:] == ["DISPUTE_OPENED", "DISPUTE_WON"]


def test_a_silent_gateway_is_asked_again_and_after_a_day_a_person_sees_why(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    gateway.disputed = lambda query: Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)
    post(api, "dp_1", "ch_1")
    followed(api)
    (event,) = events_kept(database)
    assert (event["status"], event["reason"]) == ("waiting", "read timeout")
    let_events_pass(database, 86_400)
    followed(api)
    (event,) = events_kept(database)
    assert (event["status"], event["reason"]) == ("unmatched", "read timeout")
    with database.read() as connection:
        (stuck,) = list_stuck(connection, Thresholds(), limit=10).found
    assert (stuck.kind, stuck.id, stuck.payment_id) == (
        "gateway_event_unanswered",
        event["provider_event_id"],
        payment_id,
    )
    assert "read timeout" in stuck.why
    with database.read() as connection:
        (check,) = checks_told.told(connection)
    assert (check.seen, check.verdict) == ("1 about payments have no answer of their gateway", "warn")
    metrics = api.app.test_client().get("/metrics").text
    assert "\naegis_gateway_events_unanswered 1.0\n" in metrics
    assert disputes_of(database, payment_id) == []


def test_a_frozen_payment_is_not_written_to(database: Database, api: Api, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    database.run(
        lambda connection: connection.exec_driver_sql("UPDATE payments SET frozen_at = now()") and None
    )
    told(api, shown())
    assert [event["status"] for event in events_kept(database)] == ["waiting"]
    assert disputes_of(database, payment_id) == []


def test_many_workers_that_follow_the_same_events_write_one_history(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    for number in range(3):
        for _ in range(4):
            post(api, f"dp_{number}", "ch_1")
    gateway.disputed = lambda query: shown(minor=100, gateway_ref=query.dispute_ref)
    workers = [threading.Thread(target=followed, args=(api,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    let_events_pass(database, 120)
    followed(api)
    assert {event["status"] for event in events_kept(database)} == {"followed"}
    assert payment_now(database, payment_id).disputed_minor == 300
    assert story_of(database, payment_id).count("DISPUTE_OPENED") == 3
    assert row_is_fold(database, payment_id)


def told_by_itself(database: Database) -> tuple[ToldGateway, str]:
    """A gateway that can't be asked, and a payment that it has charged."""
    gateway = ToldGateway("a", database)
    return gateway, paid(database, gateway)


def test_where_a_gateway_can_not_be_asked_its_dispute_stands_as_the_furthest_that_it_has_told(
    database: Database,
) -> None:
    gateway, payment_id = told_by_itself(database)
    for code in ("CHARGEBACK", "SECOND_CHARGEBACK", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK_REVERSED"):
        assert gateway.tells(code, "dp_1", 1999) == "followed"
    (dispute,) = disputes_of(database, payment_id)
    assert (dispute["status"], dispute["check_at"]) == ("lost", None)
    assert story_of(database, payment_id)[-2:] == ["DISPUTE_OPENED", "DISPUTE_LOST"]
    assert row_is_fold(database, payment_id)


def test_what_it_has_told_of_a_dispute_of_another_charge_is_not_believed(database: Database) -> None:
    gateway, payment_id = told_by_itself(database)
    key = f"{payment_id}-p1"
    assert gateway.tells("CHARGEBACK", "dp_1", 1999, reference=key, charge_ref="ch_2") == "waiting"
    assert disputes_of(database, payment_id) == []


@pytest.mark.row(74)
def test_a_worker_that_dies_after_it_has_asked_leaves_the_dispute_to_another(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    post(api, "dp_1", "ch_1")
    database.run(partial(gateway_event_rows.claim, limit=10))
    told(api, shown())
    let_events_pass(database, 61)
    assert followed(api) == {"claimed": 1, "followed": 1}
    assert story_of(database, payment_id).count("DISPUTE_OPENED") == 1
    assert {event["status"] for event in events_kept(database)} == {"followed"}


@pytest.mark.row(74)
def test_a_dispute_whose_commit_was_not_answered_is_written_once(
    database: Database, api: Api, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    post(api, "dp_1", "ch_1")
    gateway.disputed = lambda query: shown()
    follow(FollowParts(CommitsTwice(database.engine), api.gateways, api.told))
    assert story_of(database, payment_id).count("DISPUTE_OPENED") == 1
    assert len(disputes_of(database, payment_id)) == 1
    assert row_is_fold(database, payment_id)


class CommitsTwice(Database):
    """Runs each work again after its commit, as where that was not answered. Claims are left out: they are leases."""

    def run(self, work: Callable[[Connection], T]) -> T:
        first = super().run(work)
        is_claim = isinstance(work, partial) and work.func is gateway_event_rows.claim
        if not is_claim:
            super().run(work)
        return first
