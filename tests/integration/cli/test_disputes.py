"""`aegis disputes`, `captures` and `refunds`: what operators see of them, and that a deadline that is near is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from support.api_client import Api, start_api
from support.command_line import Aegis, aegis, install
from support.disputes import paid, shown, told
from support.orders import CAPTURE, REFUND, held, ordering
from support.payments import pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.cli import checks_disputes
from aegis_worker.cli.checks import Check
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, database_url: str, gateway: ScriptedGateway) -> Iterator[Api]:
    install(monkeypatch, database_url)
    api = start_api(database_url, gateway)
    yield api
    api.database.dispose()


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def checked(database: Database) -> Check:
    with database.read() as connection:
        (check,) = checks_disputes.disputes(connection)
    return check


def test_disputes_are_listed_and_those_to_answer_by_their_deadline(
    aegis: Aegis, api: Api, database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(
        api,
        shown(minor=100, respond_by=in_days(5)),
        shown(minor=200, gateway_ref="dp_2", respond_by=in_days(2)),
        shown(DisputeStatus.LOST, minor=300, gateway_ref="dp_3"),
    )
    everything = aegis("disputes", "list", "--json").json["data"]
    assert [one["amount"] for one in everything] == [300, 200, 100]
    to_answer = aegis("disputes", "list", "--to-answer", "--json").json["data"]
    assert [one["amount"] for one in to_answer] == [200, 100]
    assert [
        one["amount"] for one in aegis("disputes", "list", "--status", "lost", "--json").json["data"]
    ] == [300]
    printed = aegis("disputes", "list", "--payment", payment_id).out
    assert all(text in printed for text in ("dp_2", "fraudulent", "needs_response"))


def test_one_is_shown_with_what_to_answer_it_by(
    aegis: Aegis, api: Api, database: Database, gateway: ScriptedGateway
) -> None:
    paid(database, gateway)
    told(api, shown())
    (dispute,) = aegis("disputes", "list", "--json").json["data"]
    assert aegis("disputes", "show", dispute["id"], "--json").json == dispute
    printed = aegis("disputes", "show", dispute["id"]).out
    assert "the payer says that they did not make the payment" in printed
    assert aegis("disputes", "show", "dsp_" + "0" * 32).exit_code == 3


def test_status_and_timeline_tell_of_it(
    aegis: Aegis, api: Api, database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    told(api, shown(minor=500))
    assert "disputed" in aegis("status", payment_id).out
    assert "dispute.opened" in aegis("timeline", payment_id).out


@pytest.mark.parametrize(("days", "status"), [(None, "ok"), (30, "ok"), (2, "warn"), (-1, "warn")])
def test_doctor_warns_of_a_deadline_that_is_near(
    api: Api, database: Database, gateway: ScriptedGateway, days: float | None, status: str
) -> None:
    paid(database, gateway)
    if days is not None:
        told(api, shown(respond_by=in_days(days)))
    assert checked(database).verdict == status


def test_captures_and_refunds_of_all_payments_are_listed(
    aegis: Aegis, api: Api, database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    for kind, minor in ((CAPTURE, 800), (REFUND, 300)):
        ordering(database, gateway, payment_id, kind, minor, f"{kind}-1")
        run_until_quiet(pipeline(database, gateway))
    (capture,) = aegis("captures", "--json").json["data"]
    (refund,) = aegis("refunds", "--status", "succeeded", "--json").json["data"]
    assert (capture["amount"], refund["amount"]) == (800, 300)
    assert aegis("refunds", "--status", "failed", "--json").json["data"] == []
    assert payment_id in aegis("captures", "--payment", payment_id).out
