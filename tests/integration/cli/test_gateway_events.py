"""`aegis gateway-events`: what gateways told us is listed, shown as it came, and followed anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.api_client import Api, start_api
from support.command_line import Aegis, aegis, install
from support.payments import accept_one, pipeline
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Unknown
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

__all__ = ["aegis"]

STRANGERS = "pay_" + "0" * 32


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Api]:
    install(monkeypatch, database_url)
    api = start_api(database_url, ScriptedGateway("a"))
    yield api
    api.database.dispose()


def posted(api: Api, event_id: str, payment_id: str) -> None:
    event = {
        "event_id": event_id,
        "reference": f"{payment_id}-p1",
        "gateway_ref": "ch_1",
        "kind": "payment.failed",
    }
    answer = api.app.test_client().post("/v1/gateways/a/webhooks", data=json.dumps(event))
    assert answer.status_code == 200, answer.text


def followed(api: Api) -> dict[str, int]:
    return follow(FollowParts(api.database, api.gateways, api.told))


def listed(aegis: Aegis, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aegis("gateway-events", "list", *options, "--json").json
    return found


@pytest.fixture
def payment_id(api: Api, database: Database) -> str:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a", lambda request: Unknown("reset"))), "payments")
    return payment_id


def test_events_are_listed_newest_first_with_what_became_of_them(
    aegis: Aegis, api: Api, payment_id: str
) -> None:
    posted(api, "e_1", payment_id)
    posted(api, "e_2", STRANGERS)
    followed(api)
    assert [(event["provider_event_id"], event["status"]) for event in listed(aegis)] == [
        ("e_2", "waiting"),
        ("e_1", "followed"),
    ]
    assert [event["provider_event_id"] for event in listed(aegis, "--status", "waiting")] == ["e_2"]
    assert [event["provider_event_id"] for event in listed(aegis, "--payment", payment_id)] == ["e_1"]
    assert listed(aegis, "--gateway", "b") == []
    shown = aegis("gateway-events", "list").out
    assert all(word in shown for word in ("e_1", "e_2", "it names no payment of ours", payment_id))


def test_an_unmatched_event_is_followed_anew_when_it_is_retried(
    aegis: Aegis, api: Api, database: Database
) -> None:
    posted(api, "e_1", STRANGERS)
    database.run(lambda tx: tx.exec_driver_sql("UPDATE gateway_events SET waits_until = now()"))
    assert followed(api) == {"claimed": 1, "unmatched": 1}
    assert aegis("gateway-events", "retry", "--gateway", "b", "--json").json == {"retried": 0}
    assert aegis("gateway-events", "retry", "--json").json == {"retried": 1}
    assert followed(api) == {"claimed": 1, "waiting": 1}


def test_a_followed_event_is_retried_by_its_id_alone(aegis: Aegis, api: Api, payment_id: str) -> None:
    posted(api, "e_1", payment_id)
    followed(api)
    assert aegis("gateway-events", "retry", "--json").json == {"retried": 0}
    assert aegis("gateway-events", "retry", "e_1", "--json").json == {"retried": 1}
    assert followed(api) == {"claimed": 1, "followed": 1}
    missing = aegis("gateway-events", "retry", "e_9")
    assert (missing.exit_code, missing.err) == (3, "aegis: no such event: e_9\n")


def test_the_body_of_an_event_is_shown_as_it_came(aegis: Aegis, api: Api, payment_id: str) -> None:
    posted(api, "e_1", payment_id)
    shown = aegis("gateway-events", "show", "a", "e_1", "--json").json
    assert json.loads(shown["body"])["event_id"] == "e_1"
    assert "e_1" in aegis("gateway-events", "show", "a", "e_1").out
    assert aegis("gateway-events", "show", "a", "e_9").exit_code == 3
