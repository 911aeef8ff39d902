"""Answers that are another payment's, say two things, or show other money: what we say is what the ledgers say, still.

A proxy stands in front of the first gateway; the second is healthy. Faults first, then heal, then everything must finish.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.payments import (
    POLICY,
    accept_one,
    job_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    run_until_quiet,
)
from support.rewriting_proxy import Exchange, Rewrite, RewritingProxy, as_bytes, rewriting_proxy
from support.sandbox_pair import SandboxPair, adapter, running_pair
from support.sandbox_process import eventually

from aegis_worker.audit.run import AuditParts, audit_all
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run

PAYMENTS = 6
OPTIONS: dict[str, Any] = {"key_lifetime_s": 3600, "absence_window_s": 60}
pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPair]:
    with running_pair(tmp_path_factory.mktemp("pair")) as running:
        yield running


@pytest.fixture
def proxy(pair: SandboxPair) -> Iterator[RewritingProxy]:
    with rewriting_proxy(pair.a.url) as running:
        yield running


@pytest.fixture
def parts(database: Database, pair: SandboxPair, proxy: RewritingProxy) -> Iterator[PipelineParts]:
    gateways = [adapter(pair.a, base_url=proxy.url, **OPTIONS), adapter(pair.b, **OPTIONS)]
    yield pipeline(database, *gateways)
    for gateway in gateways:
        gateway.close_connections()


def accept(database: Database, *tokens: str) -> list[str]:
    """Payments of one amount, with the tokens in turn."""
    return [
        accept_one(
            database,
            f"key-{number}",
            payment_method={"type": "card", "token": tokens[number % len(tokens)]},
        ).payment.id
        for number in range(PAYMENTS)
    ]


def come_to_rest(database: Database, parts: PipelineParts) -> None:
    """All that waits comes due, again and again, with the absence window in between."""
    for _ in range(len(POLICY.verify_ladder_s) + 2):
        let_pass(database, 61)
        make_due(database)
        run_until_quiet(parts)


def check(database: Database, pair: SandboxPair, ids: list[str]) -> None:
    """I1 and I3, against what the gateways themselves have booked; what is not settled waits for a person."""
    for payment_id in ids:
        payment, charged = payment_of(database, payment_id), pair.charged(payment_id)
        assert len(charged) <= 1, (payment_id, charged)
        if payment.state is State.SUCCESS:
            assert charged == [(payment.gateway, payment.captured_minor)]
            rows = (pair.a if payment.gateway == "sandbox_a" else pair.b).ledger()
            (its_own,) = (row for row in rows if row["payment_id"] == payment.gateway_ref)
            assert its_own["merchant_payment_id"] == payment_id
        elif payment.state is State.FAILURE:
            assert charged == []
        else:
            assert job_of(database, payment_id)["status"] in ("review", "waiting"), payment.state
    bounds = Bounds(overdue_after_s=3600)
    assert audit_all(AuditParts(database, {}, bounds, 100, 5.0)).violations == []


def of_posts(rewrite: Rewrite) -> Rewrite:
    return lambda exchange: rewrite(exchange) if exchange.moves_money else (exchange.status, exchange.body)


def of_look_ups(rewrite: Rewrite) -> Rewrite:
    return lambda exchange: rewrite(exchange) if exchange.is_look_up else (exchange.status, exchange.body)


class OneBehind:
    """Each call is answered with the answer to the call before it, as on a connection where one was sent twice."""

    def __init__(self) -> None:
        self.before: tuple[int, bytes] | None = None

    def __call__(self, exchange: Exchange) -> tuple[int, bytes]:
        answer, self.before = self.before, (exchange.status, exchange.body)
        return answer or (exchange.status, exchange.body)


def always(proxy: RewritingProxy, status: int, body: bytes) -> None:
    """Every POST is answered so and never reaches the gateway: it goes where nothing is."""
    proxy.path = lambda method, path: "/healthz-of-nobody" if method == "POST" else path
    proxy.rewrite = of_posts(lambda exchange: (status, body))


@pytest.mark.parametrize("token", ["tok_ok", "tok_hard_lost_card", "tok_soft_try_again", "tok_pending_60"])
@pytest.mark.slow
def test_anothers_answer_of_the_same_amount_settles_nobody(
    database: Database, pair: SandboxPair, proxy: RewritingProxy, parts: PipelineParts, token: str
) -> None:
    anothers = pair.a.charge(token)
    always(proxy, anothers.status, anothers.body)
    ids = accept(database, "tok_ok")
    run_until_quiet(parts)
    assert {payment_of(database, payment_id).certainty for payment_id in ids} == {"unknown"}
    assert [pair.charged(payment_id) for payment_id in ids] == [[]] * PAYMENTS
    proxy.heal()
    come_to_rest(database, parts)
    check(database, pair, ids)
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [of_posts, of_look_ups, lambda rewrite: rewrite])
@pytest.mark.parametrize(
    "tokens",
    [
        ("tok_ok", "tok_hard_lost_card"),
        ("tok_drop", "tok_hard_lost_card"),
        ("tok_soft_try_again_at_sandbox_a", "tok_ok"),
        ("tok_ok", "tok_drop_nocharge_once", "tok_500", "tok_hard_fraud"),
    ],
    ids=" ".join,
)
def test_answers_that_come_one_call_late_settle_nobody_wrongly(
    database: Database,
    pair: SandboxPair,
    proxy: RewritingProxy,
    parts: PipelineParts,
    tokens: tuple[str, ...],
    kind: Callable[[Rewrite], Rewrite],
) -> None:
    proxy.rewrite = kind(OneBehind())
    ids = accept(database, *tokens)
    for _ in range(2):
        make_due(database)
        run_until_quiet(parts)
    check(database, pair, ids)
    proxy.heal()
    come_to_rest(database, parts)
    check(database, pair, ids)
    ended = [payment_of(database, payment_id).is_terminal for payment_id in ids]
    assert all(ended)


@pytest.mark.slow
def test_a_look_up_that_ignores_what_it_was_asked_settles_nobody(
    database: Database, pair: SandboxPair, proxy: RewritingProxy, parts: PipelineParts
) -> None:
    stranger = pair.a.call("GET", f"/v1/payments/{pair.a.charge().json['id']}").json

    def unfiltered(exchange: Exchange) -> tuple[int, bytes]:
        if "?reference=" in exchange.path:
            return 200, as_bytes(exchange.json | {"data": [stranger]})
        return 200, as_bytes(stranger)

    proxy.rewrite = of_look_ups(unfiltered)
    ids = accept(database, "tok_drop_nocharge")
    for _ in range(len(POLICY.verify_ladder_s) + 1):
        run_until_quiet(parts)
        let_pass(database, 61)
    check(database, pair, ids)
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.PROCESSING}
    assert [pair.charged(payment_id) for payment_id in ids] == [[]] * PAYMENTS


def says_twice(name: str, value: Any, *, first: bool) -> Rewrite:
    """The same key again, before or after: whichever a reader takes, another takes the other."""
    said = re.compile(rb'"%b": ("[^"]*"|[0-9]+|\[)' % name.encode())
    lie = f'"{name}": {json.dumps(value)}'.encode()

    def rewrite(exchange: Exchange) -> tuple[int, bytes]:
        if name == "data":  # a list ends where the body does
            body = (
                exchange.body.replace(b"{", b"{" + lie + b", ", 1)
                if first
                else exchange.body[:-1] + b", " + lie + b"}"
            )
            return exchange.status, body if b'"data"' in exchange.body else exchange.body
        both = rb"%b, \g<0>" if first else rb"\g<0>, %b"
        return exchange.status, said.sub(both % lie, exchange.body)

    return rewrite


@pytest.mark.row(65)
@pytest.mark.parametrize("first", [True, False], ids=["the lie first", "the lie last"])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(of_posts, marks=pytest.mark.slow),
        pytest.param(of_look_ups, marks=pytest.mark.slow),
        lambda rewrite: rewrite,
    ],
)
@pytest.mark.parametrize(
    ("token", "name", "value"),
    [
        ("tok_ok", "status", "failed"),
        ("tok_ok", "amount", 5),
        ("tok_drop", "status", "failed"),
        ("tok_hard_lost_card", "status", "succeeded"),
        ("tok_soft_try_again_at_sandbox_a", "code", "lost_card"),
        ("tok_drop_nocharge", "data", []),
    ],
)
@pytest.mark.slow
def test_a_body_that_says_two_things_settles_nobody_wrongly(
    database: Database,
    pair: SandboxPair,
    proxy: RewritingProxy,
    parts: PipelineParts,
    token: str,
    name: str,
    value: Any,
    first: bool,
    kind: Callable[[Rewrite], Rewrite],
) -> None:
    proxy.rewrite = kind(says_twice(name, value, first=first))
    ids = accept(database, token)
    for _ in range(2):
        make_due(database)
        run_until_quiet(parts)
    check(database, pair, ids)
    proxy.heal()
    come_to_rest(database, parts)
    check(database, pair, ids)


def shows(**other: Any) -> Rewrite:
    """Look-ups show each payment with other money."""

    def rewrite(exchange: Exchange) -> tuple[int, bytes]:
        document = exchange.json
        if "data" in document:
            document["data"] = [payment | other for payment in document["data"]]
        elif "status" in document:
            document |= other
        return exchange.status, as_bytes(document)

    return rewrite


@pytest.mark.row(66)
@pytest.mark.parametrize("token", ["tok_drop", "tok_500", "tok_garbage", "tok_pending_1", "tok_3ds_1"])
@pytest.mark.parametrize(
    "other",
    [
        {"amount": 19990},
        pytest.param({"currency": "EUR"}, marks=pytest.mark.slow),
        {"amount_captured": 1998},
        pytest.param({"amount": 19990, "amount_captured": 19990}, marks=pytest.mark.slow),
    ],
    ids=json.dumps,
)
@pytest.mark.slow
def test_a_look_up_with_other_money_makes_no_success_and_waits_for_a_person_with_the_evidence(
    database: Database,
    pair: SandboxPair,
    proxy: RewritingProxy,
    parts: PipelineParts,
    token: str,
    other: dict[str, Any],
) -> None:
    proxy.rewrite = of_look_ups(shows(**other))
    ids = accept(database, token)
    run(parts, "payments")
    assert eventually(lambda: all(pair.charged(payment_id) for payment_id in ids))
    for _ in range(len(POLICY.verify_ladder_s) + 1):
        make_due(database)
        run(parts, "verify")
    for payment_id in ids:
        assert payment_of(database, payment_id).captured_minor == 0
        job = job_of(database, payment_id)
        assert job["status"] == "review"
        assert str(next(iter(other.values()))) in job["reason"]
    check(database, pair, ids)
