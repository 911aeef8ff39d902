"""`aegis timeline` and `aegis explain` tell what went out to gateways and came back."""

from __future__ import annotations

import pytest
from support.command_line import Aegis, aegis, install
from support.exchanges import keep_exchange, keep_what_was_asked
from support.orders import CAPTURE, held, ordering
from support.payments import accept_one, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.exchanges import CallKind
from aegis_worker.domain.outcomes import Unknown
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

__all__ = ["aegis"]


@pytest.fixture
def payment_id(database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its first answer was lost, and then it was asked about."""
    install(monkeypatch, database_url)
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a")), "payments")
    keep_exchange(database, payment_id, Unknown("read timeout"), id_=2, ago_s=20)
    keep_exchange(database, payment_id, kind=CallKind.LOOK_UP, id_=1, ago_s=10)
    return payment_id


def test_the_timeline_has_a_line_for_each(aegis: Aegis, payment_id: str) -> None:
    lines = aegis("timeline", payment_id).out.splitlines()
    told = [line for line in lines if "POST /v1/charges" in line]
    assert ["unknown: read timeout" in told[0], "HTTP 200" in told[1]] == [True, True]
    assert ["look up" in line for line in told] == [False, True]
    assert all("12 ms" in line for line in told)
    assert "succeeded" not in "".join(told)


def test_what_no_job_asked_has_a_line_with_why(aegis: Aegis, payment_id: str, database: Database) -> None:
    keep_what_was_asked(database, payment_id, "decision")
    keep_what_was_asked(database, payment_id, "dispute", operation="dispute", number=0)
    lines = aegis("timeline", payment_id).out.splitlines()
    *_, decision, dispute = [line.split() for line in lines if "POST /v1/charges" in line]
    assert (decision[0], "decision" in decision) == ("1", True)
    assert "0" not in dispute
    assert "dispute: " not in " ".join(lines)
    (attempt,) = aegis("timeline", payment_id, "--json").json["attempts"]
    assert [one["because"] for one in attempt["exchanges"]] == [None, None, "decision"]


def test_with_exchanges_it_has_their_bodies_and_no_secret(aegis: Aegis, payment_id: str) -> None:
    told = aegis("timeline", payment_id, "--exchanges").out
    assert '{"id": "spay_1", "status": "succeeded", "client_secret": "[hidden]"}' in told
    assert '"token": "[hidden]"' in told
    assert "s3cret" not in told


def test_json_has_all_of_it_with_the_attempts(aegis: Aegis, payment_id: str) -> None:
    (attempt,) = aegis("timeline", payment_id, "--json").json["attempts"]
    first, second = attempt["exchanges"]
    assert (first["no_answer"]["outcome"], second["answer"]["status"]) == ("unknown", 200)
    assert first["at"].endswith("Z")


def test_explain_tells_it_as_well(aegis: Aegis, payment_id: str) -> None:
    assert "HTTP 200" in aegis("explain", payment_id).out
    assert len(aegis("explain", payment_id, "--json").json["exchanges"]) == 2


def test_a_payment_without_any_says_so(aegis: Aegis, payment_id: str, database: Database) -> None:
    another = accept_one(database, "another").payment.id
    assert "Exchanges with gateways\n  none" in aegis("timeline", another).out
    assert "Exchanges with gateways" not in aegis("explain", another).out


def test_what_a_merchant_ordered_is_named_by_its_own_number(
    aegis: Aegis, database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, database_url)
    gateway = ScriptedGateway("a")
    payment_id = held(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 1000, final=False)
    run_until_quiet(pipeline(database, gateway))
    ordering(database, gateway, payment_id, CAPTURE, 999, key="order-2", final=True)
    run_until_quiet(pipeline(database, gateway))
    told = aegis("timeline", payment_id).out
    assert ["capture 1" in told, "capture 2" in told, "capture 101" in told] == [True, True, False]
    assert "capture 2 at a: captured" in aegis("explain", payment_id).out
    numbers = [attempt["number"] for attempt in aegis("timeline", payment_id, "--json").json["attempts"]]
    assert numbers == [1, 101, 102]
