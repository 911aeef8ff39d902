"""What an A/B test has come to, by arm, over HTTP and from a shell."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.api_client import Api, start_api
from support.command_line import Aegis, aegis, install
from support.documented_answers import follows
from support.payments import rows
from support.scripted_gateway import ScriptedGateway

from aegis_worker.persistence.database import Database

__all__ = ["aegis"]

ARMS = [{"gateway": "sandbox_a", "share": 3}, {"gateway": "sandbox_b", "share": 1}]
TEST = {"experiment": "b-instead-of-a", "arms": ARMS}
CONFIG = {"config": {"strategy": "AB_TEST", "ab_test": TEST}, "reason": "which of them approves more"}
PATH = "/v1/routing/experiments/b-instead-of-a"


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, ScriptedGateway("sandbox_a"), ScriptedGateway("sandbox_b"))


WRITE = """
INSERT INTO attempts (payment_id, operation, number, gateway, gateway_key, request_hash, status, outcome, decision,
    lease_epoch, latency_ms)
VALUES (%(id)s, %(operation)s, %(number)s, %(arm)s, 'k', 'h', %(status)s, %(outcome)s, %(decision)s, 1, %(latency_ms)s)
"""


def hop(
    database: Database, payment_id: str, arm: str, experiment: str | None = "b-instead-of-a", **changes: Any
) -> None:
    """Write an attempt as a worker would have left it."""
    usual = {"operation": "process", "number": 1, "status": "APPROVED", "category": None, "latency_ms": 100.0}
    row: dict[str, Any] = usual | changes | {"id": payment_id, "arm": arm}
    row["outcome"] = json.dumps({"category": row["category"]})
    row["decision"] = json.dumps(
        {"experiment": experiment, "arm": arm} if experiment else {"candidates": [arm]}
    )
    database.run(lambda tx: tx.exec_driver_sql(WRITE, row))


@pytest.fixture
def tried(api: Api) -> Api:
    """Of sandbox_a: approved, approved after an authentication, declined and then approved elsewhere, not sent, pending.

    Of sandbox_b: approved twice. One payment was part of another experiment, one of none.
    """
    api.operator().open("/v1/routing", method="PUT", json=CONFIG)
    shop, database = api.merchant(), api.database
    ids = [str(shop.accepted()["id"]) for _ in range(9)]
    hop(database, ids[0], "sandbox_a")
    hop(database, ids[1], "sandbox_a", operation="authenticate", latency_ms=900.0)
    hop(database, ids[1], "sandbox_a", experiment=None, latency_ms=200.0)
    hop(database, ids[2], "sandbox_a", status="DECLINED", category="soft")
    hop(database, ids[2], "sandbox_b", number=2, experiment=None)
    hop(database, ids[3], "sandbox_a", status="NOT_SENT", latency_ms=1.0)
    hop(database, ids[4], "sandbox_a", status="PENDING")
    hop(database, ids[5], "sandbox_b", latency_ms=30.0)
    hop(database, ids[6], "sandbox_b", latency_ms=50.0)
    hop(database, ids[7], "sandbox_b", experiment="an earlier one")
    hop(database, ids[8], "sandbox_b", experiment=None)
    return api


def test_arms_are_told_with_what_their_payments_came_to_first(tried: Api) -> None:
    operator = tried.operator()
    shown = operator.get(PATH)
    follows(operator.get("/openapi.json").json, "/v1/routing/experiments/{experiment}", "get", shown)
    assert (shown.json["running"], shown.json["looked_at"]) == (True, 9)
    first, second = shown.json["arms"]
    assert first == {
        "arm": "sandbox_a",
        "share": 0.75,
        "payments": 5,
        "approved": 2,
        "declined": 1,
        "failed": 1,
        "undecided": 1,
        "success_rate": 0.5,
        "success_interval": {"low": 0.15, "high": 0.85},
        "latency_mean_ms": 125.0,
    }
    assert (second["arm"], second["payments"], second["approved"], second["success_rate"]) == (
        "sandbox_b",
        2,
        2,
        1.0,
    )
    assert (second["share"], second["latency_mean_ms"]) == (0.25, 40.0)


def test_an_earlier_experiment_is_told_without_shares(tried: Api) -> None:
    earlier = tried.operator().get("/v1/routing/experiments/an%20earlier%20one").json
    (arm,) = earlier["arms"]
    assert (earlier["running"], arm["arm"], arm["share"], arm["payments"]) == (False, "sandbox_b", None, 1)


def test_what_never_was_an_experiment_is_not_found(tried: Api) -> None:
    operator = tried.operator()
    for name in ("none", "x" * 65, "%00", "a%0Ab"):
        assert operator.get(f"/v1/routing/experiments/{name}").status_code == 404, name


def test_only_payments_of_the_time_asked_for_count(tried: Api) -> None:
    shown = tried.operator().get(PATH, query_string={"since": "2026-01-01T00:00:00Z"}).json
    assert shown["arms"][0]["payments"] == 5
    (newest,) = rows(tried.database, "SELECT now() - interval '1 us' AS now")
    later = tried.operator().get(PATH, query_string={"since": newest["now"].isoformat()}).json
    assert [arm["payments"] for arm in later["arms"]] == [0, 0]
    assert tried.operator().get(PATH, query_string={"since": "yesterday"}).status_code == 422


def test_the_shell_shows_the_arms(
    tried: Api, aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    install(monkeypatch, database_url)
    ran = aegis("routing", "arms")
    shown = re.sub(" +", " ", ran.out)
    assert "sandbox_a 75.0 % 5 2 1 1 1 50.0 % (15.0 % – 85.0 %) 125.0" in shown
    assert aegis("routing", "arms", "--json").json["arms"][1]["payments"] == 2
    earlier = aegis("routing", "arms", "an earlier one")
    assert (earlier.exit_code, earlier.err) == (0, "It does not run now.\n")
    assert aegis("routing", "arms", "none").exit_code == 3
    aegis("routing", "apply", "--back-to-file", "--reason", "the experiment is over")
    assert aegis("routing", "arms").exit_code == 2
