"""A draft of routing on the payments of a small installation, over HTTP and from a shell."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.api_client import Api, codes, start_api
from support.command_line import Aegis, aegis, install
from support.documented_answers import follows
from support.payments import pipeline
from support.scripted_gateway import Script, ScriptedGateway

from aegis_worker.domain.outcomes import Approved, Declined, Outcome
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.pipeline.run import run
from aegis_worker.queries import past_payments
from aegis_worker.queries.past_payments import newest
from aegis_worker.queries.simulation import simulate
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.config import RoutingConfig

__all__ = ["aegis"]

FEES = {"sandbox_a": (30, 290), "sandbox_b": (10, 340)}
B_FIRST = {"fallback": ["sandbox_b"]}


def answers(**declines: str) -> Script:
    """A gateway that declines these amounts, and approves all others."""
    codes_of = {int(amount.removeprefix("of_")): code for amount, code in declines.items()}

    def answer(request: GatewayRequest) -> Outcome:
        code = codes_of.get(request.amount.minor)
        return Declined(code, "x") if code else Approved(f"ch_{request.idempotency_key}")

    return answer


@pytest.fixture
def gateways() -> list[ScriptedGateway]:
    scripts = {
        "sandbox_a": answers(
            of_2000="stolen_card", of_3000="issuer_unavailable", of_4000="issuer_unavailable"
        ),
        "sandbox_b": answers(of_4000="issuer_unavailable"),
    }
    return [
        ScriptedGateway(name, scripts[name], fee_fixed_minor=fixed, fee_basis_points=points)
        for name, (fixed, points) in FEES.items()
    ]


@pytest.fixture
def api(database_url: str, gateways: list[ScriptedGateway]) -> Api:
    """Eight payments went to `sandbox_a`: four were approved, two declined for good, two moved on to `sandbox_b`, which
    approved one of them. A ninth waits.
    """
    api = start_api(database_url, *gateways)
    shop = api.merchant()
    for number, amount in enumerate((1000, 1000, 1000, 1000, 2000, 2000, 3000, 4000)):
        shop.accepted(amount=amount, payment_method={"type": "card", "token": f"tok_{number}"})
    run(pipeline(api.database, *gateways), "payments")
    shop.accepted()
    return api


def test_a_draft_is_tried_over_http(api: Api) -> None:
    operator = api.operator()
    tried = operator.post("/v1/routing/simulate", json={"config": B_FIRST})
    assert tried.status_code == 200, tried.text
    follows(operator.get("/openapi.json").json, "/v1/routing/simulate", "post", tried)
    body = tried.json
    counts = {one["gateway"]: (one["was"], one["would_be"]) for one in body["gateways"]}
    assert counts == {"sandbox_a": (8, 0), "sandbox_b": (0, 9)}
    assert (body["payments"], body["moved"], body["never_sent"], body["no_gateway"]) == (9, 8, 1, 0)
    measured = {one["gateway"]: (one["judged"], one["approved"]) for one in body["gateways"]}
    assert measured == {"sandbox_a": (6, 4), "sandbox_b": (1, 1)}, (
        "all hops, but for what lies with the payer or was declined by another gateway, too"
    )
    # 6 of the 8 may be approved elsewhere, each as (1 + 9) / (1 + 10) says.
    assert body["success"] == {"payments": 8, "was_rate": 0.5, "would_be_rate": 0.6818}
    (fees,) = body["fees"]
    assert (fees["payments"], fees["was_minor"]) == (8, 4 * 59 + 2 * 88 + 117 + 146)
    assert fees["would_be_minor"] == 4 * 44 + 2 * 78 + 112 + 146
    assert len(body["assumptions"]) > 3


def test_without_a_draft_what_holds_now_is_tried(api: Api) -> None:
    operator = api.operator()
    assert operator.post("/v1/routing/simulate", json={}).json["moved"] == 0
    reason = "the new contract begins today"
    operator.open("/v1/routing", method="PUT", json={"config": B_FIRST, "reason": reason})
    assert operator.post("/v1/routing/simulate", json={}).json["moved"] == 8


def test_as_many_as_wanted_of_the_newest_in_the_time_given(api: Api, gateways: list[ScriptedGateway]) -> None:
    operator = api.operator()
    assert operator.post("/v1/routing/simulate", json={"limit": 3}).json["payments"] == 3
    soon = (datetime.now(UTC) - timedelta(microseconds=1)).isoformat()
    assert operator.post("/v1/routing/simulate", json={"since": soon}).json["payments"] == 0
    since = datetime.now(UTC) - timedelta(days=1)
    span = newest(api.database, since=since, limit=100)
    cut = simulate(api.database, span, gateways, RoutingConfig(), seed=1, budget_s=0)
    assert (cut.complete, cut.span.payments, cut.simulation.payments) == (False, 9, 0)


def test_pages_hold_each_payment_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_payments, "_PAGE", 3)
    span = newest(api.database, since=datetime.now(UTC) - timedelta(days=1), limit=7)
    assert span.payments == 7
    pages = list(past_payments.pages(api.database, span))
    assert [len(page) for page in pages] == [3, 3, 1]
    ids = [past.payment.id for page in pages for past in page]
    assert ids == sorted(set(ids), reverse=True)
    assert (ids[0], ids[-1]) == (span.last_id, span.first_id)


HOSTILE = (
    "(?:(?:a|.){257}|b)",
    "(a+)+b",
    "(a|a)*b",
    "(?:a|ab)*?c",
    "(.*)*b",
    ".*a" * 60 + "b",
    "(?i)(?:a|A|[aA]|.)+b",
    "(?:|a|aa|aaa)+b",
    "(?:(?:(?:a*)*)*)*b",
    "(?:(?:a{1,9}){1,9}){1,9}b",
)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_pattern_with_too_many_ways_to_match_holds_up_neither_the_simulation_nor_a_worker(
    api: Api, gateways: list[ScriptedGateway], pattern: str
) -> None:
    shop, operator = api.merchant(), api.operator()
    conditions = [{"field": "metadata.plan", "operator": "matches", "value": pattern}]
    config = {"rules": [{"id": "hostile", "gateway": "sandbox_b", "conditions": conditions}], **B_FIRST}
    payment_id = shop.accepted(metadata={"plan": "a" * 256})["id"]
    assert operator.post("/v1/routing/simulate", json={"config": config}).json["payments"] == 10
    put = operator.open("/v1/routing", method="PUT", json={"config": config, "reason": "a rule for plans"})
    assert put.status_code == 200, put.text
    book = RoutingBook(api.database, RoutingConfig(), ("sandbox_a", "sandbox_b"))
    run(pipeline(api.database, *gateways, routing=book.current), "payments")
    assert shop.get(f"/v1/payments/{payment_id}").json["state"] == "SUCCESS"


def test_a_simulation_is_refused_with_the_place(api: Api) -> None:
    operator = api.operator()
    for body, pointer in [
        ({"config": {"strategy": "GUESS"}}, "/config/strategy"),
        ({"config": "x"}, "/config"),
        ({"since": "2999-01-01T00:00:00Z"}, "/since"),
        ({"since": 7}, "/since"),
        ({"limit": 20_001}, "/limit"),
        ({"seed": -1}, "/seed"),
    ]:
        refused = operator.post("/v1/routing/simulate", json=body)
        assert refused.status_code == 422, body
        assert [place for place, _ in codes(refused)] == [pointer]


def test_the_shell_prints_its_tables(
    api: Api, aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    install(monkeypatch, database_url)
    draft = tmp_path / "draft.toml"
    draft.write_text('fallback = ["sandbox_b"]\n')
    ran = aegis("routing", "simulate", "--since", "7d", "--config", str(draft))
    assert ran.exit_code == 0, ran.err
    shown = re.sub(" +", " ", ran.out)
    assert "sandbox_a 8 0 -8 66.7 % 81.2 %" in shown
    assert "approved at the first gateway 50.0 % 68.2 % 8" in shown
    assert "fees in USD 6.75 USD (675) 5.90 USD (590) 8" in shown
    assert "sandbox_a sandbox_b 8" in shown
    assert "Only the first gateway of each payment is compared" in ran.err
    told = aegis("routing", "simulate", "--since", "7d", "--config", str(draft), "--json").json
    assert (told["payments"], told["moved"]) == (9, 8)
    assert aegis("routing", "simulate", "--json").json["moved"] == 0
    assert aegis("routing", "simulate", "--since", "tomorrow").exit_code == 2
    draft.write_text('fallback = ["sandbox_c"]\n')
    wrong = aegis("routing", "simulate", "--config", str(draft))
    assert wrong.exit_code == 3
    assert "fallback[0]" in wrong.err
